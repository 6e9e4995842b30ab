// SPDX-License-Identifier: Apache-2.0

package import Bytes
package import Raft

/// Who a node is: its cluster, its name, and this life of its data folder.
package struct PeerIdentity: Hashable, Sendable {
    package let cluster: ClusterID
    package let node: NodeID
    /// Never `.unknown`.
    package let storage: StorageID
    /// Through which index of its log the node is known to take part, as `RaftCore.listing`. So one whose log is older can
    /// tell a member that it doesn't know yet from one that was removed.
    package var listing: LogIndex?
    /// Names the state that the cluster began with, if it began with this folder; nil if the folder joined later.
    package let founding: UInt64?
    /// The newest format that its program knows.
    package let knows: FormatLevel
    /// The one that its cluster uses, by what it has applied.
    package var uses: FormatLevel

    package init(
        cluster: ClusterID, node: NodeID, storage: StorageID, listing: LogIndex? = nil, founding: UInt64? = nil,
        knows: FormatLevel = .newest, uses: FormatLevel = .first
    ) {
        self.founding = founding
        self.knows = knows
        self.uses = uses
        self.cluster = cluster
        self.node = node
        self.storage = storage
        self.listing = listing
    }
}

/// Where a peer listens.
package struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an IP address without brackets. A name is resolved at every connect: addresses may change.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
