// SPDX-License-Identifier: Apache-2.0

/// This node with this life of its data folder, as memberships may name it.
struct OwnLife: Hashable, Sendable {
    let nodeID: NodeID
    let storageID: StorageID
    /// The group began with this very folder. Only then does a member of its name whose life isn't known mean this node: a
    /// folder that joined later is named exactly, and the log that it is sent may still name the life that was lost. Taken
    /// for that one it would vote for what it has never promised.
    let isFounder: Bool

    func isNamed(by member: Member) -> Bool {
        guard self.nodeID == member.nodeID else { return false }
        return self.storageID == member.storageID || self.storageID == .unknown
            || (self.isFounder && member.storageID == .unknown)
    }
}
