// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// The end of a log file.
package enum LogTail {
    /// Where the file ends now: what is written later stands behind it. 0 if there is none yet.
    package static func end(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The last lines behind a position, without control characters.
    package static func lines(of path: String, behind start: Int, count: Int) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let limit = 64 << 10
        let begin = max(start, Self.end(of: path) - limit)
        guard lseek(descriptor, off_t(begin), Int32(SEEK_SET)) >= 0,
            let bytes = SmallFile.read(descriptor, limit: limit)
        else { return [] }
        return bytes.split(separator: 0x0a).suffix(count).map { Table.visible(String(decoding: $0, as: UTF8.self)) }
    }

    /// A line of a node's log for people: its level, its words, then its facts. A line of another form stays as it is.
    package static func readable(_ line: String) -> String {
        guard let fields = try? JSONDecoder().decode([String: String].self, from: Data(line.utf8)),
            let level = fields["level"], let message = fields["message"]
        else { return line }
        let left: Set<String> = ["time", "level", "message", "node.id"]
        let facts = fields.filter { !left.contains($0.key) }.sorted { $0.key < $1.key }
        return Table.visible((["\(level): \(message)"] + facts.map { "\($0.key)=\($0.value)" }).joined(separator: "; "))
    }
}
