// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `verdictd.pid` in the data folder: which process runs there, for `clusterctl stop`. It proves nothing by itself; the
/// folder's lock does.
struct PidFile {
    let path: String

    init(folder: String) throws(NodeError) {
        self.path = folder + "/verdictd.pid"
        // Not truncated: clusterctl has perhaps written the same already, and whoever reads it then must find it.
        let descriptor = open(self.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .pidFile(path: self.path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        let text = Array("\(getpid())\n".utf8)
        guard pwrite(descriptor, text, text.count, 0) == text.count, ftruncate(descriptor, off_t(text.count)) == 0
        else {
            throw .pidFile(path: self.path, reason: String(cString: strerror(errno)))
        }
    }

    func remove() { unlink(self.path) }
}
