// SPDX-License-Identifier: Apache-2.0

/// A transaction as a node knew it at one position of the log.
public struct Transaction: Hashable, Sendable, Codable {
    /// The transaction's id.
    public var gid: String
    /// How the outcome is reached.
    public var `protocol`: TransactionProtocol
    /// How far it is.
    public var state: TransactionState
    /// What was decided; `nil` while nothing is, or while it is held. Once set it never changes.
    public var outcome: Outcome?
    /// True while a restore has left its outcome open: see `CoordinatorClient.release`.
    public var held: Bool?
    /// What the log that was left over says of the outcome of a held one: it may never have been a majority's.
    public var recordedOutcome: Outcome?
    /// Why it was aborted, or is not done yet.
    public var reason: String?
    /// Milliseconds from `createdAt` to `deadline`.
    public var timeoutMilliseconds: Int
    /// A saga whose actions are all called at once.
    public var concurrent: Bool
    /// When it was recorded.
    public var createdAt: Timestamp
    /// When it is aborted if nothing is decided.
    public var deadline: Timestamp
    /// When the outcome was decided.
    public var decidedAt: Timestamp?
    /// When every branch had acknowledged the outcome.
    public var finishedAt: Timestamp?
    /// The branches, in the order in which they were given.
    public var branches: [BranchStatus]
    /// What happened, oldest first.
    public var history: [TransactionEvent]
    /// The node that answered.
    public var node: String
    /// Term of the log position at which this answer was true.
    public var term: UInt64
    /// Index of the log position at which this answer was true.
    public var index: UInt64

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case gid, `protocol`, state, outcome, held, reason, concurrent, deadline, branches, history, node, term, index
        /// `timeoutMilliseconds`.
        case timeoutMilliseconds = "timeout_ms"
        /// `recordedOutcome`.
        case recordedOutcome = "recorded_outcome"
        /// `createdAt`.
        case createdAt = "created_at"
        /// `decidedAt`.
        case decidedAt = "decided_at"
        /// `finishedAt`.
        case finishedAt = "finished_at"
    }
}

/// How far one branch is.
public struct BranchStatus: Hashable, Sendable, Codable {
    /// The branch's id within its transaction.
    public var id: String
    /// How far it is.
    public var state: BranchState
    /// The operation that is due next; `nil` if none is.
    public var operation: String?
    /// How often that operation has been called.
    public var attempts: Int
    /// Why its last call did not succeed.
    public var lastError: String?
    /// The URLs by operation.
    public var urls: [String: String]

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case id, state, operation, attempts, urls
        /// `lastError`.
        case lastError = "last_error"
    }
}

/// One thing that happened to a transaction.
public struct TransactionEvent: Hashable, Sendable, Codable {
    /// When, in log time.
    public var time: Timestamp
    /// Index of the log entry that recorded it.
    public var index: UInt64
    /// What happened.
    public var event: String
    /// The branch it happened to, if one.
    public var branch: String?
    /// What that branch was called for.
    public var operation: String?
    /// How often it had been called for that.
    public var attempts: Int?
    /// More about it.
    public var detail: String?
}

/// A transaction in a list, without branches and history.
public struct TransactionSummary: Hashable, Sendable, Codable {
    /// The transaction's id.
    public var gid: String
    /// How the outcome is reached.
    public var `protocol`: TransactionProtocol
    /// How far it is.
    public var state: TransactionState
    /// What was decided; `nil` while nothing is, or while it is held.
    public var outcome: Outcome?
    /// True while a restore has left its outcome open: see `CoordinatorClient.release`.
    public var held: Bool?
    /// What the log that was left over says of the outcome of a held one: it may never have been a majority's.
    public var recordedOutcome: Outcome?
    /// Why it was aborted, or is not done yet.
    public var reason: String?
    /// When it was recorded.
    public var createdAt: Timestamp
    /// When it is aborted if nothing is decided.
    public var deadline: Timestamp
    /// When the outcome was decided.
    public var decidedAt: Timestamp?
    /// When every branch had acknowledged the outcome.
    public var finishedAt: Timestamp?

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case gid, `protocol`, state, outcome, held, reason, deadline
        /// `recordedOutcome`.
        case recordedOutcome = "recorded_outcome"
        /// `createdAt`.
        case createdAt = "created_at"
        /// `decidedAt`.
        case decidedAt = "decided_at"
        /// `finishedAt`.
        case finishedAt = "finished_at"
    }
}

/// One page of the transactions that a node has applied.
public struct TransactionList: Hashable, Sendable, Codable {
    /// At most as many as were asked for.
    public var transactions: [TransactionSummary]
    /// Ask for the next page with this as `after`; `nil` at the end.
    public var next: String?
    /// The node that answered.
    public var node: String
    /// Term of the log position at which this answer was true.
    public var term: UInt64
    /// Index of the log position at which this answer was true.
    public var index: UInt64
}
