// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// What SQLite answered when it did not do what it was asked.
package struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The extended result code (https://sqlite.org/rescode.html).
    package let code: Int32
    /// SQLite's own words.
    package let message: String
    /// The statement, or the name of the call that has none.
    package let sql: String

    package init(code: Int32, message: String, sql: String) {
        self.code = code
        self.message = message
        self.sql = sql
    }

    /// The result code without its extension.
    package var primaryCode: Int32 { self.code & 0xFF }

    /// No room on the disk. SQLite has rolled the transaction back, or it can be rolled back.
    package var isFull: Bool { self.primaryCode == SQLITE_FULL }
    /// Another connection holds a lock.
    package var isBusy: Bool { self.primaryCode == SQLITE_BUSY || self.primaryCode == SQLITE_LOCKED }
    /// The file's content is damaged, or it is no database at all.
    package var isCorrupt: Bool { self.primaryCode == SQLITE_CORRUPT || self.primaryCode == SQLITE_NOTADB }
    /// The operating system refused a read, write or sync.
    package var isIO: Bool { self.primaryCode == SQLITE_IOERR }
    /// The file cannot be opened: it is missing, or permission is.
    package var cannotOpen: Bool { self.primaryCode == SQLITE_CANTOPEN || self.primaryCode == SQLITE_PERM }
    /// A constraint (unique, not null, check, foreign key) refused the change.
    package var isConstraint: Bool { self.primaryCode == SQLITE_CONSTRAINT }

    package var description: String { "SQLite \(self.code): \(self.message) (\(self.sql))" }
}
