// SPDX-License-Identifier: Apache-2.0

package import Raft

/// Which nodes are members, and the life of each one's data folder that is believed.
///
/// A member whose storage id is `.unknown` is trusted on first use: the first id that it gives counts from then on, and
/// the node makes it durable. Another one means that the member has lost its disk.
package struct MemberDirectory: Hashable, Sendable {
    private var storageIDs: [NodeID: StorageID]

    package init(_ storageIDs: [NodeID: StorageID]) {
        self.storageIDs = storageIDs
    }

    package enum Verdict: Hashable, Sendable {
        /// The member, with the storage id that is known.
        case known
        /// A member that was not heard of before.
        case firstUse
        case unknownNode
        case wrongStorage(expected: StorageID)
    }

    package func check(_ node: NodeID, storage: StorageID) -> Verdict {
        switch self.storageIDs[node] {
        case .none: .unknownNode
        case .some(.unknown): .firstUse
        case .some(storage): .known
        case .some(let expected): .wrongStorage(expected: expected)
        }
    }

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
