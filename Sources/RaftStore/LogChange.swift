// SPDX-License-Identifier: Apache-2.0

internal import Bytes
internal import Raft

/// What several batches come to when they are written as one: entries that a later batch of the same transaction
/// replaces never reach the disk.
struct LogChange: Hashable, Sendable {
    /// Where the log begins from now on, if that changes. Comes before everything else.
    private(set) var base: LogBase?
    /// The first durable entry to be removed, if any is.
    private(set) var truncateFrom: LogIndex?
    /// Contiguous; they follow the log as it is after the truncation.
    private(set) var entries: [Entry] = []
    private(set) var hardState: HardState

    /// - Parameters:
    ///   - base: the place before the first durable entry; nothing at or below it can be removed.
    ///   - lastIndex: the last durable entry.
    init(_ batches: [Batch], hardState: HardState, base: LogIndex, lastIndex: LogIndex) throws(StoreError) {
        self.hardState = hardState
        var (base, end, durableEnd) = (base, lastIndex, lastIndex)
        for batch in batches {
            if let newBase = batch.base {
                let position = newBase.position.index
                guard position > base, !newBase.keepsEntries || position <= end else {
                    throw .invalidBatch(
                        sequence: batch.sequence,
                        reason: "it begins the log at \(position.rawValue), behind \(base.rawValue) and \(end.rawValue)"
                    )
                }
                if !newBase.keepsEntries {
                    self.truncateFrom = nil
                    self.entries = []
                    (end, durableEnd) = (position, position)
                }
                // A prefix that goes behind a base that keeps nothing may wait for its turn: its rows aren't written yet.
                if !newBase.keepsEntries || self.base?.keepsEntries ?? true { self.base = newBase }
                base = position
            }
            if let from = batch.truncateFrom {
                guard from > base, from <= end.next() else {
                    throw .invalidBatch(
                        sequence: batch.sequence,
                        reason: "it cuts at \(from.rawValue), the log holds \(base.rawValue + 1) to \(end.rawValue)")
                }
                self.cut(from: from, lastDurable: self.truncateFrom?.previous() ?? durableEnd)
                end = min(end, from.previous())
            }
            for entry in batch.entries {
                guard entry.index == end.next() else {
                    throw .invalidBatch(
                        sequence: batch.sequence,
                        reason: "entry \(entry.index.rawValue) can't follow \(end.rawValue)")
                }
                end = entry.index
            }
            self.entries.append(contentsOf: batch.entries)
            self.hardState = batch.hardState
        }
    }

    private mutating func cut(from: LogIndex, lastDurable: LogIndex) {
        if from <= lastDurable {
            self.truncateFrom = from
            self.entries = []
        } else {
            self.entries.removeLast(self.entries.count { $0.index >= from })
        }
    }

    /// The entries as the rows that they become: a row holds at least one entry and about this many bytes at most, so
    /// that a conflict that cuts through a row rewrites little.
    static let rowBytes = 256 << 10

    /// Encodes the entries, row by row.
    func encodedRows() -> [(entries: ArraySlice<Entry>, bytes: [UInt8])] {
        var rows: [(entries: ArraySlice<Entry>, bytes: [UInt8])] = []
        var from = self.entries.startIndex
        var length = 0
        for (position, entry) in self.entries.enumerated() {
            let added = EntryCodec.overhead + entry.payload.count
            if position > from, length + added > Self.rowBytes {
                rows.append(Self.encodedRow(self.entries[from..<position]))
                (from, length) = (position, 0)
            }
            length += added
        }
        if from < self.entries.endIndex { rows.append(Self.encodedRow(self.entries[from...])) }
        return rows
    }

    private static func encodedRow(_ entries: ArraySlice<Entry>) -> (entries: ArraySlice<Entry>, bytes: [UInt8]) {
        (entries, EntryCodec.encode(Array(entries)))
    }
}
