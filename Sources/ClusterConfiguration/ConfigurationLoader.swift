// SPDX-License-Identifier: Apache-2.0

import Glibc

extension ClusterConfiguration {
    /// Which file to read: what the flag says, else `VERDICT_CONFIG`, else `cluster.conf` in the working folder.
    package static func path(flag: String?, environment: [String: String]) -> String {
        flag ?? environment["VERDICT_CONFIG"].flatMap { $0.isEmpty ? nil : $0 } ?? "cluster.conf"
    }

    /// Reads a configuration from a file. The nodes' paths become absolute, so that they hold in any working folder.
    ///
    /// - Throws: one problem if the file can't be read, else every problem in it.
    package static func load(
        path: String, environment: [String: String], flags: [String] = []
    ) throws(ConfigurationProblems) -> ClusterConfiguration {
        let bytes: [UInt8]
        switch Self.content(of: path) {
        case .success(let content): bytes = content
        case .failure(let problem): throw ConfigurationProblems([problem])
        }
        return try Self.parse(
            bytes, file: path, folder: Self.absolute(FilePath.folder(of: path)),
            environment: environment, flags: flags)
    }

    private static func content(of path: String) -> Result<[UInt8], ConfigurationProblem> {
        func failure(_ code: Int32) -> Result<[UInt8], ConfigurationProblem> {
            let reason = code == ENOENT ? "there is no such file" : "can't be read: \(String(cString: strerror(code)))"
            return .failure(ConfigurationProblem(origin: .file(path, line: nil), rule: reason))
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return failure(errno) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // One byte over the limit is enough for the parser to say that the file is too large.
        while content.count <= ConfigurationText.maximumBytes {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return failure(errno) }
            guard count > 0 else { break }
            content += buffer[..<count]
        }
        return .success(content)
    }

    /// A folder's absolute path with its links resolved; the text itself if the system can't tell.
    private static func absolute(_ folder: String) -> String {
        guard let resolved = realpath(folder, nil) else { return folder }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
