// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Foundation
import Glibc
import RaftStore

/// Folders that files of a node lie in.
enum Folders {
    static func make(_ path: String) throws(StoreError) {
        guard mkdir(path, 0o700) == 0 else { throw .io(errno: errno, call: "mkdir", path: path) }
    }

    /// Gives a folder another name, and syncs the one that it is in.
    static func rename(_ path: String, to name: String) throws(StoreError) {
        guard Glibc.rename(path, name) == 0 else { throw .io(errno: errno, call: "rename", path: path) }
        try Self.syncParent(of: name)
    }

    /// Gives a file the name under which it is looked for, unless something has that name, and syncs the folder.
    static func publish(_ path: String, as name: String) throws(StoreError) {
        guard link(path, name) == 0, unlink(path) == 0 else { throw .io(errno: errno, call: "link", path: name) }
        try Self.syncParent(of: name)
    }

    /// Writes a line into a file of its own, for good.
    static func note(_ line: String, in path: String) throws(StoreError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .io(errno: errno, call: "open", path: path) }
        defer { close(descriptor) }
        let bytes = Array(line.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw .io(errno: errno, call: "write", path: path)
        }
        guard fsync(descriptor) == 0 else { throw .io(errno: errno, call: "fsync", path: path) }
        try Self.syncParent(of: path)
    }

    /// Such a line; nil if there is none.
    static func note(in path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    private static func syncParent(of name: String) throws(StoreError) {
        let parent = FilePath.folder(of: name)
        let descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(errno: errno, call: "open", path: parent) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .io(errno: errno, call: "fsync", path: parent) }
    }

    /// Removes a folder with everything in it; nothing happens if there is none.
    static func remove(_ path: String) throws(StoreError) {
        do {
            guard access(path, F_OK) == 0 else { return }
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw .notInitialised(path: path, detail: "it can't be removed: \(error)")
        }
    }

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
