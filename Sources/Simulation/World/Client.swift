// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// One question of a client, as it travels: the answer names it, so that a late answer to an earlier try is not taken
/// for one to a later try.
struct Request: Hashable, Sendable {
    enum Operation: Hashable, Sendable {
        case write(RegisterWrite)
        /// `floor` is what the read must at least show; only the judge looks at it.
        case read(floor: LogIndex)
        case command(Command)
        case outcome(OutcomeQuestion)
    }
    let client: Int
    /// Counts the client's tries.
    let attempt: UInt64
    let operation: Operation
}

/// What has become of a transaction?
struct OutcomeQuestion: Hashable, Sendable {
    let gid: Gid
    /// Any node answers from what it has applied, however little that is.
    let isLocal: Bool
    /// What the answer must at least show, and whether the transaction must be known; only the judge looks at these.
    let floor: LogIndex
    let wasAcknowledged: Bool
}

enum Answer: Hashable, Sendable {
    /// The write is applied at this index.
    case written(LogIndex)
    /// The state as of this index.
    case state(LogIndex)
    /// What became of a command, applied at this index.
    case result(CommandResult, LogIndex)
    /// What the node knows of a transaction was told, as of this index.
    case outcome(LogIndex)
    /// Certainly not done; the node may know who leads.
    case refused(leader: Int?)
    /// Perhaps done.
    case unknown
}

/// A client does one thing at a time, tries again elsewhere when it gets no answer, and sometimes gives up: what it left
/// open may still happen.
struct Client: Sendable {
    let number: Int
    var sequence: UInt64 = 0
    var attempt: UInt64 = 0
    var current: Request?
    /// The node that it believes to lead.
    var leaderHint: Int
    var triesLeft = 0
    /// Of a client of transactions; nil for one of the register.
    var transactions: TransactionWork?
}
