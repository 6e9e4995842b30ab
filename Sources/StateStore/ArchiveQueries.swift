// SPDX-License-Identifier: Apache-2.0

import SQLite
import Transactions

/// The statements that read the archive, prepared once. Every row is verified when it is read.
struct ArchiveQueries: ~Copyable {
    private let byGid: Statement
    private let all: Statement
    private let committed: Statement
    private let aborted: Statement

    init(in database: borrowing Database) throws(SQLiteError) {
        let byGid = try Statement(
            "SELECT gid, finished_index, state, crc, body FROM archive WHERE gid = ?1", in: database)
        let all = try Statement(
            "SELECT gid, finished_index, state, crc, body FROM archive WHERE gid > ?1 ORDER BY gid LIMIT ?2",
            in: database)
        let committed = try Statement(
            """
            SELECT gid, finished_index, state, crc, body FROM archive WHERE state = 5 AND gid > ?1 ORDER BY gid LIMIT ?2
            """, in: database)
        // The state as a literal lets SQLite use the index of aborted ones.
        let aborted = try Statement(
            """
            SELECT gid, finished_index, state, crc, body FROM archive WHERE state = 6 AND gid > ?1 ORDER BY gid LIMIT ?2
            """, in: database)
        // All at once: a throw before this leaves nothing half made.
        self.byGid = byGid
        self.all = all
        self.committed = committed
        self.aborted = aborted
    }

    func lookup(_ gid: Gid, recovery: StateRecovery) throws(StateStoreError) -> GlobalTransaction? {
        let row: StateRecovery.ArchiveRow?
        do throws(SQLiteError) {
            try self.byGid.bind(gid.rawValue, at: 1)
            // Resetting ends the read, so that it doesn't hold the WAL back.
            defer { self.byGid.reset() }
            row = try self.byGid.step() ? Self.row(self.byGid) : nil
        } catch {
            throw StateStoreError(error, path: recovery.path, table: "archive")
        }
        guard let row else { return nil }
        let transaction = try recovery.transaction(row)
        guard transaction.gid == gid else {
            throw .rot(path: recovery.path, table: "archive", row: gid.rawValue, reason: "another row is found for it")
        }
        return transaction
    }

    func list(
        state: TransactionState?, after: Gid?, limit: Int, recovery: StateRecovery
    ) throws(StateStoreError) -> [GlobalTransaction] {
        let rows: [StateRecovery.ArchiveRow]
        do throws(SQLiteError) {
            switch state {
            case nil: rows = try Self.page(self.all, after: after?.rawValue ?? "", limit: limit)
            case .committed: rows = try Self.page(self.committed, after: after?.rawValue ?? "", limit: limit)
            case .aborted: rows = try Self.page(self.aborted, after: after?.rawValue ?? "", limit: limit)
            case .open, .running, .committing, .aborting: rows = []
            }
        } catch {
            throw StateStoreError(error, path: recovery.path, table: "archive")
        }
        var transactions: [GlobalTransaction] = []
        transactions.reserveCapacity(rows.count)
        for row in rows { transactions.append(try recovery.transaction(row)) }
        return transactions
    }

    /// Rows in the order of their gids, as they are: for those who check them without a look into their bodies.
    func rows(after gid: String, limit: Int, recovery: StateRecovery) throws(StateStoreError) -> [StateRecovery
        .ArchiveRow]
    {
        do throws(SQLiteError) {
            return try Self.page(self.all, after: gid, limit: limit)
        } catch {
            throw StateStoreError(error, path: recovery.path, table: "archive")
        }
    }

    private static func page(
        _ statement: borrowing Statement, after: String, limit: Int
    ) throws(SQLiteError) -> [StateRecovery.ArchiveRow] {
        try statement.bind(after, at: 1)
        try statement.bind(Int64(max(0, limit)), at: 2)
        defer { statement.reset() }
        var rows: [StateRecovery.ArchiveRow] = []
        while try statement.step() { rows.append(Self.row(statement)) }
        return rows
    }

    private static func row(_ statement: borrowing Statement) -> StateRecovery.ArchiveRow {
        StateRecovery.ArchiveRow(
            gid: statement.text(column: 0), finishedIndex: UInt64(bitPattern: statement.integer(column: 1)),
            state: statement.integer(column: 2), body: statement.blob(column: 4), checksum: statement.integer(column: 3)
        )
    }
}
