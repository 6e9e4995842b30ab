// SPDX-License-Identifier: Apache-2.0

/// The protocol that a transaction follows. The raw value is its byte in the log.
package enum TransactionKind: UInt8, CaseIterable, Hashable, Sendable {
    case saga = 1
    case tcc = 2

    /// The word for it in the API.
    package var name: String {
        switch self {
        case .saga: "saga"
        case .tcc: "tcc"
        }
    }
}

/// Which way a transaction ends. Set once, by the first entry of the log that decides it, and never changed.
package enum Decision: UInt8, CaseIterable, Hashable, Sendable {
    case commit = 1
    case abort = 2

    /// The outcome as the API tells it.
    package var outcomeName: String {
        switch self {
        case .commit: "committed"
        case .abort: "aborted"
        }
    }
}

/// How far a transaction has come. The raw value is its byte on disk.
package enum TransactionState: UInt8, CaseIterable, Hashable, Sendable {
    /// Begun; branches may register. Next: running, committing, aborting, committed, aborted.
    case open = 1
    /// Actions or tries are being called; undecided. Next: committing, aborting, committed, aborted.
    case running = 2
    /// Decided; participants are being told. Next: committed.
    case committing = 3
    /// Decided; participants are being told. Next: aborted.
    case aborting = 4
    /// Finished.
    case committed = 5
    /// Finished.
    case aborted = 6

    package var isFinished: Bool {
        switch self {
        case .open, .running, .committing, .aborting: false
        case .committed, .aborted: true
        }
    }

    /// The word for it in the API.
    package var name: String {
        switch self {
        case .open: "open"
        case .running: "running"
        case .committing: "committing"
        case .aborting: "aborting"
        case .committed: "committed"
        case .aborted: "aborted"
        }
    }
}

/// How a transaction came to be: in one request, or begun and then filled branch by branch.
package enum Origin: UInt8, CaseIterable, Hashable, Sendable {
    case submitted = 1
    case begun = 2
}

/// A global transaction: what was asked for, what has been decided, and how far each branch is.
///
/// A value without behaviour; only `TransactionMachine` changes it. Once finished it never changes again.
package struct GlobalTransaction: Hashable, Sendable {
    package let gid: Gid
    package let kind: TransactionKind
    package let origin: Origin
    /// A saga whose actions are all called at once; `false` for other kinds.
    package let isConcurrent: Bool
    package let timeoutMilliseconds: UInt64
    package let createdAt: LogTime
    /// The entry of the log that accepted it.
    package let acceptedIndex: UInt64
    /// Its place among the commands of that entry. With `acceptedIndex` it gives the order of acceptance.
    package let acceptedOrdinal: UInt32
    /// From this log time on, a deadline in the log aborts it if it is still undecided.
    package internal(set) var deadline: LogTime
    package internal(set) var state: TransactionState
    package internal(set) var decision: Decision?
    /// Why it was aborted, in plain words. At most `Limits.textLength` bytes.
    package internal(set) var reason: String?
    package internal(set) var decidedAt: LogTime?
    package internal(set) var finishedAt: LogTime?
    /// The entry of the log that finished it.
    package internal(set) var finishedIndex: UInt64?
    /// In the order given or registered, which is the order of a saga's steps.
    package internal(set) var branches: [Branch]
    /// Oldest first; at most `Limits.historyLength(branches:)` events.
    package internal(set) var history: [HistoryEvent]

    /// The entry of the log that decided it.
    package var decidedIndex: UInt64? {
        guard self.decision != nil else { return nil }
        return self.history.last { $0.kind == .decidedCommit || $0.kind == .decidedAbort }?.index
    }

    /// The entry by which an operator let it go on after a restore.
    package var releasedIndex: UInt64? { self.history.last { $0.kind == .released }?.index }

    /// Whether any branch has a call due.
    package var hasCallsDue: Bool { self.branches.contains { $0.state.dueOperation != nil } }

    /// Whether this one was accepted before the other.
    package func isAccepted(before other: GlobalTransaction) -> Bool {
        (self.acceptedIndex, self.acceptedOrdinal) < (other.acceptedIndex, other.acceptedOrdinal)
    }

    /// Whether state, decision, times and branches fit together. Always true of what the machine makes; a stored
    /// transaction of which it isn't true is not believed.
    package var isConsistent: Bool {
        let expected: Decision?
        switch self.state {
        case .open, .running: expected = nil
        case .committing, .committed: expected = .commit
        case .aborting, .aborted: expected = .abort
        }
        let planner = self.kind.planner
        return self.decision == expected
            && (self.decidedAt != nil) == (expected != nil)
            && (self.finishedAt != nil) == self.state.isFinished
            && (self.finishedIndex != nil) == self.state.isFinished
            && self.hasCallsDue == (self.state != .open && !self.state.isFinished)
            && self.branches.allSatisfy { planner.isPossible($0.state, in: self.state) }
    }

    func position(of branchID: BranchID) -> Int? {
        self.branches.firstIndex { $0.spec.id == branchID }
    }
}
