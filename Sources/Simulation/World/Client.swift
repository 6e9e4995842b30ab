// SPDX-License-Identifier: Apache-2.0

import Raft

/// One question of a client, as it travels: the answer names it, so that a late answer to an earlier try is not taken
/// for one to a later try.
struct Request: Hashable, Sendable {
    enum Operation: Hashable, Sendable {
        case write(RegisterWrite)
        /// `floor` is what the read must at least show; only the judge looks at it.
        case read(floor: LogIndex)
    }
    let client: Int
    /// Counts the client's tries.
    let attempt: UInt64
    let operation: Operation
}

enum Answer: Hashable, Sendable {
    /// The write is applied at this index.
    case written(LogIndex)
    /// The state as of this index.
    case state(LogIndex)
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
}
