// SPDX-License-Identifier: Apache-2.0

import CChecksum

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A snapshot's file as bytes: written and read piece by piece, and summed up. Not copyable, so that it is closed once.
package struct SnapshotFile: ~Copyable {
    package let path: String
    private let descriptor: Int32

    /// Bytes of one piece at most, as it travels.
    package static let pieceLength = 512 << 10

    /// A file that is there, to be read.
    package init(reading path: String) throws(StateStoreError) {
        try self.init(path, O_RDONLY)
    }

    /// An empty one, to be written. What was there before is gone.
    package init(creating path: String) throws(StateStoreError) {
        try self.init(path, O_RDWR | O_CREAT | O_TRUNC)
    }

    /// A file that is there, to be written on.
    package init(extending path: String) throws(StateStoreError) {
        try self.init(path, O_RDWR)
    }

    private init(_ path: String, _ flags: Int32) throws(StateStoreError) {
        let opened = open(path, flags | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw Self.failure(path, "open") }
        self.path = path
        self.descriptor = opened
    }

    deinit { close(self.descriptor) }

    /// - Returns: fewer bytes than asked for only at the file's end.
    package func read(_ count: Int, at offset: UInt64) throws(StateStoreError) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = buffer.baseAddress?.advanced(by: filled)
                let got = pread(self.descriptor, rest, count - filled, off_t(offset) + off_t(filled))
                if got == 0 { return }
                if got < 0 {
                    if errno == EINTR { continue }
                    failed = true
                    return
                }
                filled += got
            }
        }
        if failed { throw Self.failure(self.path, "read") }
        return bytes
    }

    package func write(_ bytes: [UInt8], at offset: UInt64) throws(StateStoreError) {
        let isWritten = bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let rest = buffer.baseAddress?.advanced(by: done)
                let wrote = pwrite(self.descriptor, rest, buffer.count - done, off_t(offset) + off_t(done))
                if wrote < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                done += wrote
            }
            return true
        }
        guard isWritten else { throw Self.failure(self.path, "write") }
    }

    package func sync() throws(StateStoreError) {
        guard fsync(self.descriptor) == 0 else {
            throw .sqlite(path: self.path, code: errno, message: "fsync: \(String(cString: strerror(errno)))")
        }
    }

    /// Length and CRC32C of the whole file.
    package func sum() throws(StateStoreError) -> (length: UInt64, checksum: UInt32) {
        var length: UInt64 = 0
        var checksum: UInt32 = 0
        while true {
            let piece = try self.read(Self.pieceLength, at: length)
            checksum = crc32c(piece, seed: checksum)
            length += UInt64(piece.count)
            if piece.count < Self.pieceLength { return (length, checksum) }
        }
    }

    /// CRC32C of a piece.
    package static func checksum(of piece: [UInt8]) -> UInt32 { crc32c(piece) }

    static func remove(_ path: String) throws(StateStoreError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure(path, "remove") }
    }

    private static func failure(_ path: String, _ action: String) -> StateStoreError {
        errno == ENOSPC
            ? .diskFull(path: path) : .cannotOpen(path: path, reason: "\(action): \(String(cString: strerror(errno)))")
    }
}
