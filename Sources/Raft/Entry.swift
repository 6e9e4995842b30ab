// SPDX-License-Identifier: Apache-2.0

/// One record of the replicated log (Raft paper, section 5.3).
package struct Entry: Hashable, Sendable {
    /// What an entry is for. The raw value is its byte on the wire and on disk.
    package enum Kind: UInt8, Hashable, Sendable {
        /// Appended by a new leader so that it can commit what it found (Raft paper, section 8). Its payload is empty.
        case leaderStart = 0
        /// A command of the state machine. Raft never looks into its payload.
        case command = 1
        /// Who takes part from this entry on (Raft paper, section 6). Its payload is `MembershipCodec`'s.
        case membership = 2
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

    /// The membership that the entry names; nil if it is of another kind, or can't be read.
    var membership: Membership? {
        guard self.kind == .membership else { return nil }
        return try? MembershipCodec.decode(self.payload)
    }

    /// Raft can read what of it is Raft's.
    var isReadable: Bool { self.kind != .membership || self.membership != nil }

    /// The longest payload, in bytes: a transaction at its limits fits, and one frame holds it.
    package static let maximumPayloadLength = 4 << 20
}

/// What a node must not forget over a restart beside its log (Raft paper, figure 2).
package struct HardState: Hashable, Sendable {
    package var currentTerm: Term
    package var votedFor: NodeID?
    /// How often this node's log has lost entries to rot: what it acknowledged before the last time says nothing any more.
    package var losses: UInt64
    /// The last loss isn't made good yet: see `RepairTarget`.
    package var isRepairing: Bool

    package init(currentTerm: Term, votedFor: NodeID?, losses: UInt64 = 0, isRepairing: Bool = false) {
        self.currentTerm = currentTerm
        self.votedFor = votedFor
        self.losses = losses
        self.isRepairing = isRepairing
    }

    /// The same node's, with another vote.
    func voting(for candidate: NodeID?, in term: Term) -> HardState {
        HardState(currentTerm: term, votedFor: candidate, losses: self.losses, isRepairing: self.isRepairing)
    }

    /// The same node's, once its log has lost entries.
    func losingEntries() -> HardState {
        HardState(currentTerm: self.currentTerm, votedFor: self.votedFor, losses: self.losses + 1, isRepairing: true)
    }

    /// The state of a node that has just been initialised.
    package static let initial = HardState(currentTerm: .zero, votedFor: nil)
}

/// One atomic change of the durable log: it is on disk whole or not at all.
///
/// Carried out in this order: the log begins at `base`, entries from `truncateFrom` on are removed, `entries` are appended,
/// `hardState` is set.
package struct Batch: Hashable, Sendable {
    /// Counts a node's batches from 1 in this life of the process. The answer, `RaftInput.persisted`, names it.
    package let sequence: UInt64
    /// The term and the vote; always given, so that each batch is complete in itself.
    package let hardState: HardState
    /// Where the log begins from now on, if that changes. What a row of entries holds below it may stay for as long as the
    /// row holds others.
    package let base: LogBase?
    /// Where the conflicting tail begins, if there is one (Raft paper, section 5.3).
    package let truncateFrom: LogIndex?
    /// Contiguous; begins behind what the log holds after the truncation.
    package let entries: [Entry]

    package init(
        sequence: UInt64, hardState: HardState, base: LogBase? = nil, truncateFrom: LogIndex?, entries: [Entry]
    ) {
        self.sequence = sequence
        self.hardState = hardState
        self.base = base
        self.truncateFrom = truncateFrom
        self.entries = entries
    }
}
