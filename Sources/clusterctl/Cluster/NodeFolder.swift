// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Glibc
import RaftStore

/// Whether a node has a data folder, found by the names in it alone: the node itself judges what they hold.
enum NodeFolder {
    static func isInitialised(_ node: ClusterConfiguration.Node) -> Bool {
        func exists(_ name: String) -> Bool { access(FilePath.join(node.data, name), F_OK) == 0 }
        guard !exists(DataFolder.Names.unfinished) else { return false }
        return exists(DataFolder.Names.database) || exists(DataFolder.Names.mark)
    }

    /// Whether a process runs on the folder, which it locks then. Asked only of a folder on which none is about to start:
    /// the look takes the lock for an instant.
    static func isHeld(_ node: ClusterConfiguration.Node) -> Bool {
        let descriptor = open(FilePath.join(node.data, DataFolder.Names.lock), O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }

    /// The id of the cluster whose node the folder holds; `nil` if the folder doesn't tell.
    static func clusterID(of node: ClusterConfiguration.Node) -> String? {
        guard case .initialised(let identity, _, _)? = try? DataFolder.inspect(path: node.data) else { return nil }
        return identity.clusterID.hex
    }
}
