// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Raft
import Testing
import Transactions

/// Runs a `CallSchedule` by hand: virtual time, and a record of what it asked for. With each start it checks the rules that
/// hold always: no call twice at the same time, and no window overrun.
struct ScheduleScript {
    struct Key: Hashable {
        let gid: Gid
        let branchID: BranchID
        let operation: Operation
    }

    struct Attempt {
        let id: CallID
        let call: BranchCall
        let attempt: UInt32
        let at: UInt64
    }

    let configuration: CallScheduleConfiguration
    var schedule: CallSchedule
    /// Milliseconds.
    var now: UInt64 = 0
    var armed: UInt64?
    /// In the order in which they started.
    var inFlight: [Attempt] = []
    var started: [Attempt] = []
    var proposed: [Command] = []
    var reports: [UncertainAttempt] = []
    var mostInFlight = 0
    var mostInFlightOfTarget: [String: Int] = [:]
    private var keys: Set<Key> = []
    private var targets: [String: Int] = [:]

    init(_ configuration: CallScheduleConfiguration = .init(), seed: UInt64 = 1, isLeading: Bool = true) {
        self.configuration = configuration
        self.schedule = CallSchedule(configuration: configuration, seed: seed)
        if isLeading { self.step(.leadershipGained) }
    }

    mutating func step(_ input: CallScheduleInput) {
        var effects: [CallScheduleEffect] = []
        self.schedule.step(input, now: Instant(nanoseconds: self.now * 1_000_000), effects: &effects)
        for effect in effects {
            switch effect {
            case .start(let id, let call, let attempt): self.record(id, call, attempt)
            case .propose(let command): self.proposed.append(command)
            case .report(let report): self.reports.append(report)
            case .armTimer(let moment): self.armed = moment.nanoseconds
            }
        }
        #expect(self.schedule.inFlight == self.inFlight.count)
    }

    private mutating func record(_ id: CallID, _ call: BranchCall, _ attempt: UInt32) {
        let started = Attempt(id: id, call: call, attempt: attempt, at: self.now)
        let key = Key(gid: call.gid, branchID: call.branchID, operation: call.operation)
        let isNew = self.keys.insert(key).inserted
        #expect(isNew, "\(key) started while in flight")
        let authority = CallAuthority.of(call.url)
        self.targets[authority, default: 0] += 1
        self.inFlight.append(started)
        self.started.append(started)
        self.mostInFlight = max(self.mostInFlight, self.inFlight.count)
        self.mostInFlightOfTarget[authority] = max(
            self.mostInFlightOfTarget[authority, default: 0], self.targets[authority, default: 0])
        #expect(self.targets[authority, default: 0] <= self.configuration.callsPerTarget)
        #expect(self.inFlight.count <= self.configuration.callsInTotal)
    }

    mutating func due(_ calls: [BranchCall], of gid: Gid) {
        self.step(.callsDue(calls, of: gid))
    }

    /// Answers the oldest attempt in flight for which `matches` holds.
    @discardableResult
    mutating func answer(_ answer: BranchAnswer, where matches: (BranchCall) -> Bool = { _ in true }) -> Bool {
        guard let position = self.inFlight.firstIndex(where: { matches($0.call) }) else { return false }
        let attempt = self.inFlight.remove(at: position)
        let call = attempt.call
        self.keys.remove(Key(gid: call.gid, branchID: call.branchID, operation: call.operation))
        self.targets[CallAuthority.of(call.url), default: 0] -= 1
        self.step(.answered(attempt.id, answer))
        return true
    }

    /// Moves time on, stopping wherever the schedule asked to be woken.
    mutating func advance(byMilliseconds amount: UInt64) {
        let end = self.now + amount
        while let armed = self.armed, (armed + 999_999) / 1_000_000 <= end {
            self.now = max(self.now, (armed + 999_999) / 1_000_000)
            self.armed = nil
            self.step(.timeAdvanced)
        }
        self.now = end
    }
}

/// Calls for tests.
enum Due {
    static func gid(_ name: String) throws -> Gid { try #require(Gid(rawValue: name)) }

    static func call(
        _ gid: Gid, branch: String = "1", _ operation: Operation = .action, url: String = "http://bank/debit",
        headers: [Header] = [], payload: [UInt8] = [], priorAttempts: UInt32 = 0
    ) throws -> BranchCall {
        BranchCall(
            gid: gid, branchID: try #require(BranchID(rawValue: branch)), operation: operation, url: url,
            headers: headers, payload: Payload(payload), priorAttempts: priorAttempts)
    }
}

extension BranchAnswer {
    static let unreachable = BranchAnswer.unknown(UnknownAnswer(kind: .unreachable, detail: "connection refused"))
}
