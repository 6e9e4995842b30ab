// SPDX-License-Identifier: Apache-2.0

/// Names a proposal between the driver and the core. Unique in one life of the process.
package struct ProposalID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names a linearizable read between the driver and the core. Unique in one life of the process.
package struct ReadID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One thing that happened outside the core. The core learns of the world only through these.
package enum RaftInput: Hashable, Sendable {
    /// A message of a peer whose cluster, group, node and storage ids have been checked.
    case received(Message, from: NodeID)
    /// A connection to the peer stands; messages sent before may have been lost.
    case peerConnected(NodeID)
    /// The connection to the peer was lost. `isRefused`: a new one was refused, so that its process is gone; a mere loss
    /// may be the network's.
    case peerDisconnected(NodeID, isRefused: Bool)
    /// Append these payloads, in order, as entries of kind `command`.
    case propose(ProposalID, payloads: [[UInt8]])
    /// Find the index at which a read that arrives now is linearizable.
    case read(ReadID)
    /// Every batch through this sequence is on disk.
    case persisted(through: UInt64)
    /// Whether the disk is so full that a batch waits for room. Nothing of it is on disk, and nothing is lost: the batch
    /// follows when there is room.
    case diskFull(Bool)
    /// Applied state through this index has been synced on this node's disk: the log may let go of what is below it.
    case compact(through: LogIndex)
    /// The snapshot that `takeSnapshot` asked for is there.
    case snapshotTaken(SnapshotDescription)
    /// It could not be taken. It is asked for again when it is needed.
    case snapshotFailed
    /// The snapshot that `fetchSnapshot` asked for is on this node's disk, whole and verified.
    case snapshotReceived(SnapshotOffer)
    /// The snapshot that `installSnapshot` named is the applied state now, on disk and in memory.
    case snapshotInstalled(SnapshotOffer)
    /// Lead no more: let this voter take over, or the one that is best placed.
    case transferLeadership(to: NodeID?)
    /// Change who takes part.
    /// - `known`: storage ids and addresses that the driver has learned of members whose entry in the log doesn't name them:
    ///   the new entry does.
    case changeMembership(ProposalID, MembershipChange, known: [Member] = [])
}

/// One thing that the driver must do. Effects are carried out in the order given.
package enum RaftEffect: Hashable, Sendable {
    /// Put on disk, whole, behind every batch before it; then answer `.persisted(through:)`. Must not block the core.
    case persist(Batch)
    /// Send. What must wait for the disk was held back until it was there, so that this may go at once.
    case send(Message, to: NodeID)
    /// The proposal's entries stand in this leader's log from `first` on, in `term`. They are committed only when `apply`
    /// brings an entry of that very index and term.
    case proposalAppended(ProposalID, first: LogIndex, term: Term)
    /// The proposal was certainly not appended.
    case proposalRefused(ProposalID, leaderID: NodeID?)
    /// Committed entries, contiguous, each given once in this life of the process.
    case apply([Entry])
    /// A read that waits is linearizable once this index is applied.
    case readReady(ReadID, index: LogIndex)
    /// This node cannot (any longer) serve the read.
    case readRefused(ReadID, leaderID: NodeID?)
    /// The node's part in its term changed, or the leader it knows.
    case roleChanged(RoleSummary)
    /// An entry of this leader's own term is committed and was given to `apply`: the leader knows all that was
    /// decided before it, and may act.
    case leaderEstablished(term: Term)
    /// A follower lacks entries that the log no longer has: put the applied state as it is now into a file, without holding
    /// up anything, and answer `.snapshotTaken` or `.snapshotFailed`.
    case takeSnapshot
    /// Fetch this snapshot from the leader, piece by piece; then `.snapshotReceived`. Asked again and again for as long as it
    /// is wanted; another one takes its place.
    case fetchSnapshot(SnapshotOffer, from: NodeID)
    /// Make the received snapshot the applied state; then `.snapshotInstalled`. Until then nothing is applied, and the log
    /// doesn't change.
    case installSnapshot(SnapshotOffer)
    /// Who takes part, as this node's log says now: at the start, and when it changes.
    case membershipChanged(Membership)
    /// The log had lost entries to rot, and holds them all again: the node votes as before.
    case logRepaired(through: LogIndex)
    /// The membership was not changed.
    case membershipRefused(ProposalID, MembershipProblem)
}

/// A node's part in a term, as others may see it.
package struct RoleSummary: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable { case follower, preCandidate, candidate, leader }
    package let role: Role
    package let term: Term
    package let leaderID: NodeID?

    package init(role: Role, term: Term, leaderID: NodeID?) {
        self.role = role
        self.term = term
        self.leaderID = leaderID
    }
}
