// SPDX-License-Identifier: Apache-2.0

import Foundation
import Locks
import NIOHTTP1

/// A client of a Verdict cluster.
///
/// It knows the addresses of some or all nodes; any node takes any request. A call goes to the node that answered last,
/// then to the others in turn, until one answers or the caller's patience is over. Every call that changes something
/// carries an id that is fixed before the first attempt, so it is safe to repeat: after a broken connection or an
/// answer "outcome unknown" the client sends the same request again and finds the same transaction.
///
/// Call ``shutdown()`` before the last reference goes.
public final class CoordinatorClient: Sendable {
    /// Where the nodes serve clients.
    public let addresses: [Address]
    /// How long the client tries and how much it does at once.
    public let configuration: Configuration

    let transport: HTTPTransport
    private let lastAnswered = Locked(0)
    private let isClosed = Locked(false)

    /// A client of the cluster whose nodes serve clients at these addresses. It connects when it is first used.
    public init(addresses: [Address], configuration: Configuration = Configuration()) {
        self.addresses = addresses
        self.configuration = configuration
        self.transport = HTTPTransport(configuration)
    }

    /// Closes all connections. Calls that run end with an error; later ones do so at once.
    public func shutdown() async {
        let wasClosed = self.isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if !wasClosed { await self.transport.shutdown() }
    }

    /// Asks nodes until one answers for good or the deadline has passed.
    /// - Parameters:
    ///   - gid: the transaction that the call is about, for errors.
    ///   - isChange: the call changes something, so a lost answer leaves the outcome unknown.
    ///   - recordingUntil: while certainly nothing is recorded, no attempt begins after this; `nil` is the deadline.
    ///   - only: ask this address alone.
    ///   - isSingleAttempt: end with the first attempt, whatever it comes to.
    ///   - make: builds the request for one attempt.
    func perform<Answer: Decodable>(
        _: Answer.Type, gid: String?, isChange: Bool, deadline: ContinuousClock.Instant,
        recordingUntil: ContinuousClock.Instant? = nil, waitingUntil: Deadline? = nil,
        only: Address? = nil, isSingleAttempt: Bool = false,
        make: (Attempt) throws(CoordinatorClientError) -> HTTPCall
    ) async throws(CoordinatorClientError) -> Answer {
        let candidates = only.map { [$0] } ?? self.addresses
        guard !candidates.isEmpty else { throw .init(.unavailable, "the client was given no address", gid: gid) }
        let first = only == nil ? self.lastAnswered.withLock { $0 } : 0
        var rotation = AddressRotation(count: candidates.count, first: first)
        var ending = Ending(gid: gid, isChange: isChange)
        while true {
            let turn = rotation.next(now: .now)
            let last = ending.mayBeRecorded ? deadline : recordingUntil ?? deadline
            if ending.attempts > 0, isSingleAttempt || turn.start >= last { throw ending.error }
            if turn.start > .now {
                do { try await Task.sleep(until: turn.start, clock: .continuous) } catch { throw ending.cancelled }
            }
            if Task.isCancelled { throw ending.cancelled }
            if self.isClosed.withLock({ $0 }) { throw ending.closed }
            let hold = waitingUntil.map { $0.hold(atMost: self.configuration.longestHold) } ?? .zero
            let call = try make(
                Attempt(holdMilliseconds: hold > .zero ? hold.wholeMilliseconds : nil, isRepeated: ending.mayBeRecorded)
            )
            var timeout = self.configuration.attemptTimeout + hold
            // A change that was sent gets its full time, so that a node's "certainly not" isn't missed by an instant: cut
            // off, the attempt would leave the outcome unknown.
            if !isChange { timeout = min(timeout, ContinuousClock.now.duration(to: deadline)) }
            let result = await self.transport.send(
                call, to: candidates[turn.index], timeout: max(.milliseconds(1), timeout))
            switch Judgement(result) {
            case .success(let body):
                if only == nil { self.lastAnswered.withLock { $0 = turn.index } }
                return try self.decode(body, from: candidates[turn.index], gid: gid)
            case .refusal(let code, let detail, let problem):
                if only == nil { self.lastAnswered.withLock { $0 = turn.index } }
                throw .init(code, detail, gid: gid ?? problem?.gid, problem: problem)
            case .retry(let detail, let problem, let after, let mayBeRecorded, let busy):
                ending.note(detail, problem, mayBeRecorded: mayBeRecorded, busy: busy)
                rotation.failed(
                    turn.index, now: .now, retryAfter: after, shortest: self.configuration.shortestPause,
                    longest: self.configuration.longestPause, jitter: .random(in: 0.5...1))
            }
        }
    }

    private func decode<Answer: Decodable>(
        _ body: Data, from address: Address, gid: String?
    ) throws(CoordinatorClientError) -> Answer {
        do {
            return try JSONDecoder().decode(Answer.self, from: body)
        } catch {
            throw .init(.unexpectedAnswer, "\(address) answered something else than \(Answer.self): \(error)", gid: gid)
        }
    }
}

/// What a request for one attempt is built from.
struct Attempt {
    /// How long the node may wait for the outcome before it answers; nil: not at all.
    let holdMilliseconds: Int?
    /// An earlier attempt may have taken effect.
    let isRepeated: Bool
}

/// How a call ends that no node answers for good.
private struct Ending {
    let gid: String?
    let isChange: Bool
    private(set) var attempts = 0
    private(set) var mayBeRecorded = false
    private var allBusy = true
    private var detail = "no node was asked"
    private var problem: Problem?

    init(gid: String?, isChange: Bool) {
        self.gid = gid
        self.isChange = isChange
    }

    mutating func note(_ detail: String, _ problem: Problem?, mayBeRecorded: Bool, busy: Bool) {
        self.attempts += 1
        self.detail = detail
        self.problem = problem ?? self.problem
        self.mayBeRecorded = self.mayBeRecorded || (self.isChange && mayBeRecorded)
        self.allBusy = self.allBusy && busy
    }

    var error: CoordinatorClientError {
        let code: CoordinatorClientError.Code =
            self.mayBeRecorded ? .outcomeUnknown : self.allBusy ? .overloaded : .unavailable
        let times = self.attempts == 1 ? "1 attempt" : "\(self.attempts) attempts"
        return .init(code, "\(self.detail) (after \(times))", gid: self.gid, problem: self.problem)
    }

    var cancelled: CoordinatorClientError {
        .init(.cancelled, "cancelled while trying: \(self.detail)", gid: self.gid, problem: self.problem)
    }

    var closed: CoordinatorClientError {
        .init(
            self.mayBeRecorded ? .outcomeUnknown : .closed, "the client was shut down", gid: self.gid,
            problem: self.problem)
    }
}
