// SPDX-License-Identifier: Apache-2.0

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// Keeps a second process off a data folder. The kernel lets go of it when the process ends, however it ends.
struct FolderLock: ~Copyable {
    private let file: File

    /// - Throws: `StoreError.locked` with the pid of the process that holds it.
    init(folder: String) throws(StoreError) {
        let file = try File(folder + "/" + DataFolder.Names.lock, flags: O_RDWR | O_CREAT)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw FileSystem.error("flock", file.path) }
            throw .locked(path: folder, pid: try Self.pid(in: file))
        }
        // For people and for the message above; the lock itself doesn't depend on it, so a full disk doesn't matter.
        try? file.truncate(to: 0)
        try? file.write(Array("\(getpid())\n".utf8), at: 0)
        self.file = file
    }

    /// Lets go of the folder; so does the end of the value's life.
    consuming func release() {}

    /// The pid of the process that runs on the folder; `nil` if none does.
    static func holder(folder: String) throws(StoreError) -> Int32? {
        let path = folder + "/" + DataFolder.Names.lock
        guard FileSystem.exists(path) else { return nil }
        let file = try File(path, flags: O_RDONLY)
        if flock(file.descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
        guard errno == EWOULDBLOCK else { throw FileSystem.error("flock", path) }
        return try self.pid(in: file)
    }

    private static func pid(in file: borrowing File) throws(StoreError) -> Int32 {
        let text = String(decoding: try file.read(32, at: 0), as: UTF8.self)
        return Int32(text.prefix { $0.isNumber }) ?? 0
    }
}
