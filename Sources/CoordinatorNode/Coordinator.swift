// SPDX-License-Identifier: Apache-2.0

package import Raft
package import Transactions

/// What an API adapter may ask of the cluster. The node implements it; every adapter (native, DTM, Seata) stands on it
/// and on nothing else: an adapter turns a request into a `Command`, calls here, and turns the answer back.
package protocol Coordinator: Sendable {
    /// Commits a command and gives what the machine said when it was applied.
    ///
    /// While there is no leader the node waits a bounded time of its own configuration before it throws `.noLeader`.
    /// The gid in the command must be final: after `.outcomeUnknown` the same command, sent again, finds the same
    /// transaction.
    func submit(_ command: Command) async throws(CoordinatorError) -> CommittedAnswer

    /// Reads one transaction.
    func transaction(_ gid: Gid, consistency: Consistency) async throws(CoordinatorError) -> TransactionReading

    /// Returns as soon as the transaction's decision is applied on this node, or when the time is over, with the
    /// transaction as this node then knows it. Never throws because of the time.
    func waitForDecision(_ gid: Gid, atMost limit: Duration) async throws(CoordinatorError) -> TransactionReading

    /// Transactions of this node's applied state in order of gid, those behind `after`.
    /// - Parameters:
    ///   - state: only transactions in this state; `nil` for all.
    ///   - limit: the largest page, from 1.
    func list(state: TransactionState?, after: Gid?, limit: Int) async throws(CoordinatorError) -> TransactionPage

    /// The cluster as this node sees it; it asks the leader for what only the leader knows.
    func clusterStatus() async throws(CoordinatorError) -> ClusterStatus

    /// Lets another voter lead, and returns when it does.
    /// - Parameter target: nil for the one that is best placed.
    func transferLeadership(to target: String?) async throws(CoordinatorError) -> LeadershipAnswer

    /// Who takes part, as the leader says.
    /// - Parameter change: what to change before; returns once the change is committed. Nil: nothing.
    func members(_ change: MembershipChange?) async throws(CoordinatorError) -> MembersAnswer

    /// What operators did to the cluster: all that was done before the call.
    func notes() async throws(CoordinatorError) -> NotesReading

    /// A copy of this node's applied state, which holds everything that was acknowledged before the call.
    func backup() async throws(CoordinatorError) -> BackupSource

    /// This node alone. Never waits for another node or for the disk.
    func nodeStatus() -> NodeStatus

    /// Whether this node knows a leader, has room on its disk, and has applied everything up to its commit index.
    var isReady: Bool { get }
}

/// How fresh a read must be.
package enum Consistency: String, Sendable, CaseIterable {
    /// Sees every answer that was given to anyone before the read began.
    case linearizable
    /// This node's applied state, perhaps behind.
    case local
}

/// Why a coordinator gave no answer.
package enum CoordinatorError: Error, Hashable, Sendable {
    /// No leader was found in time; the command is certainly not in the log.
    case noLeader(retryAfter: Duration)
    /// This node has nothing applied yet, and asks another one for it: what it doesn't know may well be.
    case noState(retryAfter: Duration)
    /// The command may or may not be in the log. Sending it again is safe: the gid finds the same transaction.
    case outcomeUnknown
    /// A bounded queue is full; the command is certainly not in the log.
    case overloaded(retryAfter: Duration)
    /// This node is stopping; the command is certainly not in the log. Another node can take it.
    case stopping
    /// This node can't answer: its store is damaged or a rule inside it is broken. The text is for the log, not for
    /// clients.
    case failed(reason: String)
    /// The cluster can't do this now; the text says why. Nothing was changed.
    case refused(reason: String)
}

/// Who leads after a hand-over.
package struct LeadershipAnswer: Hashable, Sendable {
    package let before: String
    package let leader: String
    package let term: UInt64

    package init(before: String, leader: String, term: UInt64) {
        self.before = before
        self.leader = leader
        self.term = term
    }
}

/// What a committed command led to.
package struct CommittedAnswer: Sendable {
    package let result: CommandResult
    /// The transaction that the command names as it was right after the command was applied; `nil` if there is none.
    package let transaction: GlobalTransaction?
    /// Term and index of the log entry that carried the command.
    package let term: UInt64
    package let index: UInt64

    package init(result: CommandResult, transaction: GlobalTransaction?, term: UInt64, index: UInt64) {
        self.result = result
        self.transaction = transaction
        self.term = term
        self.index = index
    }
}

/// One transaction at a position of the log.
package struct TransactionReading: Sendable {
    /// `nil` if the gid is not known at this position.
    package let transaction: GlobalTransaction?
    /// The gid isn't known, and may have been before the state was restored.
    package let isForgotten: Bool
    /// A restore has left its outcome open: see `RestoreMark`.
    package let isHeld: Bool
    /// The log position at which this was true: term and index of the last applied entry.
    package let term: UInt64
    package let index: UInt64

    package init(
        transaction: GlobalTransaction?, isForgotten: Bool = false, isHeld: Bool = false, term: UInt64, index: UInt64
    ) {
        self.transaction = transaction
        self.isForgotten = isForgotten
        self.isHeld = isHeld
        self.term = term
        self.index = index
    }
}

/// What a node's applied state knows of the cluster's own past.
package struct NotesReading: Sendable {
    package let notes: ClusterNotes
    package let term: UInt64
    package let index: UInt64

    package init(notes: ClusterNotes, term: UInt64, index: UInt64) {
        self.notes = notes
        self.term = term
        self.index = index
    }
}

/// A page of transactions at a position of the log.
package struct TransactionPage: Sendable {
    package let transactions: [GlobalTransaction]
    /// Where the next page begins (`after` of the next call); `nil` behind the last page.
    package let next: Gid?
    /// What holds some of them, if it stands.
    package let mark: RestoreMark?
    package let term: UInt64
    package let index: UInt64

    package init(
        transactions: [GlobalTransaction], next: Gid?, mark: RestoreMark? = nil, term: UInt64, index: UInt64
    ) {
        self.transactions = transactions
        self.next = next
        self.mark = mark
        self.term = term
        self.index = index
    }
}
