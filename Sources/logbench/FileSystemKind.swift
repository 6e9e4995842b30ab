// SPDX-License-Identifier: Apache-2.0

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The file system that a folder is on, by the kernel's name for it.
struct FileSystemKind {
    let name: String

    /// Keeps nothing: a sync there costs nothing and means nothing.
    var isMemory: Bool { self.name == "tmpfs" || self.name == "ramfs" }

    /// - Returns: `nil` if there is no such folder, or the kernel doesn't say what it is on.
    init?(ofFolder path: String) {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        let folder = String(cString: resolved)
        guard let text = Self.read("/proc/self/mountinfo") else { return nil }
        // Of the mounts that the folder is in, the longest one; of equal ones, the last: it covers the others.
        var best: (length: Int, name: String)?
        for line in text.split(separator: "\n") {
            // "36 35 98:0 /root /mount/point options - type source options" (proc_pid_mountinfo(5))
            let fields = line.split(separator: " ")
            guard fields.count > 6, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            let point = String(fields[4])
            let isInside = point == "/" || folder == point || folder.hasPrefix(point + "/")
            if isInside, point.utf8.count >= best?.length ?? 0 { best = (point.utf8.count, String(fields[dash + 1])) }
        }
        guard let best else { return nil }
        self.name = best.name
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(text.count))
            if count <= 0 { return count == 0 ? String(decoding: text, as: UTF8.self) : nil }
            text += buffer[..<count]
        }
    }
}
