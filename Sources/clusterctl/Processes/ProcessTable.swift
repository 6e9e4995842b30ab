// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the system says about processes.
package struct ProcessTable: Sendable {
    /// Where the kernel shows its processes.
    package let root: String

    package init(root: String = "/proc") { self.root = root }

    /// The file that a process runs; `nil` if there is no such process, if it has ended and only waits to be buried, or
    /// if it is another user's.
    package func executable(of pid: Int32) -> String? {
        guard let path = Self.link("\(self.root)/\(pid)/exe") else { return nil }
        let deleted = " (deleted)"
        return path.hasSuffix(deleted) ? String(path.dropLast(deleted.count)) : path
    }

    /// What a process was started with, its own name first.
    package func arguments(of pid: Int32) -> [String] {
        guard let bytes = SmallFile.read("\(self.root)/\(pid)/cmdline", limit: 1 << 20) else { return [] }
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The folder that a process works in.
    package func workingFolder(of pid: Int32) -> String? { Self.link("\(self.root)/\(pid)/cwd") }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}

/// Files that are read whole.
enum SmallFile {
    /// - Returns: `nil` if the file can't be read; at most `limit` bytes of it.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return Self.read(descriptor, limit: limit)
    }

    /// Reads on from where the descriptor stands.
    static func read(_ descriptor: Int32, limit: Int) -> [UInt8]? {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while content.count < limit {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - content.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            content += buffer[..<count]
        }
        return content
    }
}
