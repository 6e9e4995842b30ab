// SPDX-License-Identifier: Apache-2.0

/// What a node takes part as.
public struct NodeRole: RawRepresentable, Hashable, Sendable, Codable {
    /// The name on the wire.
    public let rawValue: String
    /// A role by its name on the wire.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Proposes entries.
    public static let leader = NodeRole(rawValue: "leader")
    /// Takes entries from the leader.
    public static let follower = NodeRole(rawValue: "follower")
    /// Asks for votes.
    public static let candidate = NodeRole(rawValue: "candidate")
    /// The answering node can't tell.
    public static let unknown = NodeRole(rawValue: "unknown")
}

/// The cluster as one node sees it.
public struct ClusterStatus: Hashable, Sendable, Codable {
    /// The cluster's id.
    public var clusterID: String
    /// The node that answered.
    public var node: String
    /// The leader, if the node knows one.
    public var leader: String?
    /// The node's current term.
    public var term: UInt64
    /// All members, the answering one included.
    public var nodes: [Member]

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case node, leader, term, nodes
        /// `clusterID`.
        case clusterID = "cluster_id"
    }

    /// One member of the cluster.
    public struct Member: Hashable, Sendable, Codable {
        /// The node's id.
        public var id: String
        /// What it takes part as.
        public var role: NodeRole
        /// Where it serves clients.
        public var clientAddress: String?
        /// Where it serves its peers.
        public var peerAddress: String?
        /// `voter`, `learner`, `joining` or `leaving`. `nil` if the answering node doesn't say.
        public var standing: String?
        /// The highest index that it knows to be committed.
        public var commitIndex: UInt64?
        /// The highest index that it has applied.
        public var appliedIndex: UInt64?
        /// The highest index of its log.
        public var lastIndex: UInt64?
        /// The highest index that the leader knows to be on its disk.
        public var matchIndex: UInt64?
        /// Entries that it is behind the leader.
        public var lag: UInt64?
        /// Whether the answering node has a connection to it.
        public var reachable: Bool?
        /// Since when it has this role.
        public var since: Timestamp?

        /// The fields' names on the wire.
        public enum CodingKeys: String, CodingKey {
            /// See the properties of the same names.
            case id, role, standing, lag, reachable, since
            /// `clientAddress`.
            case clientAddress = "client_address"
            /// `peerAddress`.
            case peerAddress = "peer_address"
            /// `commitIndex`.
            case commitIndex = "commit_index"
            /// `appliedIndex`.
            case appliedIndex = "applied_index"
            /// `lastIndex`.
            case lastIndex = "last_index"
            /// `matchIndex`.
            case matchIndex = "match_index"
        }
    }
}

/// One node about itself. It answers this without asking anyone, so also when it stands alone.
public struct NodeStatus: Hashable, Sendable, Codable {
    /// The cluster's id.
    public var clusterID: String
    /// The node's id.
    public var node: String
    /// The id of its process.
    public var pid: Int32
    /// What it takes part as.
    public var role: NodeRole
    /// Its current term.
    public var term: UInt64
    /// The leader, if it knows one.
    public var leader: String?
    /// The highest index that it knows to be committed.
    public var commitIndex: UInt64
    /// The highest index that it has applied.
    public var appliedIndex: UInt64
    /// The highest index of its log.
    public var lastIndex: UInt64
    /// The highest index that is synced to its disk.
    public var durableIndex: UInt64
    /// The first entry that the node's log still holds; what is before it stands in its applied state. `nil` if the node
    /// doesn't say.
    public var firstIndex: UInt64?
    /// Transactions that are not finished.
    public var liveTransactions: Int
    /// The format of log, state and messages that the cluster uses, as far as the node has applied it. `nil` if the node
    /// doesn't say.
    public var format: Int?
    /// The newest format that the node's program knows. `nil` if the node doesn't say.
    public var knownFormat: Int?
    /// Since when it has this role.
    public var since: Timestamp?
    /// When its process started.
    public var startedAt: Timestamp
    /// The program's version.
    public var version: String

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case node, pid, role, term, leader, format, since, version
        /// `clusterID`.
        case clusterID = "cluster_id"
        /// `commitIndex`.
        case commitIndex = "commit_index"
        /// `appliedIndex`.
        case appliedIndex = "applied_index"
        /// `lastIndex`.
        case lastIndex = "last_index"
        /// `durableIndex`.
        case durableIndex = "durable_index"
        /// `firstIndex`.
        case firstIndex = "first_index"
        /// `knownFormat`.
        case knownFormat = "known_format"
        /// `liveTransactions`.
        case liveTransactions = "live_transactions"
        /// `startedAt`.
        case startedAt = "started_at"
    }
}
