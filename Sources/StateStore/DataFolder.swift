// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What SQLite doesn't do for a database's folder: private files, and syncs whose errors show.
enum DataFolder {
    /// Creates an empty file that only its owner may read and write, unless there is a file already. SQLite gives the
    /// files that it puts beside it the same mode.
    ///
    /// A file that is too short for any database is damaged; SQLite would take some such for a new one.
    static func createPrivateFile(_ path: String) throws(StateStoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path, "create") }
        defer { close(descriptor) }
        let length = lseek(descriptor, 0, SEEK_END)
        guard length >= 0 else { throw Self.failure(path, "seek") }
        guard length == 0 || length >= Self.shortestDatabase else {
            throw .rot(path: path, table: "?", row: "?", reason: "the file has only \(length) bytes")
        }
    }

    /// Bytes of the smallest page that SQLite knows.
    private static let shortestDatabase = 512

    /// Gives a database another name, with the files that SQLite keeps beside it, and syncs the folder. What has that name
    /// is replaced.
    static func rename(_ path: String, to newPath: String) throws(StateStoreError) {
        for suffix in ["-wal", "-shm", ""] {
            unlink(newPath + suffix)
            guard systemRename(path + suffix, newPath + suffix) == 0 || errno == ENOENT else {
                throw Self.failure(path + suffix, "rename")
            }
        }
        try Self.syncFolder(of: path)
    }

    /// Lets a database that is closed, and whose WAL is empty, take the place of another closed one with an empty WAL: at
    /// once, or not at all.
    static func replace(_ path: String, with newer: String) throws(StateStoreError) {
        for suffix in ["-wal", "-shm"] {
            for name in [path, newer] {
                guard unlink(name + suffix) == 0 || errno == ENOENT else { throw Self.failure(name + suffix, "remove") }
            }
        }
        guard systemRename(newer, path) == 0 else { throw Self.failure(newer, "rename") }
        try Self.syncFolder(of: path)
    }

    /// The path, or the path and a number, that nothing has yet.
    static func unused(_ path: String) -> String {
        var (name, number) = (path, 1)
        while self.exists(name) {
            number += 1
            name = "\(path)-\(number)"
        }
        return name
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Syncs the folder that the file is in, so that its entry survives a power loss.
    static func syncFolder(of path: String) throws(StateStoreError) {
        let folder = Self.folder(of: path)
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(folder, "open") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure(folder, "sync") }
    }

    private static func failure(_ path: String, _ action: String) -> StateStoreError {
        .cannotOpen(path: path, reason: "\(action): \(String(cString: strerror(errno)))")
    }
}

/// The C library's, which a static method of the same name would hide.
private func systemRename(_ path: String, _ newPath: String) -> Int32 { rename(path, newPath) }
