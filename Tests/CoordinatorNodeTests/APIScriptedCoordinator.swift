// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Locks
import Raft
import Transactions

/// A cluster of one without a disk: commands go straight to a transaction machine. It can be told to fail, to be busy,
/// and to have every branch succeed as soon as somebody waits for the decision.
final class ScriptedCoordinator: Coordinator {
    struct ListCall: Hashable, Sendable {
        let state: TransactionState?
        let after: Gid?
        let limit: Int
    }

    struct State: Sendable {
        var machine = TransactionMachine()
        var commands: [Command] = []
        var reads: [Consistency] = []
        var waits: [Duration] = []
        var lists: [ListCall] = []
        var membershipChanges: [MembershipChange] = []
        var failure: CoordinatorError?
        var decidesOnWait = false
        var failsWaits = false
        var isReady = true
    }

    static let term: UInt64 = 7
    /// 2026-11-22T09:30:00.250Z
    static let logTime = LogTime(rawValue: 1_795_339_800_250)

    private let state = Locked(State())
    /// Holds every submit while it is closed.
    let gate = Gate()

    func submit(_ command: Command) async throws(CoordinatorError) -> CommittedAnswer {
        await self.gate.pass()
        return try self.withState { state throws(CoordinatorError) in
            state.commands.append(command)
            let (result, index) = Self.apply(command, to: &state)
            return CommittedAnswer(
                result: result, transaction: command.gid.flatMap { state.machine.transaction($0) }, term: Self.term,
                index: index)
        }
    }

    func transaction(
        _ gid: Gid, consistency: Consistency
    ) async throws(CoordinatorError) -> TransactionReading {
        try self.withState { state throws(CoordinatorError) in
            state.reads.append(consistency)
            return Self.reading(gid, state)
        }
    }

    func notes() async throws(CoordinatorError) -> NotesReading {
        try self.withState { state throws(CoordinatorError) in
            NotesReading(notes: state.machine.notes, term: Self.term, index: state.machine.appliedIndex)
        }
    }

    /// It has no disk.
    func backup() async throws(CoordinatorError) -> BackupSource { throw .refused(reason: "there is nothing to copy") }

    func waitForDecision(_ gid: Gid, atMost limit: Duration) async throws(CoordinatorError) -> TransactionReading {
        try self.withState { state throws(CoordinatorError) in
            state.waits.append(limit)
            if state.failsWaits { throw CoordinatorError.noLeader(retryAfter: .seconds(1)) }
            while state.decidesOnWait, let call = state.machine.dueCalls(of: gid).first {
                let result = BranchResult(
                    gid: gid, branchID: call.branchID, operation: call.operation, verdict: .success, attempts: 1)
                _ = Self.apply(.branchResult(result), to: &state)
            }
            return Self.reading(gid, state)
        }
    }

    func list(
        state wanted: TransactionState?, after: Gid?, limit: Int
    ) async throws(CoordinatorError) -> TransactionPage {
        try self.withState { state throws(CoordinatorError) in
            state.lists.append(ListCall(state: wanted, after: after, limit: limit))
            let found = state.machine.list(state: wanted, after: after, limit: limit + 1)
            return TransactionPage(
                transactions: Array(found.prefix(limit)), next: found.count > limit ? found[limit - 1].gid : nil,
                term: Self.term, index: state.machine.appliedIndex)
        }
    }

    func clusterStatus() async throws(CoordinatorError) -> ClusterStatus {
        try self.withState { state throws(CoordinatorError) in
            let applied = state.machine.appliedIndex
            let first = MemberStatus(
                id: "n1", role: .leader, clientAddress: "127.0.0.1:7401", peerAddress: "127.0.0.1:7501",
                commitIndex: applied, appliedIndex: applied, lastIndex: applied, matchIndex: applied, lag: 0,
                reachable: true, since: 1_795_339_800_250)
            let second = MemberStatus(
                id: "n2", role: .unknown, clientAddress: "127.0.0.1:7402", peerAddress: "127.0.0.1:7502",
                commitIndex: nil, appliedIndex: nil, lastIndex: nil, matchIndex: nil, lag: nil, reachable: false,
                since: nil)
            return ClusterStatus(
                clusterID: "00112233445566778899aabbccddeeff", node: "n1", leader: "n1", term: Self.term,
                nodes: [first, second])
        }
    }

    func transferLeadership(to target: String?) async throws(CoordinatorError) -> LeadershipAnswer {
        try self.withState { _ throws(CoordinatorError) in
            LeadershipAnswer(before: "n1", leader: target ?? "n2", term: Self.term + 1)
        }
    }

    func members(_ change: MembershipChange?) async throws(CoordinatorError) -> MembersAnswer {
        try self.withState { state throws(CoordinatorError) in
            if let change { state.membershipChanges.append(change) }
            let voters = [UInt64(1), 2, 3].map { number in
                Member(
                    nodeID: NodeID(rawValue: "n\(number)"), storageID: StorageID(rawValue: number == 3 ? 0 : number),
                    peerAddress: "127.0.0.1:750\(number)", clientAddress: "127.0.0.1:740\(number)")
            }
            return MembersAnswer(
                membership: Membership(voters: voters), isSettled: true, leader: "n1", term: Self.term, index: 1742)
        }
    }

    func nodeStatus() -> NodeStatus {
        let applied = self.state.withLock { $0.machine.appliedIndex }
        return NodeStatus(
            clusterID: "00112233445566778899aabbccddeeff", node: "n1", processID: 4711, role: .leader, term: Self.term,
            leader: "n1", commitIndex: applied, appliedIndex: applied, lastIndex: applied, durableIndex: applied,
            liveTransactions: 0, since: 1_795_339_800_250, startedAt: 1_795_339_800_250, version: "0.1.0")
    }

    var isReady: Bool { self.state.withLock { $0.isReady } }

    /// What it was asked so far, and how it is set.
    var seen: State { self.state.withLock { $0 } }

    func set(_ change: (inout State) -> Void) {
        self.state.withLock { change(&$0) }
    }

    private func withState<Value: Sendable>(
        _ body: (inout State) throws(CoordinatorError) -> Value
    ) throws(CoordinatorError) -> Value {
        try self.state.withLock { state throws(CoordinatorError) in
            if let failure = state.failure { throw failure }
            return try body(&state)
        }
    }

    private static func apply(_ command: Command, to state: inout State) -> (CommandResult, UInt64) {
        let index = state.machine.appliedIndex + 1
        let batch = CommandBatch(logTime: Self.logTime, commands: [command])
        let (results, _) = state.machine.apply(batch, at: index, archive: EmptyArchive())
        return (results[0], index)
    }

    private static func reading(_ gid: Gid, _ state: State) -> TransactionReading {
        TransactionReading(
            transaction: state.machine.transaction(gid), term: Self.term, index: state.machine.appliedIndex)
    }
}

/// Open from the start. While it is closed, tasks wait in front of it.
final class Gate: Sendable {
    private struct State {
        var isOpen = true
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    func close() {
        self.state.withLock { $0.isOpen = false }
    }

    func open() {
        let waiting = self.state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let (isOpen, watchers) = self.state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                defer { state.watchers = [] }
                return (state.isOpen, state.watchers)
            }
            if isOpen { continuation.resume() }
            for watcher in watchers { watcher.resume() }
        }
    }

    /// Returns as soon as somebody waits.
    func someoneWaits() async {
        await withCheckedContinuation { continuation in
            let isWaiting = self.state.withLock { state in
                if state.waiting.isEmpty { state.watchers.append(continuation) }
                return !state.waiting.isEmpty
            }
            if isWaiting { continuation.resume() }
        }
    }
}
