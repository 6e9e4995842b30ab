// SPDX-License-Identifier: Apache-2.0

/// Who takes part in a cluster, as its leader says.
public struct ClusterMembers: Hashable, Sendable, Codable {
    /// Every member, in the order of their ids.
    public var members: [Member]
    /// No change is under way.
    public var settled: Bool
    /// The leader.
    public var leader: String
    /// The leader's term.
    public var term: UInt64
    /// The leader's commit index.
    public var index: UInt64
    /// The node that answered.
    public var node: String

    /// One member of the cluster.
    public struct Member: Hashable, Sendable, Codable {
        /// The node's id.
        public var id: String
        /// `voter`, `learner` (it gets the log and has no vote), `joining` or `leaving` (with the change under way).
        public var standing: String
        /// This life of its data folder, 16 hexadecimal digits; `nil` if the leader has never heard of the node.
        public var storageID: String?
        /// Where its peers find it.
        public var peerAddress: String
        /// Where its clients find it.
        public var clientAddress: String

        /// The fields' names on the wire.
        public enum CodingKeys: String, CodingKey {
            /// See the properties of the same names.
            case id, standing
            /// `storageID`.
            case storageID = "storage_id"
            /// `peerAddress`.
            case peerAddress = "peer_address"
            /// `clientAddress`.
            case clientAddress = "client_address"
        }
    }
}

/// A change of who takes part. One is under way at a time.
public enum MembersChange: Hashable, Sendable, Encodable {
    /// This node gets the log from now on, without a vote.
    case add(id: String, storageID: String, peerAddress: String, clientAddress: String)
    /// At once: these learners become voters, and these members leave.
    case change(promote: [String], remove: [String])
    /// Back to the old voters, while a change is under way.
    case goBack

    private enum Key: String, CodingKey {
        case add, promote, remove
        case goBack = "go_back"
    }

    /// As the API takes it.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .add(let id, let storageID, let peerAddress, let clientAddress):
            let member = [
                "id": id, "storage_id": storageID, "peer_address": peerAddress, "client_address": clientAddress,
            ]
            try container.encode([member], forKey: .add)
        case .change(let promote, let remove):
            if !promote.isEmpty { try container.encode(promote, forKey: .promote) }
            if !remove.isEmpty { try container.encode(remove, forKey: .remove) }
        case .goBack: try container.encode(true, forKey: .goBack)
        }
    }
}
