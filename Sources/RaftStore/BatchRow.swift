// SPDX-License-Identifier: Apache-2.0

internal import Bytes
internal import Raft

/// A row of entries, without the entries.
struct BatchRow: Hashable, Sendable {
    /// Where the row stands in the table; grows along the log.
    var id: Int64
    var group: GroupID
    var first: LogIndex
    var last: LogIndex
    /// The last entry's term.
    var term: Term
    /// Covers the row, and through `previous` every row before it: so a row that is whole but isn't the one that was
    /// written there last shows too.
    var checksum: UInt32

    /// What a row's checksum must be.
    /// - Parameter previous: the checksum of the row before, or the base's.
    static func checksum(
        previous: UInt32, group: GroupID, first: LogIndex, last: LogIndex, term: Term, entries: [UInt8]
    ) -> UInt32 {
        var writer = ByteWriter(capacity: 32)
        writer.write(group.rawValue)
        writer.write(first.rawValue)
        writer.write(last.rawValue)
        writer.write(term.rawValue)
        var checksum = Checksum(seed: previous)
        checksum.add(writer.bytes)
        checksum.add(entries)
        return checksum.value
    }

    func isIntact(previous: UInt32, entries: [UInt8]) -> Bool {
        self.checksum
            == Self.checksum(
                previous: previous, group: self.group, first: self.first, last: self.last, term: self.term,
                entries: entries)
    }
}
