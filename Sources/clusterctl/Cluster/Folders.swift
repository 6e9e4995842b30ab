// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Glibc
import RaftStore

/// Folders that files of a node lie in.
enum Folders {
    /// Creates the folders above a path, if there are none.
    static func makeParents(of path: String) throws(StoreError) {
        let parent = FilePath.folder(of: path)
        guard parent != "/", parent != ".", access(parent, F_OK) != 0 else { return }
        try Self.makeParents(of: parent)
        guard mkdir(parent, 0o755) == 0 || errno == EEXIST else {
            throw .io(errno: errno, call: "mkdir", path: parent)
        }
    }
}
