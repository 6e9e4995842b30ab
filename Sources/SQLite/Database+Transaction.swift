// SPDX-License-Identifier: Apache-2.0

extension Database {
    /// How a transaction takes its locks.
    package enum TransactionKind: Hashable, Sendable {
        /// Takes the write lock at once, so that a later write can't meet `SQLITE_BUSY`.
        case immediate
        /// Takes no lock before the first read or write: for reading alone.
        case deferred
    }

    package func begin(_ kind: TransactionKind = .immediate) throws(SQLiteError) {
        switch kind {
        case .immediate: try self.execute("BEGIN IMMEDIATE")
        case .deferred: try self.execute("BEGIN DEFERRED")
        }
    }

    package func commit() throws(SQLiteError) { try self.execute("COMMIT") }

    /// Undoes the open transaction. Does nothing if there is none: some errors make SQLite roll back by itself.
    package func rollback() throws(SQLiteError) {
        guard self.isInTransaction else { return }
        try self.execute("ROLLBACK")
    }

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    /// - Throws: the body's error, or that of the commit. An error of the roll-back itself is not shown; a connection
    ///   whose `isInTransaction` is still true then must be closed.
    package func transaction<Result: ~Copyable>(
        _ kind: TransactionKind = .immediate, _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        try self.begin(kind)
        do throws(SQLiteError) {
            let result = try body()
            try self.commit()
            return result
        } catch {
            try? self.rollback()
            throw error
        }
    }
}
