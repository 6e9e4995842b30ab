// SPDX-License-Identifier: Apache-2.0

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// The words of the C library for an error number.
func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }

/// An open file. Not copyable, so that it is closed once.
///
/// Never open `raft.db` with it while SQLite has the file open: closing any descriptor of a file drops the locks that
/// the process holds on it.
struct File: ~Copyable {
    let descriptor: Int32
    let path: String

    /// - Parameter flags: those of open(2); close-on-exec is added.
    init(_ path: String, flags: Int32, mode: mode_t = 0o600) throws(StoreError) {
        let opened = open(path, flags | O_CLOEXEC, mode)
        guard opened >= 0 else { throw FileSystem.error("open", path) }
        // The process's umask may have taken bits away that the folder's owner needs.
        if flags & O_CREAT != 0, fchmod(opened, mode) != 0 {
            let error = FileSystem.error("fchmod", path)
            close(opened)
            throw error
        }
        self.descriptor = opened
        self.path = path
    }

    deinit { close(self.descriptor) }

    func length() throws(StoreError) -> Int {
        var status = stat()
        guard fstat(self.descriptor, &status) == 0 else { throw FileSystem.error("fstat", self.path) }
        return Int(status.st_size)
    }

    /// Up to `count` bytes from `offset`; fewer only if the file ends before.
    func read(_ count: Int, at offset: Int) throws(StoreError) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    self.descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
                if got == 0 { return }
                if got < 0 {
                    if errno == EINTR { continue }
                    failed = true
                    return
                }
                filled += got
            }
        }
        if failed { throw FileSystem.error("pread", self.path) }
        return bytes
    }

    func readAll() throws(StoreError) -> [UInt8] { try self.read(self.length(), at: 0) }

    func write(_ bytes: [UInt8], at offset: Int) throws(StoreError) {
        let isWritten = bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let wrote = pwrite(
                    self.descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset + done))
                if wrote < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                done += wrote
            }
            return true
        }
        guard isWritten else { throw FileSystem.error("pwrite", self.path) }
    }

    func truncate(to length: Int) throws(StoreError) {
        guard ftruncate(self.descriptor, off_t(length)) == 0 else { throw FileSystem.error("ftruncate", self.path) }
    }

    /// Claims disk blocks for the first `length` bytes.
    func allocate(_ length: Int) throws(StoreError) {
        let code = posix_fallocate(self.descriptor, 0, off_t(length))
        if code == ENOSPC { throw .diskFull(path: self.path) }
        guard code == 0 else { throw .io(errno: code, call: "posix_fallocate", path: self.path) }
    }

    /// Content and metadata. A failure is never a full disk that may be tried again: what the page cache shows after
    /// it may not be on the disk.
    func sync() throws(StoreError) {
        guard fsync(self.descriptor) == 0 else { throw .io(errno: errno, call: "fsync", path: self.path) }
    }

    /// Content, and of the metadata what is needed to read it.
    func syncData() throws(StoreError) {
        guard fdatasync(self.descriptor) == 0 else { throw .io(errno: errno, call: "fdatasync", path: self.path) }
    }
}

/// What is done with files by name.
enum FileSystem {
    /// The error of the call that has just failed.
    static func error(_ call: String, _ path: String) -> StoreError {
        errno == ENOSPC ? .diskFull(path: path) : .io(errno: errno, call: call, path: path)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Copies everything to a name that nothing has, and syncs the copy and its folder. Leaves nothing if there is no room.
    static func copy(_ file: borrowing File, to path: String) throws(StoreError) {
        let partial = path + ".partial"
        do throws(StoreError) {
            let copy = try File(partial, flags: O_RDWR | O_CREAT | O_TRUNC)
            var offset = 0
            while true {
                let piece = try file.read(1 << 20, at: offset)
                guard !piece.isEmpty else { break }
                try copy.write(piece, at: offset)
                offset += piece.count
            }
            try copy.sync()
        } catch {
            unlink(partial)
            throw error
        }
        guard rename(partial, path) == 0 else { throw self.error("rename", partial) }
        try self.syncFolder(self.parent(of: path))
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

    static func makeFolder(_ path: String) throws(StoreError) {
        guard mkdir(path, 0o700) == 0 else { throw self.error("mkdir", path) }
    }

    /// A file that isn't there is no error.
    static func remove(_ path: String) throws(StoreError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw self.error("unlink", path) }
    }

    /// Makes the names in a folder durable: syncing a new file alone doesn't.
    static func syncFolder(_ path: String) throws(StoreError) {
        try File(path, flags: O_RDONLY | O_DIRECTORY).sync()
    }

    static func syncFile(_ path: String) throws(StoreError) {
        try File(path, flags: O_RDWR).sync()
    }

    /// The folder that `path` is in.
    static func parent(of path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.last == "/" { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// Names in a folder, sorted. `nil` if there is no such folder.
    static func names(in path: String) throws(StoreError) -> [String]? {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return nil }
            throw self.error("opendir", path)
        }
        defer { closedir(folder) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw self.error("readdir", path) }
        return names.sorted()
    }
}
