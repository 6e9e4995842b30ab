// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOHTTP1

extension CoordinatorClient {
    /// Submits a whole transaction.
    ///
    /// - Parameters:
    ///   - submission: without a gid the client makes one; the answer and every error name it.
    ///   - wait: how long to wait for the outcome. Zero: the answer comes when the transaction is recorded.
    ///   - patience: how long to go on trying to have it recorded; `nil` is the configuration's.
    /// - Returns: the transaction as last seen; its `outcome` is `nil` if it was not learned in the time to wait.
    public func submit(
        _ submission: Submission, wait: Duration = .zero, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        var submission = submission
        let isDrawn = submission.gid == nil
        let gid = submission.gid ?? GlobalTransactionID.next()
        submission.gid = gid
        let fixed = submission
        return try await self.change(gid, wait: wait, patience: patience) { attempt throws(CoordinatorClientError) in
            try HTTPCall(
                method: .POST, target: "/v1/transactions",
                body: encoded(
                    Fresh(fixed, isFresh: isDrawn && !attempt.isRepeated, waitMilliseconds: attempt.holdMilliseconds),
                    gid: gid))
        }
    }

    /// Opens a transaction whose branches are registered one by one; ``commit(_:wait:patience:)`` or
    /// ``abort(_:reason:wait:patience:)`` ends it, or its timeout does.
    public func begin(
        _ opening: Opening, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        var opening = opening
        let isDrawn = opening.gid == nil
        let gid = opening.gid ?? GlobalTransactionID.next()
        opening.gid = gid
        let fixed = opening
        return try await self.change(gid, wait: .zero, patience: patience) { attempt throws(CoordinatorClientError) in
            try HTTPCall(
                method: .POST, target: "/v1/transactions/begin",
                body: encoded(Fresh(fixed, isFresh: isDrawn && !attempt.isRepeated), gid: gid))
        }
    }

    /// Registers a branch on a begun transaction. Register first, then call the participant's try.
    /// - Parameters:
    ///   - branch: without an id the client makes one, so that a repeated request registers one branch only.
    ///   - gid: the begun transaction.
    ///   - patience: how long to go on trying; `nil` is the configuration's.
    public func register(
        _ branch: BranchRequest, in gid: String, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        var branch = branch
        branch.id = branch.id ?? GlobalTransactionID.next()
        let body = try encoded(branch, gid: gid)
        let target = try path(of: gid) + "/branches"
        return try await self.change(gid, wait: .zero, patience: patience) { _ in
            HTTPCall(method: .POST, target: target, body: body)
        }
    }

    /// Decides commit on a begun TCC transaction, or starts the steps of a begun saga.
    /// - Throws: `.alreadyDecided` if it was aborted before, by its timeout for instance.
    public func commit(
        _ gid: String, wait: Duration = .zero, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        let target = try path(of: gid) + "/commit"
        return try await self.change(gid, wait: wait, patience: patience) { attempt throws(CoordinatorClientError) in
            try HTTPCall(
                method: .POST, target: target,
                body: encoded(EndingBody(waitMilliseconds: attempt.holdMilliseconds), gid: gid))
        }
    }

    /// Decides abort.
    /// - Parameters:
    ///   - gid: the transaction, begun or submitted.
    ///   - reason: for people; at most 256 bytes.
    ///   - wait: how long to wait for the outcome. Zero: the answer comes when the abort is recorded.
    ///   - patience: how long to go on trying to have it recorded; `nil` is the configuration's.
    /// - Throws: `.alreadyDecided` if it was committed before.
    public func abort(
        _ gid: String, reason: String? = nil, wait: Duration = .zero, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        let target = try path(of: gid) + "/abort"
        return try await self.change(gid, wait: wait, patience: patience) { attempt throws(CoordinatorClientError) in
            try HTTPCall(
                method: .POST, target: target,
                body: encoded(EndingBody(reason: reason, waitMilliseconds: attempt.holdMilliseconds), gid: gid))
        }
    }

    /// Lets one transaction that a restore holds go on before the mark is lifted: undecided, it gets all of its time again,
    /// and its calls that are due are made anew; decided in doubt, what was recorded is carried out.
    /// - Parameters:
    ///   - gid: the transaction.
    ///   - reason: why that is right, for its history; 1 to 256 bytes.
    ///   - actor: who says so.
    ///   - patience: how long to go on trying; `nil` is the configuration's.
    /// - Throws: `.held` if it has finished in doubt: only the lifting of the mark ends that.
    public func release(
        _ gid: String, reason: String, actor: String = "", patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        let target = try path(of: gid) + "/release"
        let body = try encoded(["reason": reason, "actor": actor], gid: gid)
        return try await self.change(gid, wait: .zero, patience: patience) { _ in
            HTTPCall(method: .POST, target: target, body: body)
        }
    }

    /// Reads one transaction.
    /// - Parameters:
    ///   - gid: the transaction.
    ///   - consistency: what the answer may be taken from.
    ///   - wait: how long to wait for the outcome, if it is not decided yet.
    ///   - patience: how long to go on trying, the time to wait not counted; `nil` is the configuration's.
    ///   - address: ask this node alone.
    public func transaction(
        _ gid: String, consistency: ReadConsistency = .linearizable, wait: Duration = .zero, patience: Duration? = nil,
        at address: Address? = nil
    ) async throws(CoordinatorClientError) -> Transaction {
        let start = ContinuousClock.now
        let wanted = Deadline(instant: start + wait)
        let deadline = wanted.instant + (patience ?? self.configuration.patience)
        let seen = try await self.read(gid, consistency, wanted, deadline: deadline, only: address)
        return await self.awaitOutcome(of: seen, consistency, wanted, only: address)
    }

    /// Sends a request that changes one transaction, then waits for the outcome as long as the caller wants.
    private func change(
        _ gid: String, wait: Duration, patience: Duration?,
        make: (Attempt) throws(CoordinatorClientError) -> HTTPCall
    ) async throws(CoordinatorClientError) -> Transaction {
        let start = ContinuousClock.now
        let wanted = Deadline(instant: start + wait)
        let patience = patience ?? self.configuration.patience
        let seen = try await self.perform(
            Transaction.self, gid: gid, isChange: true, deadline: wanted.instant + patience,
            recordingUntil: start + patience, waitingUntil: wanted, make: make)
        return await self.awaitOutcome(of: seen, .linearizable, wanted, only: nil)
    }

    private func read(
        _ gid: String, _ consistency: ReadConsistency, _ wanted: Deadline, deadline: ContinuousClock.Instant,
        only: Address?
    ) async throws(CoordinatorClientError) -> Transaction {
        let target = try path(of: gid) + "?consistency=\(consistency.rawValue)"
        return try await self.perform(
            Transaction.self, gid: gid, isChange: false, deadline: deadline, waitingUntil: wanted, only: only
        ) { attempt in
            HTTPCall(method: .GET, target: attempt.holdMilliseconds.map { "\(target)&wait_ms=\($0)" } ?? target)
        }
    }

    /// Reads again until the outcome is there or the time to wait is over. The transaction is known to be recorded, so
    /// a read that fails takes nothing back: what was seen last is the answer.
    private func awaitOutcome(
        of transaction: Transaction, _ consistency: ReadConsistency, _ wanted: Deadline, only: Address?
    ) async -> Transaction {
        var seen = transaction
        while seen.outcome == nil, ContinuousClock.now < wanted.instant {
            let asked = ContinuousClock.now
            guard let next = try? await self.read(seen.gid, consistency, wanted, deadline: wanted.instant, only: only)
            else { return seen }
            seen = next
            // A node may stop holding early, as one that stops leading does; then don't spin.
            let soonest = asked + self.configuration.shortestPause
            guard seen.outcome == nil, ContinuousClock.now < soonest else { continue }
            guard (try? await Task.sleep(until: soonest, clock: .continuous)) != nil else { return seen }
        }
        return seen
    }
}

/// `Submission` with the time to hold the answer, which is no part of the transaction's content.
/// A request for a new transaction.
private struct Fresh<Content: Encodable>: Encodable {
    let content: Content
    /// The gid was drawn for this very attempt: left out if not.
    let isFresh: Bool
    let waitMilliseconds: Int?

    init(_ content: Content, isFresh: Bool, waitMilliseconds: Int? = nil) {
        self.content = content
        self.isFresh = isFresh
        self.waitMilliseconds = waitMilliseconds
    }

    enum CodingKeys: String, CodingKey {
        case isFresh = "fresh"
        case waitMilliseconds = "wait_ms"
    }

    func encode(to encoder: any Encoder) throws {
        try self.content.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        if self.isFresh { try container.encode(true, forKey: .isFresh) }
        try container.encodeIfPresent(self.waitMilliseconds, forKey: .waitMilliseconds)
    }
}

private struct EndingBody: Encodable {
    var reason: String?
    var waitMilliseconds: Int?

    enum CodingKeys: String, CodingKey {
        case reason
        case waitMilliseconds = "wait_ms"
    }
}

/// Fields in sorted order, so that a repeated request has the same bytes.
private func encoded(_ body: some Encodable, gid: String) throws(CoordinatorClientError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return try encoder.encode(body)
    } catch {
        throw .init(.invalidRequest, "not expressible in JSON: \(error)", gid: gid)
    }
}

/// The transaction's path, its gid percent-encoded; refuses what no transaction can be called.
private func path(of gid: String) throws(CoordinatorClientError) -> String {
    let bytes = gid.utf8
    guard (1...128).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
        throw .init(.invalidRequest, "a gid is 1 to 128 bytes of printable ASCII", gid: gid)
    }
    // "." and ".." alone would be read as steps of the path.
    let isDots = bytes.allSatisfy { $0 == UInt8(ascii: ".") }
    let escaped = bytes.map { byte in
        let character = Character(Unicode.Scalar(byte))
        let isPlain = character.isLetter || character.isNumber || "-_~".contains(character)
        if isPlain || (character == "." && !isDots) { return String(character) }
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
    }
    return "/v1/transactions/" + escaped.joined()
}
