// SPDX-License-Identifier: Apache-2.0

public import CoordinatorClient
import SQLite

/// A participant's SQLite database with the branch barrier in it: every branch call runs in one local transaction
/// together with the row that remembers it.
///
/// ```swift
/// let barrier = try SQLiteBarrier(path: "stock.db")
/// let verdict = try barrier.run(call) { stock in
///     let changed = try stock.execute("UPDATE stock SET free = free - ?1 WHERE item = ?2 AND free >= ?1", 3, "chair")
///     if changed == 0 { throw BranchFailure("fewer than 3 chairs are left") }
/// }
/// ```
///
/// It is one connection: use it from one thread at a time (an actor is a good owner). Commits are synced to the disk
/// before ``run(_:effect:)`` returns.
public struct SQLiteBarrier: ~Copyable {
    private let connection: Connection

    /// Opens or creates the database, in WAL mode with `synchronous=FULL`, and creates the barrier's table if there is
    /// none.
    /// - Parameters:
    ///   - path: the database's file.
    ///   - busyTimeout: milliseconds to wait for another connection's lock.
    public init(path: String, busyTimeout: Int32 = 5000) throws(SQLiteBarrierError) {
        do throws(SQLiteError) {
            self.connection = try Connection(path: path, busyTimeoutMilliseconds: busyTimeout)
        } catch {
            throw SQLiteBarrierError(error)
        }
    }

    /// Runs one branch call in a local transaction of its own.
    /// - Parameters:
    ///   - call: which branch is called, and for what.
    ///   - effect: the participant's work. It throws ``BranchFailure`` to say no. It isn't called if the barrier's
    ///     rules already know the answer.
    /// - Returns: what to answer the coordinator: 2xx for success, 409 for failure.
    public func run(
        _ call: BranchContext, effect: (borrowing LocalTransaction) throws -> Void
    ) throws(SQLiteBarrierError) -> BranchVerdict {
        try self.inTransaction { () throws(BarrierRunError) in
            try self.connection.table.run(call, in: self.connection.database) {
                try effect(LocalTransaction(self.connection))
            }
        }
    }

    /// Does other work on the database in a local transaction: creates tables, reads, takes in goods.
    public func transaction(_ body: (borrowing LocalTransaction) throws -> Void) throws(SQLiteBarrierError) {
        try self.inTransaction { () throws(BarrierRunError) in
            do {
                try body(LocalTransaction(self.connection))
            } catch let error as SQLiteError {
                throw .sqlite(error)
            } catch {
                throw .effect(error)
            }
        }
    }

    /// Removes at most `limit` rows that were recorded more than so many seconds ago, oldest first. A call that comes
    /// later still is taken for a new one: keep rows for longer than any transaction may live.
    /// - Parameters:
    ///   - seconds: the age in seconds above which a row goes.
    ///   - now: seconds since 1970.
    ///   - limit: how many rows one call removes at most.
    /// - Returns: how many were removed.
    @discardableResult
    public func removeRows(
        olderThan seconds: Int64, now: Int64, limit: Int64 = 10_000
    ) throws(SQLiteBarrierError) -> Int64 {
        do throws(SQLiteError) {
            return try self.connection.table.removeRows(
                recordedBefore: now - seconds, limit: limit, in: self.connection.database)
        } catch {
            throw SQLiteBarrierError(error)
        }
    }

    private func inTransaction<Result>(
        _ body: () throws(BarrierRunError) -> Result
    ) throws(SQLiteBarrierError) -> Result {
        do throws(BarrierRunError) {
            do throws(SQLiteError) { try self.connection.database.begin() } catch { throw .sqlite(error) }
            let result = try body()
            do throws(SQLiteError) { try self.connection.database.commit() } catch { throw .sqlite(error) }
            return result
        } catch {
            try? self.connection.database.rollback()
            throw SQLiteBarrierError(error)
        }
    }
}
