// SPDX-License-Identifier: Apache-2.0

import Bytes
import Locks
import NIOCore
import NIOPosix
package import Raft
import StateStore
package import Transactions

/// The node as its API adapters see it: every call is put into the loop's mailbox, and its answer comes back from there.
package final class NodeCoordinator: Coordinator {
    private let mailbox: LoopMailbox<ClientRequest>
    private let board: StatusBoard
    /// For lists alone: they take longer than the loop may wait.
    private let archive: ArchiveReader

    init(mailbox: LoopMailbox<ClientRequest>, board: StatusBoard, archive: ArchiveReader) {
        self.mailbox = mailbox
        self.board = board
        self.archive = archive
    }

    package func submit(_ command: Command) async throws(CoordinatorError) -> CommittedAnswer {
        try await self.ask { .command(command, $0) }
    }

    package func transaction(
        _ gid: Gid, consistency: Consistency
    ) async throws(CoordinatorError) -> TransactionReading {
        try await self.ask { reply in
            switch consistency {
            case .linearizable: .linearizableRead(gid, reply)
            case .local: .localRead(gid, reply)
            }
        }
    }

    package func waitForDecision(
        _ gid: Gid, atMost limit: Duration
    ) async throws(CoordinatorError) -> TransactionReading {
        let until = NIODeadline.now() + TimeAmount(limit)
        return try await self.ask { .waitForDecision(gid, until: until, $0) }
    }

    package func list(
        state: TransactionState?, after: Gid?, limit: Int
    ) async throws(CoordinatorError) -> TransactionPage {
        // Memory first: what leaves it meanwhile is in the archive by then.
        let memory = try await self.ask { .list(state: state, after: after, limit: limit + 1, $0) }
        let archived: [GlobalTransaction]
        do {
            archived = try await NIOThreadPool.singleton.runIfActive { [archive] in
                try archive.list(state: state, after: after, limit: limit + 1)
            }
        } catch {
            throw .failed(reason: "\(error)")
        }
        var page = Dictionary(archived.map { ($0.gid, $0) }, uniquingKeysWith: { first, _ in first })
        for transaction in memory.transactions { page[transaction.gid] = transaction }
        let sorted = page.values.sorted { $0.gid < $1.gid }
        return TransactionPage(
            transactions: Array(sorted.prefix(limit)), next: sorted.count > limit ? sorted[limit - 1].gid : nil,
            mark: memory.mark, term: memory.term, index: memory.index)
    }

    package func clusterStatus() async throws(CoordinatorError) -> ClusterStatus {
        try await self.ask { .clusterStatus($0) }
    }

    package func transferLeadership(to target: String?) async throws(CoordinatorError) -> LeadershipAnswer {
        try await self.ask { .transferLeadership(to: target.map { NodeID(rawValue: $0) }, $0) }
    }

    package func members(_ change: MembershipChange?) async throws(CoordinatorError) -> MembersAnswer {
        try await self.ask { .members(change, $0) }
    }

    package func notes() async throws(CoordinatorError) -> NotesReading {
        try await self.ask { .catchUp($0) }
        return try await self.ask { .notes($0) }
    }

    package func backup() async throws(CoordinatorError) -> BackupSource {
        try await self.ask { .catchUp($0) }
        return try await self.ask { .backup($0) }
    }

    package func nodeStatus() -> NodeStatus { self.board.nodeStatus }

    package var isReady: Bool {
        let vitals = self.board.vitals
        return vitals.leader != nil && !vitals.isDiskFull && !vitals.isIncomplete
            && vitals.appliedIndex == vitals.commitIndex
    }

    private func ask<Value: Sendable>(
        _ request: (@escaping ClientRequest.Reply<Value>) -> ClientRequest
    ) async throws(CoordinatorError) -> Value {
        let result = await withCheckedContinuation { continuation in
            let request = request { continuation.resume(returning: $0) }
            if !self.mailbox.put(request) { request.fail(.stopping) }
        }
        return try result.get()
    }
}

/// Where the loop pins up how it stands, for readers on any thread.
final class StatusBoard: Sendable {
    private let fixed: NodeStatus
    private let current = Locked(Vitals())

    /// - Parameter fixed: what never changes in this life of the process; the rest of it is ignored.
    init(fixed: NodeStatus) {
        self.fixed = fixed
    }

    var vitals: Vitals {
        get { self.current.withLock { $0 } }
        set { self.current.withLock { $0 = newValue } }
    }

    var nodeStatus: NodeStatus {
        let vitals = self.vitals
        var status = self.fixed
        status.role = NodeRole(vitals.role)
        status.term = vitals.term
        status.leader = vitals.leader?.rawValue
        status.commitIndex = vitals.commitIndex
        status.appliedIndex = vitals.appliedIndex
        status.lastIndex = vitals.lastIndex
        status.durableIndex = vitals.durableIndex
        status.firstIndex = vitals.firstIndex
        status.liveTransactions = vitals.liveTransactions
        status.format = vitals.format.rawValue
        status.knownFormat = vitals.knownFormat.rawValue
        status.since = vitals.since
        return status
    }
}
