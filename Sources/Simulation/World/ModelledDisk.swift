// SPDX-License-Identifier: Apache-2.0

package import Raft

/// A node's disk as the log's store promises it to be (Docs/architecture.md, "The log in SQLite").
///
/// Batches are written in order, in groups that share a sync. Each is on disk whole or not at all. A crash keeps what was
/// synced and any first part of what was not; what was reported as persisted is never lost.
package struct ModelledDisk: Sendable {
    /// How a stored row came to harm.
    package enum Damage: CaseIterable, Hashable, Sendable {
        /// A flipped bit: the checksum of a row of entries doesn't match.
        case batchFlipped
        /// A row of entries is gone.
        case batchLost
        /// A flipped bit in the row of term and vote.
        case hardStateFlipped
    }

    private struct Row: Sendable {
        var entries: [Entry]
        var isIntact = true
        var isLost = false
    }

    private var rows: [Row] = []
    private var hardState: HardState = .initial
    private var isHardStateIntact = true
    private var base = LogPosition.zero
    private var membership: Membership?
    private var lastIndex: LogIndex = .zero
    /// Handed over and not yet reported as persisted: first those whose sync is under way.
    private var unsynced: [Batch] = []
    private var syncing = 0

    /// - Parameter membership: who takes part, as the folder of a joining node says; nil for a node of the first hour.
    package init(membership: Membership? = nil) {
        self.membership = membership
    }

    /// What the first entry on the disk follows.
    package var baseIndex: LogIndex { self.base.index }
    package var isSyncing: Bool { self.syncing > 0 }
    package var hasUnsynced: Bool { !self.unsynced.isEmpty }
    package var unsyncedCount: Int { self.unsynced.count }

    package mutating func write(_ batch: Batch) {
        self.unsynced.append(batch)
    }

    /// Starts a sync for everything that waits.
    package mutating func beginSync() {
        self.syncing = self.unsynced.count
    }

    /// The sync has returned.
    /// - Returns: the sequence of the last batch that is now persisted.
    package mutating func finishSync() -> UInt64? {
        let through = self.unsynced.prefix(self.syncing).last?.sequence
        self.keep(self.syncing)
        self.syncing = 0
        return through
    }

    /// The process is gone: the first `survivors` unsynced batches happen to be on disk, the others are lost.
    package mutating func crash(survivors: Int) {
        self.keep(min(survivors, self.unsynced.count))
        self.unsynced.removeAll()
        self.syncing = 0
    }

    /// Harms a stored row; nobody sees it before the next start.
    /// - Returns: whether there was a row to harm.
    package mutating func harm(_ damage: Damage, random: inout SeededRandom) -> Bool {
        switch damage {
        case .hardStateFlipped:
            self.isHardStateIntact = false
            return true
        case .batchFlipped, .batchLost:
            guard !self.rows.isEmpty else { return false }
            let row = random.below(self.rows.count)
            if damage == .batchFlipped { self.rows[row].isIntact = false } else { self.rows[row].isLost = true }
            return true
        }
    }

    package var isHarmed: Bool {
        !self.isHardStateIntact || self.rows.contains { !$0.isIntact || $0.isLost }
    }

    /// The log has lost entries, and not got all of them back yet.
    package var isRepairing: Bool { self.hardState.isRepairing }

    /// The rows behind the first harm go, and the hard state says so.
    package mutating func salvage(_ log: RecoveredLog, rows count: Int) {
        self.rows = Array(self.rows.filter { !$0.isLost }.prefix(count))
        self.lastIndex = log.lastIndex
        self.hardState = log.hardState
    }

    /// Puts the good bytes back, as a repair from the peers would.
    package mutating func repair() {
        self.isHardStateIntact = true
        for index in self.rows.indices {
            self.rows[index].isIntact = true
            self.rows[index].isLost = false
        }
    }

    /// What a start reads.
    package var stored: StoredLog {
        var batches: [StoredLog.BatchRow] = []
        batches.reserveCapacity(self.rows.count)
        for row in self.rows where !row.isLost {
            guard let first = row.entries.first, let last = row.entries.last else { continue }
            batches.append(
                StoredLog.BatchRow(isIntact: row.isIntact, first: first.index, last: last.index, entries: row.entries))
        }
        return StoredLog(
            hardState: StoredLog.HardStateRow(
                isIntact: self.isHardStateIntact, hardState: self.hardState, base: self.base, lastIndex: self.lastIndex),
            batches: batches, membership: self.membership)
    }

    /// The start finishes an install that was cut off, and syncs that before anything else.
    package mutating func finishInstall(_ offer: SnapshotOffer) {
        self.begin(at: LogBase(position: offer.position, membership: offer.membership, keepsEntries: false))
    }

    private mutating func keep(_ count: Int) {
        for batch in self.unsynced.prefix(count) { self.store(batch) }
        self.unsynced.removeFirst(count)
    }

    private mutating func store(_ batch: Batch) {
        if let base = batch.base { self.begin(at: base) }
        if let start = batch.truncateFrom { self.truncate(from: start) }
        if let last = batch.entries.last {
            self.rows.append(Row(entries: batch.entries))
            self.lastIndex = last.index
        }
        self.hardState = batch.hardState
    }

    /// Whole rows go; a row that holds entries behind the base too stays as it is.
    private mutating func begin(at base: LogBase) {
        self.membership = base.membership
        while let row = self.rows.first, let last = row.entries.last,
            !base.keepsEntries || last.index <= base.position.index
        {
            self.base = LogPosition(index: last.index, term: last.term)
            self.rows.removeFirst()
        }
        guard !base.keepsEntries else { return }
        self.base = base.position
        self.lastIndex = base.position.index
    }

    private mutating func truncate(from start: LogIndex) {
        while let row = self.rows.last, let first = row.entries.first, let last = row.entries.last, last.index >= start
        {
            if first.index >= start {
                self.rows.removeLast()
            } else {
                self.rows[self.rows.count - 1].entries.removeLast(Int(last.index.rawValue - start.rawValue) + 1)
            }
        }
        if self.lastIndex >= start { self.lastIndex = start.previous() }
    }
}
