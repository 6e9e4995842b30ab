// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

extension Database {
    /// How far a checkpoint goes (https://sqlite.org/c3ref/wal_checkpoint_v2.html).
    package enum CheckpointMode: Hashable, Sendable {
        /// Copies what it can without waiting for anyone.
        case passive
        /// Copies every frame and syncs the database.
        case full
        /// As `full`; the next write begins the WAL anew.
        case restart
        /// As `restart`, and cuts the WAL to length zero.
        case truncate
    }

    /// What a checkpoint found and did.
    package struct CheckpointResult: Hashable, Sendable {
        /// Frames in the WAL.
        package let walFrames: Int32
        /// How many of them are in the database file now.
        package let checkpointedFrames: Int32

        /// Nothing is left in the WAL that the database file doesn't have.
        package var isComplete: Bool { self.walFrames == self.checkpointedFrames }
    }

    /// Moves the WAL's content into the database file.
    /// - Throws: `SQLITE_BUSY` if another connection is in the way; any error of reading, writing or syncing.
    @discardableResult
    package func checkpoint(_ mode: CheckpointMode) throws(SQLiteError) -> CheckpointResult {
        let number: Int32
        switch mode {
        case .passive: number = SQLITE_CHECKPOINT_PASSIVE
        case .full: number = SQLITE_CHECKPOINT_FULL
        case .restart: number = SQLITE_CHECKPOINT_RESTART
        case .truncate: number = SQLITE_CHECKPOINT_TRUNCATE
        }
        var frames: Int32 = 0
        var done: Int32 = 0
        let code = sqlite3_wal_checkpoint_v2(self.handle, nil, number, &frames, &done)
        guard code == SQLITE_OK else { throw self.error(code: code, sql: "checkpoint") }
        return CheckpointResult(walFrames: frames, checkpointedFrames: done)
    }

    /// A switch of the connection (https://sqlite.org/c3ref/c_dbconfig_defensive.html).
    package enum Switch: Hashable, Sendable {
        /// SQL can't damage the file (no writes to shadow tables or to the schema table).
        case defensive
        /// Closing leaves the WAL as it is.
        case noCheckpointOnClose
        /// Functions and tables in the schema are believed. Off is safer for a file from elsewhere.
        case trustedSchema
        /// Foreign keys are enforced.
        case foreignKeys
    }

    package func set(_ option: Switch, _ isOn: Bool) throws(SQLiteError) {
        let number: Int32
        switch option {
        case .defensive: number = SQLITE_DBCONFIG_DEFENSIVE
        case .noCheckpointOnClose: number = SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
        case .trustedSchema: number = SQLITE_DBCONFIG_TRUSTED_SCHEMA
        case .foreignKeys: number = SQLITE_DBCONFIG_ENABLE_FKEY
        }
        let code = verdict_sqlite_switch(self.handle, number, isOn ? 1 : 0)
        guard code == SQLITE_OK else { throw self.error(code: code, sql: "configure") }
    }

    /// Puts the database in WAL mode and reads back that it is: the pragma can fail without an error.
    package func enterWALMode() throws(SQLiteError) {
        let mode = try self.firstText("PRAGMA journal_mode=WAL")
        guard mode == "wal" else {
            throw SQLiteError(
                code: SQLITE_CANTOPEN, message: "the journal mode stays \(mode ?? "unknown")",
                sql: "PRAGMA journal_mode=WAL")
        }
    }

    /// Writes a copy of this database as it is now to a new file, while others may go on writing.
    package func backup(to path: String) throws(SQLiteError) {
        let target = try Database(path: path)
        guard let job = sqlite3_backup_init(target.handle, "main", self.handle, "main") else {
            throw target.error(code: sqlite3_extended_errcode(target.handle), sql: "backup to \(path)")
        }
        let stepped = sqlite3_backup_step(job, -1)
        let finished = sqlite3_backup_finish(job)
        guard stepped == SQLITE_DONE, finished == SQLITE_OK else {
            throw target.error(code: stepped == SQLITE_DONE ? finished : stepped, sql: "backup to \(path)")
        }
    }
}

extension Database {
    /// Pages that this connection's transactions have written: to the WAL, in WAL mode. Checkpoints don't count.
    package var pagesWritten: Int {
        var current: Int32 = 0
        var highest: Int32 = 0
        sqlite3_db_status(self.handle, SQLITE_DBSTATUS_CACHE_WRITE, &current, &highest, 0)
        return Int(current)
    }
}
