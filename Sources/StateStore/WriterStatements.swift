// SPDX-License-Identifier: Apache-2.0

import SQLite
import Transactions

/// The statements that write, prepared once.
struct WriterStatements: ~Copyable {
    private let updateLive: Statement
    private let insertLive: Statement
    private let deleteLive: Statement
    private let insertArchive: Statement
    private let updateMeta: Statement

    init(in database: borrowing Database) throws(SQLiteError) {
        let updateLive = try Statement("UPDATE live SET body = ?2, crc = ?3 WHERE gid = ?1", in: database)
        let insertLive = try Statement("INSERT INTO live (gid, body, crc) VALUES (?1, ?2, ?3)", in: database)
        let deleteLive = try Statement("DELETE FROM live WHERE gid = ?1", in: database)
        let insertArchive = try Statement(
            "INSERT INTO archive (gid, finished_index, state, crc, body) VALUES (?1, ?2, ?3, ?4, ?5)", in: database)
        let updateMeta = try Statement(
            """
            UPDATE meta SET applied_index = ?1, applied_term = ?2, log_time = ?3, live_count = ?4, archived_count = ?5,
                sum = ?6, notes = ?7, crc = ?8 WHERE id = 1
            """, in: database)
        // All at once: a throw before this leaves nothing half made.
        self.updateLive = updateLive
        self.insertLive = insertLive
        self.deleteLive = deleteLive
        self.insertArchive = insertArchive
        self.updateMeta = updateMeta
    }

    /// - Returns: whether the row is new.
    func put(_ row: StateRecovery.LiveRow, in database: borrowing Database) throws(SQLiteError) -> Bool {
        try self.updateLive.bind(row.gid, at: 1)
        try self.updateLive.bind(row.checksum, at: 3)
        try self.updateLive.run(blob: row.body, at: 2)
        guard database.changes == 0 else { return false }
        try self.insertLive.bind(row.gid, at: 1)
        try self.insertLive.bind(row.checksum, at: 3)
        try self.insertLive.run(blob: row.body, at: 2)
        return true
    }

    /// - Returns: how many rows there were: none or one.
    func remove(_ gid: Gid, in database: borrowing Database) throws(SQLiteError) -> UInt64 {
        try self.deleteLive.bind(gid.rawValue, at: 1)
        try self.deleteLive.run()
        return UInt64(database.changes)
    }

    func archive(_ row: StateRecovery.ArchiveRow) throws(SQLiteError) {
        try self.insertArchive.bind(row.gid, at: 1)
        try self.insertArchive.bind(Int64(bitPattern: row.finishedIndex), at: 2)
        try self.insertArchive.bind(row.state, at: 3)
        try self.insertArchive.bind(row.checksum, at: 4)
        try self.insertArchive.run(blob: row.body, at: 5)
    }

    func update(_ meta: StateRecovery.MetaRow) throws(SQLiteError) {
        try self.updateMeta.bind(Int64(bitPattern: meta.appliedIndex), at: 1)
        try self.updateMeta.bind(Int64(bitPattern: meta.appliedTerm), at: 2)
        try self.updateMeta.bind(Int64(bitPattern: meta.logTime), at: 3)
        try self.updateMeta.bind(Int64(bitPattern: meta.liveCount), at: 4)
        try self.updateMeta.bind(Int64(bitPattern: meta.archivedCount), at: 5)
        try self.updateMeta.bind(Int64(bitPattern: meta.sum), at: 6)
        try self.updateMeta.bind(meta.notes, at: 7)
        try self.updateMeta.bind(meta.checksum, at: 8)
        try self.updateMeta.run()
    }
}
