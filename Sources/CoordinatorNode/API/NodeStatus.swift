// SPDX-License-Identifier: Apache-2.0

/// What a node does in its cluster, as another node or it itself sees it.
package enum NodeRole: String, Sendable, CaseIterable {
    case leader
    case follower
    case candidate
    /// Nothing has been heard of the node.
    case unknown
}

/// One node, by its own word. Indexes are positions in the log; times are milliseconds since 1970 by the node's clock.
package struct NodeStatus: Sendable {
    /// 32 hexadecimal digits.
    package var clusterID: String
    package var node: String
    package var processID: Int32
    package var role: NodeRole
    package var term: UInt64
    /// The leader of `term` as far as this node knows.
    package var leader: String?
    package var commitIndex: UInt64
    package var appliedIndex: UInt64
    package var lastIndex: UInt64
    /// The last entry that is synced on this node's disk.
    package var durableIndex: UInt64
    /// The first entry that this node's log still holds; what is before it stands in the applied state.
    package var firstIndex: UInt64 = 1
    /// Transactions that are not finished, or finished and not yet archived.
    package var liveTransactions: Int
    /// The format that the cluster uses, as far as the node has applied it.
    package var format: UInt32 = 1
    /// The newest that the node's program knows.
    package var knownFormat: UInt32 = 1
    /// Since when the node has had its role.
    package var since: UInt64
    package var startedAt: UInt64
    package var version: String

    package init(
        clusterID: String, node: String, processID: Int32, role: NodeRole, term: UInt64, leader: String?,
        commitIndex: UInt64, appliedIndex: UInt64, lastIndex: UInt64, durableIndex: UInt64, liveTransactions: Int,
        since: UInt64, startedAt: UInt64, version: String
    ) {
        self.clusterID = clusterID
        self.node = node
        self.processID = processID
        self.role = role
        self.term = term
        self.leader = leader
        self.commitIndex = commitIndex
        self.appliedIndex = appliedIndex
        self.lastIndex = lastIndex
        self.durableIndex = durableIndex
        self.liveTransactions = liveTransactions
        self.since = since
        self.startedAt = startedAt
        self.version = version
    }
}

/// The cluster as one node sees it.
package struct ClusterStatus: Sendable {
    /// 32 hexadecimal digits.
    package var clusterID: String
    /// The node that gives this view.
    package var node: String
    package var leader: String?
    package var term: UInt64
    /// Every configured member, in order of its id.
    package var nodes: [MemberStatus]

    package init(clusterID: String, node: String, leader: String?, term: UInt64, nodes: [MemberStatus]) {
        self.clusterID = clusterID
        self.node = node
        self.leader = leader
        self.term = term
        self.nodes = nodes
    }
}

/// How much a member counts.
package enum MemberStanding: String, Sendable, CaseIterable {
    case voter
    /// It gets the log and has no vote.
    case learner
    /// It becomes a voter with the change that is under way.
    case joining
    /// It leaves with the change that is under way.
    case leaving
}

/// One member of a `ClusterStatus`. What isn't known of it is `nil`.
package struct MemberStatus: Sendable {
    package var id: String
    package var role: NodeRole
    package var clientAddress: String
    package var peerAddress: String
    package var standing: MemberStanding
    package var commitIndex: UInt64?
    package var appliedIndex: UInt64?
    package var lastIndex: UInt64?
    /// The last entry that the leader knows to be synced on this member.
    package var matchIndex: UInt64?
    /// Committed entries that this member has not yet applied.
    package var lag: UInt64?
    package var reachable: Bool
    /// Since when the member has had its role, in milliseconds since 1970.
    package var since: UInt64?

    package init(
        id: String, role: NodeRole, clientAddress: String, peerAddress: String, standing: MemberStanding = .voter,
        commitIndex: UInt64?, appliedIndex: UInt64?, lastIndex: UInt64?, matchIndex: UInt64?, lag: UInt64?,
        reachable: Bool, since: UInt64?
    ) {
        self.id = id
        self.role = role
        self.clientAddress = clientAddress
        self.peerAddress = peerAddress
        self.standing = standing
        self.commitIndex = commitIndex
        self.appliedIndex = appliedIndex
        self.lastIndex = lastIndex
        self.matchIndex = matchIndex
        self.lag = lag
        self.reachable = reachable
        self.since = since
    }
}
