// SPDX-License-Identifier: Apache-2.0

import SQLite

/// The tables of `state.db`. Numbers without a sign are stored as the signed number of the same bits.
enum Schema {
    /// Creates the tables with their first row, all or nothing.
    static func create(in database: borrowing Database, meta: StateRecovery.MetaRow) throws(SQLiteError) {
        try database.begin()
        do throws(SQLiteError) {
            try database.execute(
                """
                CREATE TABLE meta (
                    id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, cluster BLOB NOT NULL,
                    node TEXT NOT NULL, storage INTEGER NOT NULL, applied_index INTEGER NOT NULL,
                    applied_term INTEGER NOT NULL, log_time INTEGER NOT NULL, live_count INTEGER NOT NULL,
                    archived_count INTEGER NOT NULL, sum INTEGER NOT NULL, notes BLOB NOT NULL,
                    crc INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE live (gid TEXT PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;
                CREATE TABLE archive (
                    gid TEXT PRIMARY KEY, finished_index INTEGER NOT NULL, state INTEGER NOT NULL, body BLOB NOT NULL,
                    crc INTEGER NOT NULL
                ) STRICT;
                -- Aborted transactions are few: without this a list of them reads all the others.
                CREATE INDEX archive_aborted ON archive (gid) WHERE state = 6;
                """)
            let insert = try Statement(
                """
                INSERT INTO meta (
                    id, format, cluster, node, storage, applied_index, applied_term, log_time, live_count,
                    archived_count, sum, notes, crc
                ) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, in: database)
            try insert.bind(meta.format, at: 1)
            try insert.bind(meta.clusterID, at: 2)
            try insert.bind(meta.nodeID, at: 3)
            try insert.bind(Int64(bitPattern: meta.storageID), at: 4)
            try insert.bind(Int64(bitPattern: meta.appliedIndex), at: 5)
            try insert.bind(Int64(bitPattern: meta.appliedTerm), at: 6)
            try insert.bind(Int64(bitPattern: meta.logTime), at: 7)
            try insert.bind(Int64(bitPattern: meta.liveCount), at: 8)
            try insert.bind(Int64(bitPattern: meta.archivedCount), at: 9)
            try insert.bind(Int64(bitPattern: meta.sum), at: 10)
            try insert.bind(meta.notes, at: 11)
            try insert.bind(meta.checksum, at: 12)
            try insert.run()
            try database.commit()
        } catch {
            // The first error is the one to show. If the file stays locked, the next statement says so.
            try? database.rollback()
            throw error
        }
    }

    /// The row of `meta`, verified.
    static func meta(
        in database: borrowing Database, recovery: StateRecovery
    ) throws(StateStoreError) -> StateRecovery.MetaRow {
        let row = try self.anyMeta(in: database, path: recovery.path)
        try recovery.check(row)
        return row
    }

    /// The row of a file whoever's it is, verified but for that.
    static func anyMeta(
        in database: borrowing Database, path: String
    ) throws(StateStoreError) -> StateRecovery.MetaRow {
        let format: Int64?
        let row: StateRecovery.MetaRow?
        do throws(SQLiteError) {
            format = try database.firstInteger("SELECT format FROM meta WHERE id = 1")
            // In another format the row has other columns.
            row = format == StateRecovery.format ? try self.readMeta(in: database) : nil
        } catch {
            throw StateStoreError(error, path: path, table: "meta")
        }
        if let format, format != StateRecovery.format {
            throw .unsupportedFormat(path: path, found: format, supported: StateRecovery.format)
        }
        guard let row else { throw .rot(path: path, table: "meta", row: "1", reason: "is missing") }
        try StateRecovery(path: path, identity: row.identity).check(row)
        return row
    }

    static func readMeta(in database: borrowing Database) throws(SQLiteError) -> StateRecovery.MetaRow? {
        let select = try Statement(
            """
            SELECT format, cluster, node, storage, applied_index, applied_term, log_time, live_count, archived_count,
                sum, notes, crc
            FROM meta WHERE id = 1
            """, in: database)
        guard try select.step() else { return nil }
        return StateRecovery.MetaRow(
            format: select.integer(column: 0), clusterID: select.blob(column: 1), nodeID: select.text(column: 2),
            storageID: UInt64(bitPattern: select.integer(column: 3)),
            appliedIndex: UInt64(bitPattern: select.integer(column: 4)),
            appliedTerm: UInt64(bitPattern: select.integer(column: 5)),
            logTime: UInt64(bitPattern: select.integer(column: 6)),
            liveCount: UInt64(bitPattern: select.integer(column: 7)),
            archivedCount: UInt64(bitPattern: select.integer(column: 8)),
            sum: UInt64(bitPattern: select.integer(column: 9)), notes: select.blob(column: 10),
            checksum: select.integer(column: 11))
    }
}
