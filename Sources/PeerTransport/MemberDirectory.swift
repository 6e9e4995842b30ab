// SPDX-License-Identifier: Apache-2.0

package import Raft

/// Which nodes are members, and the life of each one's data folder that is believed.
///
/// A member whose storage id is `.unknown` is trusted on first use: the first id that it gives counts from then on, and
/// the node makes it durable. Another one means that the member has lost its disk. Only members that a cluster began with
/// are unknown: the log names the folder of everyone who joins later. So only a folder that the cluster began with is
/// believed in such a member's name; another one may have taken a lost one's place, by a log that has more than this node's.
package struct MemberDirectory: Hashable, Sendable {
    private var storageIDs: [NodeID: StorageID]
    /// Through which index of the log this is committed: who is missing here and has heard less was removed.
    private let committed: LogIndex

    package init(_ storageIDs: [NodeID: StorageID], committed: LogIndex = .zero) {
        self.storageIDs = storageIDs
        self.committed = committed
    }

    package enum Verdict: Hashable, Sendable {
        /// The member, with the storage id that is known.
        case known
        /// A member that was not heard of before.
        case firstUse
        /// By a log that has more than this node's, it is a member. What it asks is heard, as of any member (Raft paper,
        /// section 6); what it promises doesn't count.
        case newer
        case unknownNode
        case wrongStorage(expected: StorageID)
        /// It was a member once, and isn't at this index any more.
        case removed(at: LogIndex)
    }

    package func check(_ peer: PeerIdentity) -> Verdict {
        let expected = self.storageIDs[peer.node]
        if expected == peer.storage { return .known }
        if expected == .unknown, peer.founding != nil { return .firstUse }
        if let listing = peer.listing, listing > self.committed { return .newer }
        if expected == .unknown { return .unknownNode }
        if let expected { return .wrongStorage(expected: expected) }
        return peer.listing == nil || self.committed == .zero ? .unknownNode : .removed(at: self.committed)
    }

    /// Why the peer isn't talked to; nil if it is.
    func refusal(of peer: PeerIdentity) -> Refusal? {
        switch self.check(peer) {
        case .known, .firstUse, .newer: nil
        case .unknownNode: .unknownNode(peer.node)
        case .wrongStorage(let expected): .wrongStorage(peer.node, expected: expected, given: peer.storage)
        case .removed(let index): .removed(peer.node, at: index)
        }
    }

    /// Whether what the peer says about its disk counts.
    func counts(_ peer: PeerIdentity) -> Bool { self.storageIDs[peer.node] == peer.storage }

    /// Holds to the id from now on. A member whose id is known already keeps it.
    package mutating func learn(_ storage: StorageID, of node: NodeID) {
        guard self.storageIDs[node] == .unknown else { return }
        self.storageIDs[node] = storage
    }

    /// The same without one node: a node is no peer of its own.
    func removing(_ node: NodeID) -> MemberDirectory {
        var directory = self
        directory.storageIDs[node] = nil
        return directory
    }

    package func storageID(of node: NodeID) -> StorageID? { self.storageIDs[node] }
}
