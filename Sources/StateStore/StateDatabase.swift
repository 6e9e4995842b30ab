// SPDX-License-Identifier: Apache-2.0

package import Bytes
import SQLite
package import Transactions

/// Applied state on disk: the connection that writes `state.db`. There is exactly one; others only read.
///
/// The file may lag behind the log, which replays what is missing, but must never lead it: give it a checkpoint at index
/// n only when this node's log is synced through n. Since it may lag, synchronous=NORMAL is enough: a power loss costs
/// the latest checkpoints, whole ones, and never a part of one. The log's prefix may be deleted only below an index that
/// `sync()` has returned.
///
/// Confined to one thread at a time.
package final class StateDatabase {
    package let path: String
    let recovery: StateRecovery
    private let statements: WriterStatements
    private let archive: ArchiveQueries
    private let live: LiveQuery
    let database: Database
    /// What the file holds, as of the last committed transaction.
    private var meta: StateRecovery.MetaRow
    /// About how many pages the WAL has grown by since SQLite's last checkpoint.
    private var walPages = 0

    /// Pages of WAL, of 4 KiB each, at which they are moved into the database file.
    private static let walPagesLimit = 1000

    /// Opens the file, and creates it if there is none.
    ///
    /// Moves what an earlier process left in the WAL into the database file and syncs it: after a sync that failed, the
    /// page cache shows bytes that the disk may not have, and this writes them anew.
    /// - Parameters:
    ///   - busyTimeoutMilliseconds: how long a write waits for readers before it fails as `busy`.
    ///   - known: the newest format of a cluster whose state is read.
    package static func open(
        path: String, identity: StateIdentity, known: FormatLevel = .newest, busyTimeoutMilliseconds: Int32 = 1_000
    ) throws(StateStoreError) -> StateDatabase {
        try DataFolder.createPrivateFile(path)
        let database = try StateDatabase(
            path: path, identity: identity, known: known, access: .readWrite,
            busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try DataFolder.syncFolder(of: path)
        return database
    }

    /// Reads and checks all of a file that is there, as `verify()` does, and changes nothing in it.
    /// - Returns: the last entry whose effect it holds.
    package static func examine(
        path: String, identity: StateIdentity
    ) throws(StateStoreError) -> (index: UInt64, term: UInt64) {
        guard DataFolder.exists(path) else { throw .cannotOpen(path: path, reason: "there is no such file") }
        let database = try StateDatabase(path: path, identity: identity, access: .readOnly)
        try database.verify()
        return (database.meta.appliedIndex, database.meta.appliedTerm)
    }

    /// A copy that nobody writes to, whoever's it is. Nothing is written beside it either.
    static func openBackup(path: String) throws(StateStoreError) -> StateDatabase {
        guard DataFolder.exists(path) else { throw .cannotOpen(path: path, reason: "there is no such file") }
        let identity: StateIdentity
        do {
            let database = try self.connect(path: path, access: .immutable, busyTimeoutMilliseconds: 0)
            guard try database.firstInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'") == 1 else {
                throw StateStoreError.rot(path: path, table: "meta", row: "?", reason: "it holds no state of a node")
            }
            identity = try Schema.anyMeta(in: database, path: path).identity
        } catch let error as SQLiteError {
            throw error.code & 0xff == 26
                ? .rot(path: path, table: "?", row: "?", reason: "it is no database")
                : StateStoreError(error, path: path, table: "?")
        } catch let error as StateStoreError {
            throw error
        } catch {
            fatalError("nothing else is thrown: \(error)")
        }
        return try StateDatabase(path: path, identity: identity, access: .immutable)
    }

    private init(
        path: String, identity: StateIdentity, known: FormatLevel = .newest, access: Database.Access,
        busyTimeoutMilliseconds: Int32 = 1_000
    ) throws(StateStoreError) {
        let recovery = StateRecovery(path: path, identity: identity, known: known)
        let database: Database
        do {
            database = try Self.connect(path: path, access: access, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        } catch {
            throw StateStoreError(error, path: path, table: "?")
        }
        let isNew: Bool
        do {
            isNew = try database.firstInteger("SELECT count(*) FROM sqlite_schema") == 0
        } catch {
            throw StateStoreError(error, path: path, table: "?")
        }
        // A file that isn't ours is left as it is.
        if !isNew { _ = try Schema.meta(in: database, recovery: recovery) }
        do throws(SQLiteError) {
            if access == .readWrite {
                try Self.prepare(database)
                if isNew { try Schema.create(in: database, meta: StateRecovery.MetaRow(identity: identity)) }
                try database.checkpoint(.truncate)
            }
            self.statements = try WriterStatements(in: database)
            self.archive = try ArchiveQueries(in: database)
            self.live = try LiveQuery(in: database)
        } catch {
            throw StateStoreError(error, path: path, table: "?")
        }
        self.meta = try Schema.meta(in: database, recovery: recovery)
        self.path = path
        self.recovery = recovery
        self.database = database
    }

    private static func connect(
        path: String, access: Database.Access, busyTimeoutMilliseconds: Int32
    ) throws(SQLiteError) -> Database {
        let database = try Database(path: path, access: access, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try database.set(.defensive, true)
        try database.set(.trustedSchema, false)
        // A checkpoint on closing would hide its errors; `sync()` shows them.
        try database.set(.noCheckpointOnClose, true)
        return database
    }

    private static func prepare(_ database: borrowing Database) throws(SQLiteError) {
        try database.enterWALMode()
        try database.execute("PRAGMA synchronous=NORMAL")
        try database.execute("PRAGMA wal_autocheckpoint=0")
        try database.execute("PRAGMA secure_delete=OFF")
    }

    /// Index of the last entry whose effect the file holds.
    package var appliedIndex: UInt64 { self.meta.appliedIndex }
    /// Live transactions in the file.
    package var liveCount: UInt64 { self.meta.liveCount }
    /// Finished transactions in the file.
    package var archivedCount: UInt64 { self.meta.archivedCount }

    /// Reads and verifies what a node starts from: the live transactions, and where in the log they stand.
    package func load() throws(StateStoreError) -> RecoveredState {
        let meta = try Schema.meta(in: self.database, recovery: self.recovery)
        let statement = try self.liveRows()
        // One row after the other: with their payloads they may be more than memory has room for.
        return try self.recovery.recover(meta: meta) { () throws(StateStoreError) in
            do throws(SQLiteError) {
                return try statement.step() ? LiveQuery.row(statement) : nil
            } catch {
                throw self.failure(error, table: "live")
            }
        }
    }

    private func liveRows() throws(StateStoreError) -> Statement {
        do throws(SQLiteError) {
            return try Statement("SELECT gid, body, crc FROM live", in: self.database)
        } catch {
            throw self.failure(error, table: "live")
        }
    }

    /// Writes all of it in one transaction of SQLite: the file then stands at `checkpoint.appliedIndex`.
    ///
    /// It is visible to readers when this returns, and survives the end of the process; only `sync()` makes it survive a
    /// power loss.
    /// - Throws: `diskFull`, `busy` or `outOfOrder` when nothing was written; after any other error the process must end.
    package func checkpoint(_ checkpoint: StateCheckpoint) throws(StateStoreError) {
        guard checkpoint.appliedIndex >= self.meta.appliedIndex else {
            throw .outOfOrder(path: self.path, appliedIndex: self.meta.appliedIndex, given: checkpoint.appliedIndex)
        }
        var unreadable: StateStoreError?
        do throws(SQLiteError) {
            self.meta = try self.database.transaction { () throws(SQLiteError) in
                do throws(CheckpointError) {
                    return try self.write(checkpoint)
                } catch {
                    switch error {
                    case .database(let error): throw error
                    case .state(let error):
                        unreadable = error
                        throw SQLiteError(code: 11, message: "a row can't be filled", sql: "checkpoint")
                    }
                }
            }
        } catch {
            throw unreadable ?? self.failure(error, table: "?")
        }
        if self.walPages >= Self.walPagesLimit { try self.moveWAL(.passive) }
    }

    /// Makes everything so far survive a power loss: syncs the WAL, moves it into the database file, syncs that.
    ///
    /// The WAL is empty then. Frames that stayed in it would hide newer pages of the database file if the frames behind
    /// them rotted.
    /// - Returns: the applied index that is safe now.
    package func sync() throws(StateStoreError) -> UInt64 {
        try self.moveWAL(.truncate)
        return self.meta.appliedIndex
    }

    /// A finished transaction, or `nil` if the archive has none of this gid.
    package func archived(_ gid: Gid) throws(StateStoreError) -> GlobalTransaction? {
        try self.archive.lookup(gid, recovery: self.recovery)
    }

    /// Finished transactions in the order of their gids. See `ArchiveReader.list`.
    package func list(
        state: TransactionState? = nil, after: Gid? = nil, limit: Int
    ) throws(StateStoreError) -> [GlobalTransaction] {
        try self.archive.list(state: state, after: after, limit: limit, recovery: self.recovery)
    }

    func archivedRows(after gid: String, limit: Int) throws(StateStoreError) -> [StateRecovery.ArchiveRow] {
        try self.archive.rows(after: gid, limit: limit, recovery: self.recovery)
    }

    /// Whether the file may grow; at first it may. Where it may not, a write that needs another page fails as it does on
    /// a full disk: for drills.
    package func setGrowth(isAllowed: Bool) throws(StateStoreError) {
        do {
            // The limit is never below the present size.
            try self.database.execute(isAllowed ? "PRAGMA max_page_count=4294967294" : "PRAGMA max_page_count=1")
        } catch {
            throw self.failure(error, table: "?")
        }
    }

    /// Writes the rows and gives the row of `meta` that is true once they are committed.
    private func write(_ checkpoint: StateCheckpoint) throws(CheckpointError) -> StateRecovery.MetaRow {
        var meta = self.meta
        var bytes = 0
        for transaction in checkpoint.changedLive {
            let row = StateRecovery.LiveRow(try self.filled(transaction))
            bytes += row.body.count
            let isNew = try Self.written { () throws(SQLiteError) in try self.statements.put(row, in: self.database) }
            if isNew { meta.liveCount += 1 }
        }
        for transaction in checkpoint.finished {
            let row = StateRecovery.ArchiveRow(try self.filled(transaction))
            bytes += row.body.count
            meta.archivedCount += 1
            meta.liveCount -= try Self.written { () throws(SQLiteError) in
                try self.statements.archive(row)
                return try self.statements.remove(transaction.gid, in: self.database)
            }
        }
        for gid in checkpoint.removedLive {
            meta.liveCount -= try Self.written { () throws(SQLiteError) in
                try self.statements.remove(gid, in: self.database)
            }
        }
        meta.appliedIndex = checkpoint.appliedIndex
        meta.appliedTerm = checkpoint.appliedTerm
        meta.logTime = checkpoint.logTime.rawValue
        meta.sum = checkpoint.sum
        if let notes = checkpoint.notes { meta.notes = notes.encoded() }
        meta.checksum = meta.expectedChecksum
        let row = meta
        try Self.written { () throws(SQLiteError) in try self.statements.update(row) }
        let rows = checkpoint.changedLive.count + checkpoint.finished.count + checkpoint.removedLive.count
        self.walPages += 2 + 2 * rows + bytes / 4096
        return meta
    }

    /// With the payloads that memory has let go of, from the row that holds them: of one transaction after the other, since
    /// all together they may be more than memory has room for.
    private func filled(_ transaction: GlobalTransaction) throws(CheckpointError) -> GlobalTransaction {
        if transaction.isWhole { return transaction }
        do throws(StateStoreError) {
            let stored = try self.live.lookup(transaction.gid, recovery: self.recovery)
            guard let whole = stored.flatMap(transaction.filled) else {
                throw .rot(
                    path: self.path, table: "live", row: transaction.gid.rawValue, reason: "its payloads aren't there")
            }
            return whole
        } catch {
            throw .state(error)
        }
    }

    private static func written<Result>(_ body: () throws(SQLiteError) -> Result) throws(CheckpointError) -> Result {
        do throws(SQLiteError) {
            return try body()
        } catch {
            throw .database(error)
        }
    }

    /// Only this connection ever moves the WAL, and here its errors show.
    private func moveWAL(_ mode: Database.CheckpointMode) throws(StateStoreError) {
        do {
            try self.database.checkpoint(mode)
        } catch {
            throw self.failure(error, table: "?")
        }
        self.walPages = 0
    }

    func failure(_ error: SQLiteError, table: String) -> StateStoreError {
        StateStoreError(error, path: self.path, table: table)
    }
}

/// Why a checkpoint isn't written: SQLite says so, or a row that it must be filled from can't be used.
private enum CheckpointError: Error {
    case database(SQLiteError)
    case state(StateStoreError)
}
