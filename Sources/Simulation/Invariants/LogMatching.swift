// SPDX-License-Identifier: Apache-2.0

import Raft

/// I2: if two logs hold an entry of the same index and term, they are the same through it (Raft paper, figure 3, log
/// matching). So the hash of a log through an entry must be one and the same wherever that entry stands.
struct LogMatching: Sendable {
    private var hashes: [LogPosition: UInt64] = [:]

    /// An entry stands in some node's log, which has this hash through it.
    mutating func stands(_ entry: Entry, hash: UInt64, on node: Int) throws(Violation) {
        let position = LogPosition(index: entry.index, term: entry.term)
        let first = self.hashes[position, default: hash]
        guard first == hash else {
            throw Violation(
                .logMatching,
                "n\(node + 1)'s log through entry \(entry.index.rawValue) of term \(entry.term.rawValue) "
                    + "differs from another log that holds that entry")
        }
        self.hashes[position] = hash
    }

    /// Whether any node ever had this entry, with this history.
    func isKnown(_ entry: Entry, hash: UInt64) -> Bool {
        self.hashes[LogPosition(index: entry.index, term: entry.term)] == hash
    }
}
