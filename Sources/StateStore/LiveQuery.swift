// SPDX-License-Identifier: Apache-2.0

import SQLite
import Transactions

/// The statement that reads one live transaction, with the payloads that memory has let go of.
struct LiveQuery: ~Copyable {
    private let byGid: Statement

    init(in database: borrowing Database) throws(SQLiteError) {
        self.byGid = try Statement("SELECT gid, body, crc FROM live WHERE gid = ?1", in: database)
    }

    func lookup(_ gid: Gid, recovery: StateRecovery) throws(StateStoreError) -> GlobalTransaction? {
        let row: StateRecovery.LiveRow?
        do throws(SQLiteError) {
            try self.byGid.bind(gid.rawValue, at: 1)
            // Resetting ends the read, so that it doesn't hold the WAL back.
            defer { self.byGid.reset() }
            row = try self.byGid.step() ? Self.row(self.byGid) : nil
        } catch {
            throw StateStoreError(error, path: recovery.path, table: "live")
        }
        guard let row else { return nil }
        let transaction = try recovery.transaction(row)
        guard transaction.gid == gid else {
            throw .rot(path: recovery.path, table: "live", row: gid.rawValue, reason: "another row is found for it")
        }
        return transaction
    }

    /// - Parameter statement: one that selects gid, body and crc, and stands at a row.
    static func row(_ statement: borrowing Statement) -> StateRecovery.LiveRow {
        StateRecovery.LiveRow(
            gid: statement.text(column: 0), body: statement.blob(column: 1), checksum: statement.integer(column: 2))
    }
}
