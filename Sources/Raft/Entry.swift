// SPDX-License-Identifier: Apache-2.0

/// One record of the replicated log (Raft paper, section 5.3).
package struct Entry: Hashable, Sendable {
    /// What an entry is for. The raw value is its byte on the wire and on disk.
    package enum Kind: UInt8, Hashable, Sendable {
        /// Appended by a new leader so that it can commit what it found (Raft paper, section 8). Its payload is empty.
        case leaderStart = 0
        /// A command of the state machine. Raft never looks into its payload.
        case command = 1
    }

    package let index: LogIndex
    package let term: Term
    package let kind: Kind
    package let payload: [UInt8]

    package init(index: LogIndex, term: Term, kind: Kind, payload: [UInt8]) {
        self.index = index
        self.term = term
        self.kind = kind
        self.payload = payload
    }

    /// The longest payload, in bytes: a transaction at its limits fits, and one frame holds it.
    package static let maximumPayloadLength = 4 << 20
}

/// What a node must not forget over a restart beside its log (Raft paper, figure 2).
package struct HardState: Hashable, Sendable {
    package var currentTerm: Term
    package var votedFor: NodeID?

    package init(currentTerm: Term, votedFor: NodeID?) {
        self.currentTerm = currentTerm
        self.votedFor = votedFor
    }

    /// The state of a node that has just been initialised.
    package static let initial = HardState(currentTerm: .zero, votedFor: nil)
}

/// One atomic change of the durable log: it is on disk whole or not at all.
///
/// Carried out in this order: entries from `truncateFrom` on are removed, `entries` are appended, `hardState` is set.
package struct Batch: Hashable, Sendable {
    /// Counts a node's batches from 1 in this life of the process. The answer, `RaftInput.persisted`, names it.
    package let sequence: UInt64
    /// The term and the vote; always given, so that each batch is complete in itself.
    package let hardState: HardState
    /// Where the conflicting tail begins, if there is one (Raft paper, section 5.3).
    package let truncateFrom: LogIndex?
    /// Contiguous; begins behind what the log holds after the truncation.
    package let entries: [Entry]

    package init(sequence: UInt64, hardState: HardState, truncateFrom: LogIndex?, entries: [Entry]) {
        self.sequence = sequence
        self.hardState = hardState
        self.truncateFrom = truncateFrom
        self.entries = entries
    }
}
