// SPDX-License-Identifier: Apache-2.0

package import Raft

/// Reads the log of a node that isn't running: everything is judged as at a start, and nothing is changed.
///
/// It holds the folder's lock while it lives, so that no node starts meanwhile.
package final class OfflineLogReader {
    package let identity: StoreIdentity
    /// Who takes part at the log's base.
    package let members: [Member]
    package let hardState: HardState
    package let base: LogPosition
    package let lastIndex: LogIndex
    /// Counts the transactions on the file over all its lives.
    package let commitCounter: UInt64
    /// What the walk over the WAL found.
    package let wal: WALInspection
    /// Rows that hold the entries.
    package let rowCount: Int
    private let log: RecoveredLog
    private let lock: FolderLock

    /// - Throws: `StoreError.locked` while a node runs on the folder; what is damaged, if something is.
    package init(path: String) throws(StoreError) {
        try SQLiteLog.checkInitialised(path)
        self.lock = try FolderLock(folder: path)
        let start = try LogStart(folder: path, renewing: false)
        self.identity = start.record.identity
        self.members = start.membership.members
        self.hardState = start.record.hardState
        self.base = start.record.base
        self.lastIndex = start.record.lastIndex
        self.commitCounter = start.record.commitCounter
        self.wal = start.wal
        self.rowCount = start.rows.count
        self.log = start.log
    }

    /// All that was recovered.
    package var recovered: RecoveredLog { self.log }

    /// The entries of a range, as far as the log holds them.
    package func entries(in range: ClosedRange<LogIndex>) -> ArraySlice<Entry> {
        let entries = self.log.entries
        guard let first = entries.first?.index, let last = entries.last?.index, range.upperBound >= first,
            range.lowerBound <= last
        else { return [] }
        let from = max(range.lowerBound, first).rawValue - first.rawValue
        let through = min(range.upperBound, last).rawValue - first.rawValue
        return entries[Int(from)...Int(through)]
    }
}
