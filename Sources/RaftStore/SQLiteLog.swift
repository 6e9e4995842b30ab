// SPDX-License-Identifier: Apache-2.0

package import Raft

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// A node's Raft log in its data folder: one SQLite file, one connection, one caller at a time.
///
/// A `write` is one transaction and one sync: when it returns, all of it is on disk. See `LogWriter` for the thread
/// that it runs on in a node.
package final class SQLiteLog {
    package let folder: String
    package let identity: StoreIdentity
    /// What the log held when it was opened. The owner may let go of it with `takeRecovered()`.
    package private(set) var recovered: RecoveredLog
    /// Who takes part at the log's base, with every storage id that is known.
    package var members: [Member] { self.membership.members }
    /// Names the state that the group began with, if it began with this folder; nil if the folder joined later.
    package var founding: UInt64? { self.membership.founding }
    /// What this opening has found rotten and let go of; nil if nothing.
    package private(set) var loss: LogLoss?
    /// Bytes that were written to the WAL since the last checkpoint.
    package var uncheckpointedBytes: Int {
        guard let open else { return 0 }
        return (open.database.pagesWritten - self.pagesAtCheckpoint) * WALInspection.frameLength
    }

    private var record: HardStateRecord
    private var membership: MembershipRecord
    private var rows: [BatchRow]
    private var pagesAtCheckpoint = 0
    private var open: OpenFiles?
    let reserve: Reserve

    /// What is let go of by a close. The lock goes last.
    private final class OpenFiles {
        let database: LogDatabase
        var mark: MarkFile
        /// The database's own file, if it was copied: a close would drop SQLite's locks on it.
        var copied: File?
        private let lock: FolderLock

        init(database: LogDatabase, mark: consuming MarkFile, lock: consuming FolderLock) {
            self.database = database
            self.mark = mark
            self.lock = lock
        }
    }

    /// Opens a log and makes sure that what it shows is on the disk.
    ///
    /// The WAL is walked and held against its mark, rows are judged by Raft's rules of recovery, the WAL's bytes are
    /// written anew, all is copied into the database file and synced, and the mark is renewed: only then may the node
    /// vote or acknowledge.
    /// - Parameters:
    ///   - nodeID: whose folder it must be.
    ///   - clusterID: the cluster that it must be of, if that is known.
    ///   - salvaging: rotten rows, and what stands behind them, are let go of, and a copy of the file is kept: the node
    ///     gets them back from the others. See `loss`.
    package init(
        folder: String, nodeID: NodeID, clusterID: ClusterID? = nil, reserveBytes: Int = Reserve.defaultLength,
        salvaging: Bool = false
    ) throws(StoreError) {
        try Self.checkInitialised(folder)
        let lock = try FolderLock(folder: folder)
        let start = try LogStart(folder: folder, renewing: true, salvaging: salvaging) {
            identity throws(StoreError) in
            guard identity.nodeID == nodeID, clusterID == nil || identity.clusterID == clusterID else {
                throw .foreign(
                    path: folder, expected: StoreIdentity.name(nodeID: nodeID, clusterID: clusterID),
                    found: identity.name)
            }
        }
        let reserve = Reserve(folder: folder, length: reserveBytes)
        let frames = try Self.checkpoint(start.database, with: reserve)
        guard frames == start.wal.committedFrames else {
            throw .corrupt(
                path: folder + "/" + DataFolder.Names.wal,
                detail: "SQLite sees \(frames) frames, the walk \(start.wal.committedFrames)")
        }
        var mark = try MarkFile(folder: folder, mark: start.mark)
        try mark.renew(commitCounter: start.record.commitCounter)
        try FileSystem.syncFolder(folder)
        self.folder = folder
        self.identity = start.record.identity
        self.recovered = start.log
        self.membership = start.membership
        self.record = start.record
        self.rows = start.rows
        self.reserve = reserve
        self.open = OpenFiles(database: start.database, mark: mark, lock: lock)
        if let rot = start.rot { try self.letGoOfTheRest(rot) }
        if !self.reserve.isThere { _ = try self.reserve.refillIfThereIsRoom() }
    }

    /// The rows behind those that are left go, and with them the vote: both in one transaction.
    private func letGoOfTheRest(_ rot: Rot) throws(StoreError) {
        let path = self.folder + "/" + DataFolder.Names.database
        let kept = FileSystem.unused(self.folder + "/" + DataFolder.Names.damaged)
        let file = try File(path, flags: O_RDONLY)
        try FileSystem.copy(file, to: kept)
        try self.opened().copied = consume file
        let last = self.rows.last
        var record = self.record
        record.hardState = self.recovered.hardState
        record.lastIndex = last?.last ?? record.base.index
        record.lastChain = last?.checksum ?? record.baseChain
        try self.commit(&record) { _, database throws(StoreError) in
            try database.deleteRows(behind: last?.id ?? .min)
        }
        self.loss = LogLoss(rot: rot, through: record.lastIndex, kept: kept)
    }

    /// A full disk must not keep a node from starting: it may let go of the reserve for that.
    private static func checkpoint(_ database: LogDatabase, with reserve: Reserve) throws(StoreError) -> Int {
        do throws(StoreError) {
            return try database.checkpoint()
        } catch {
            guard case .diskFull = error, reserve.isThere else { throw error }
            try reserve.release()
            return try database.checkpoint()
        }
    }

    static func checkInitialised(_ folder: String) throws(StoreError) {
        guard let names = try FileSystem.names(in: folder) else {
            throw .notInitialised(path: folder, detail: "there is no such folder")
        }
        guard !names.contains(DataFolder.Names.unfinished) else {
            throw .notInitialised(path: folder, detail: "its initialisation was cut off and must be begun again")
        }
        guard names.contains(DataFolder.Names.database) || names.contains(DataFolder.Names.mark) else {
            let others = names.filter { $0 != DataFolder.Names.lock }
            throw .notInitialised(
                path: folder, detail: others.isEmpty ? "it is empty" : "it holds \(others[0]) but no log")
        }
    }

    // MARK: What the log holds

    package var hardState: HardState { self.record.hardState }
    package var base: LogPosition { self.record.base }
    package var lastIndex: LogIndex { self.record.lastIndex }
    /// Counts the transactions on the file over all its lives.
    package var commitCounter: UInt64 { self.record.commitCounter }

    /// Hands out what was recovered and keeps no copy.
    package func takeRecovered() -> RecoveredLog {
        defer { self.recovered = .empty }
        return self.recovered
    }

    // MARK: Changes

    /// Writes batches, in order, as one transaction with one sync.
    /// - Throws: `StoreError.diskFull` if nothing was written and the same may be tried again. After any other error
    ///   the log must not be used any more: what the page cache shows may not be on the disk.
    package func write(_ batches: [Batch]) throws(StoreError) {
        guard !batches.isEmpty else { return }
        let change = try LogChange(
            batches, hardState: self.record.hardState, base: self.record.base.index, lastIndex: self.record.lastIndex)
        var record = self.record
        record.hardState = change.hardState
        var membership = self.membership
        // The rows that stay as they are.
        var kept = self.rows.indices
        var changed: [BatchRow] = []
        try self.commit(&record) { record, database throws(StoreError) in
            if let base = change.base {
                kept = try self.begin(at: base, &record, database)
                membership.membership = base.membership
                try Self.write(membership, &record, database)
            }
            if let from = change.truncateFrom {
                let removed = self.rows[kept].reversed().prefix { $0.last >= from }.count
                let doomed = kept.suffix(removed)
                kept = kept.dropLast(removed)
                changed = try self.truncate(from: from, doomed, after: self.rows[kept].last, &record, database)
            }
            changed += try self.append(change, after: changed.last ?? self.rows[kept].last, &record, database)
        }
        self.membership = membership
        self.rows.removeSubrange(kept.endIndex...)
        self.rows.removeFirst(kept.startIndex)
        self.rows.append(contentsOf: changed)
    }

    /// Moves the log's beginning: at a row's end at or before the base, or, if no entry stays, to the base itself.
    /// - Returns: the rows that are left.
    private func begin(
        at base: LogBase, _ record: inout HardStateRecord, _ database: LogDatabase
    ) throws(StoreError) -> Range<Int> {
        let count = base.keepsEntries ? self.rows.prefix { $0.last <= base.position.index }.count : self.rows.count
        if count > 0 {
            let last = self.rows[count - 1]
            try database.deleteRows(through: last.id, group: record.group, count: count)
            record.base = LogPosition(index: last.last, term: last.term)
            record.baseChain = last.checksum
        }
        if !base.keepsEntries {
            record.base = base.position
            record.baseChain = 0
            record.lastIndex = base.position.index
            record.lastChain = 0
        }
        return count..<self.rows.count
    }

    private static func write(
        _ membership: MembershipRecord, _ record: inout HardStateRecord, _ database: LogDatabase
    ) throws(StoreError) {
        let bytes = membership.encoded()
        record.membershipChecksum = Checksum.of(bytes)
        try database.writeMembership(bytes, group: record.group)
    }

    /// Writes what the install of a snapshot ends with, when the process died before: the log begins at the snapshot.
    package func finishInstall(_ offer: SnapshotOffer) throws(StoreError) {
        let base = LogBase(position: offer.position, membership: offer.membership, keepsEntries: false)
        try self.write([
            Batch(sequence: 0, hardState: self.hardState, base: base, truncateFrom: nil, entries: [])
        ])
    }

    /// Makes the life of a member's data folder durable: from then on only votes and acknowledgements of that life
    /// count.
    /// - Throws: as `write`; `StoreError.foreign` if the member is known with another one.
    package func recordStorageID(_ storageID: StorageID, of nodeID: NodeID) throws(StoreError) {
        let known = self.membership.storageID(of: nodeID)
        guard known != storageID else { return }
        guard known == .unknown else {
            throw .foreign(
                path: self.folder, expected: "node \(nodeID.rawValue) with storage id \(known.rawValue)",
                found: "storage id \(storageID.rawValue)")
        }
        var membership = self.membership
        membership.learned[nodeID] = storageID
        var record = self.record
        try self.commit(&record) { record, database throws(StoreError) in
            try Self.write(membership, &record, database)
        }
        self.membership = membership
    }

    /// Moves the WAL's content into the database file; the next write begins the WAL anew.
    package func checkpoint() throws(StoreError) {
        let open = try self.opened()
        open.mark.expectRestart()
        _ = try open.database.checkpoint()
        self.pagesAtCheckpoint = open.database.pagesWritten
    }

    /// Checkpoints, renews the mark, and lets go of the folder, also when that fails. A second call does nothing.
    package func close() throws(StoreError) {
        guard let open else { return }
        defer { self.open = nil }
        _ = try open.database.checkpoint()
        try open.mark.renew(commitCounter: self.record.commitCounter)
    }

    /// Lets go of the folder as the death of the process would: nothing more is written.
    package func abandon() { self.open = nil }

    // MARK: Parts

    private func opened() throws(StoreError) -> OpenFiles {
        guard let open else { throw .closed(path: self.folder) }
        return open
    }

    /// One transaction: what `body` does and the record, which counts it; then the mark.
    private func commit(
        _ record: inout HardStateRecord,
        _ body: (inout HardStateRecord, LogDatabase) throws(StoreError) -> Void
    ) throws(StoreError) {
        let open = try self.opened()
        record.commitCounter += 1
        try open.database.transaction { () throws(StoreError) in
            try body(&record, open.database)
            try open.database.write(record)
        }
        try open.mark.note(commitCounter: record.commitCounter)
        self.record = record
    }

    /// Removes what a conflict removes.
    /// - Returns: the row that it cut through, with its new end, if there is one.
    private func truncate(
        from: LogIndex, _ removed: Range<Int>, after previous: BatchRow?, _ record: inout HardStateRecord,
        _ database: LogDatabase
    ) throws(StoreError) -> [BatchRow] {
        guard let first = self.rows[removed].first else { return [] }
        var doomed = self.rows[removed]
        var shortened: [BatchRow] = []
        if first.first < from {
            doomed = doomed.dropFirst()
            shortened = [try self.shorten(first, to: from.previous(), after: previous, &record, database)]
        }
        if let start = doomed.first {
            try database.deleteRows(from: start.id, group: record.group, count: doomed.count)
        }
        record.lastIndex = from.previous()
        record.lastChain = shortened.last?.checksum ?? previous?.checksum ?? record.baseChain
        return shortened
    }

    private func shorten(
        _ row: BatchRow, to last: LogIndex, after previous: BatchRow?, _ record: inout HardStateRecord,
        _ database: LogDatabase
    ) throws(StoreError) -> BatchRow {
        guard let stored = try? EntryCodec.decode(database.readEntries(ofRow: row.id)),
            let end = stored.first(where: { $0.index == last })
        else { throw .rot(.batchDamaged(first: row.first, last: row.last), path: database.path) }
        let entries = EntryCodec.encode(stored.filter { $0.index <= last })
        var row = row
        row.last = last
        row.term = end.term
        row.checksum = BatchRow.checksum(
            previous: previous?.checksum ?? record.baseChain, group: row.group, first: row.first, last: row.last,
            term: row.term, entries: entries)
        try database.rewrite(row, entries: entries)
        return row
    }

    private func append(
        _ change: LogChange, after previous: BatchRow?, _ record: inout HardStateRecord, _ database: LogDatabase
    ) throws(StoreError) -> [BatchRow] {
        var added: [BatchRow] = []
        for (entries, bytes) in change.encodedRows() {
            guard let first = entries.first, let last = entries.last else { continue }
            let row = BatchRow(
                id: (added.last?.id ?? previous?.id ?? 0) + 1, group: record.group, first: first.index,
                last: last.index, term: last.term,
                checksum: BatchRow.checksum(
                    previous: record.lastChain, group: record.group, first: first.index, last: last.index,
                    term: last.term, entries: bytes))
            try database.insert(row, entries: bytes)
            record.lastIndex = row.last
            record.lastChain = row.checksum
            added.append(row)
        }
        return added
    }
}
