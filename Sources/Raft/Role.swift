// SPDX-License-Identifier: Apache-2.0

/// A node's part in its term. What only one part knows lives in its case.
enum Role: Hashable, Sendable {
    /// Next: preCandidate, when it hears of no leader.
    case follower(leaderID: NodeID?)
    /// Asks whether it would win, without a new term (Ongaro's thesis, section 9.6). Next: candidate or follower.
    case preCandidate(granted: Set<NodeID>)
    /// Next: leader or follower.
    case candidate(granted: Set<NodeID>)
    /// Next: follower.
    case leader(LeaderState)

    var name: RoleSummary.Role {
        switch self {
        case .follower: .follower
        case .preCandidate: .preCandidate
        case .candidate: .candidate
        case .leader: .leader
        }
    }
}

/// What only a leader knows.
struct LeaderState: Hashable, Sendable {
    /// Of every peer, in the order of `RaftCore.peers`.
    var progress: [Progress]
    /// The index of the entry that this leader appended first.
    let firstIndex: LogIndex
    /// That entry is committed and was given to the state machine.
    var isEstablished = false
    var heartbeatDeadline: Instant
    var quorumDeadline: Instant
    var reads = ReadRounds()
    /// Bytes of payload behind commitIndex.
    var uncommittedBytes = 0
    /// The latest snapshot, for followers that lack entries.
    var snapshot: SnapshotOffer?
    /// One was asked for and isn't there yet.
    var isTakingSnapshot = false
    /// The leadership is being handed over.
    var transfer: Transfer?

    /// A leader on its way out takes no proposals, so that its successor can have the whole log.
    struct Transfer: Hashable, Sendable {
        let target: NodeID
        /// When the leader gives up, and goes on as before.
        let deadline: Instant
        var isTold = false
    }
}
