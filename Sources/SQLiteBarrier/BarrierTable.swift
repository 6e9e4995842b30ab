// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
package import SQLite

/// The barrier's rows in a participant's own database, and the statements that read and write them.
///
/// Its owner keeps it beside the `Database`, and uses both from one thread at a time.
package struct BarrierTable: ~Copyable {
    private let select: Statement
    private let insert: Statement
    private let forget: Statement

    /// Creates the table if there is none.
    ///
    /// Rows are kept in the order in which they came, so that the oldest are found without an index of their own.
    package init(in database: borrowing Database) throws(SQLiteError) {
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS verdict_barrier (
                gid TEXT NOT NULL,
                branch TEXT NOT NULL,
                operation TEXT NOT NULL,
                is_success INTEGER NOT NULL,
                reason TEXT,
                origin TEXT NOT NULL,
                recorded_at INTEGER NOT NULL,
                UNIQUE (gid, branch, operation)
            )
            """)
        let select = try Statement(
            "SELECT operation, is_success, reason, origin FROM verdict_barrier WHERE gid = ?1 AND branch = ?2",
            in: database)
        let insert = try Statement(
            """
            INSERT INTO verdict_barrier (gid, branch, operation, is_success, reason, origin, recorded_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, CAST(strftime('%s', 'now') AS INTEGER))
            """, in: database)
        let forget = try Statement(
            """
            DELETE FROM verdict_barrier
            WHERE rowid IN (SELECT rowid FROM verdict_barrier ORDER BY rowid LIMIT ?1) AND recorded_at < ?2
            """, in: database)
        self.select = select
        self.insert = insert
        self.forget = forget
    }

    /// Decides on one call and runs its effect, inside a transaction that the caller has begun and will commit. Nothing
    /// may be answered before that commit has returned.
    ///
    /// The effect stands in a savepoint: if it throws, only its own changes are undone, and the caller's transaction
    /// goes on.
    /// - Parameter effect: the participant's work on the same database. It throws `BranchFailure` to say no.
    /// - Throws: `contradiction`; `sqlite` if the database failed, also when the effect threw an `SQLiteError`;
    ///   `effect` for anything else that the effect threw. Then nothing of this call stays.
    package func run(
        _ call: BranchContext, in database: borrowing Database, effect: () throws -> Void
    ) throws(BarrierRunError) -> BranchVerdict {
        let decision: BarrierDecision
        let known = try self.rows(of: call)
        do throws(BarrierContradiction) {
            decision = try BarrierRules.decide(call.operation, rows: known)
        } catch {
            throw .contradiction(error)
        }
        switch decision {
        case .answer(let verdict, let rows):
            try Self.translated { () throws(SQLiteError) in
                for row in rows { try self.record(row, of: call) }
            }
            return verdict
        case .run(let recordsFailure):
            let verdict = try self.attempt(call, in: database, effect)
            guard verdict == .success || recordsFailure else { return verdict }
            try Self.translated { () throws(SQLiteError) in
                try self.record(BarrierRow(operation: call.operation, verdict: verdict, origin: .ran), of: call)
            }
            return verdict
        }
    }

    /// Removes rows that were recorded before an instant, oldest first. A call that comes later still would be taken
    /// for a new one: keep rows for longer than any transaction may live.
    /// - Parameters:
    ///   - seconds: seconds since 1970.
    ///   - limit: how many rows one call removes at most.
    /// - Returns: how many were removed.
    package func removeRows(
        recordedBefore seconds: Int64, limit: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> Int64 {
        try self.forget.bind(limit, at: 1)
        try self.forget.bind(seconds, at: 2)
        try self.forget.run()
        return database.changes
    }

    private func attempt(
        _ call: BranchContext, in database: borrowing Database, _ effect: () throws -> Void
    ) throws(BarrierRunError) -> BranchVerdict {
        try Self.translated { () throws(SQLiteError) in try database.execute("SAVEPOINT verdict_effect") }
        do {
            try effect()
            try Self.translated { () throws(SQLiteError) in try database.execute("RELEASE verdict_effect") }
            return .success
        } catch {
            // Some errors of SQLite (a full disk, for one) have undone the whole transaction already.
            if database.isInTransaction {
                try Self.translated { () throws(SQLiteError) in
                    try database.execute("ROLLBACK TO verdict_effect")
                    try database.execute("RELEASE verdict_effect")
                }
            }
            switch error {
            case let failure as BranchFailure: return .failure(reason: failure.reason)
            case let error as SQLiteError: throw .sqlite(error)
            case let error as BarrierRunError: throw error
            case let error: throw .effect(error)
            }
        }
    }

    private func rows(of call: BranchContext) throws(BarrierRunError) -> [BarrierRow] {
        defer { self.select.reset() }
        var rows: [BarrierRow] = []
        try Self.translated { () throws(SQLiteError) in
            try self.select.bind(call.gid, at: 1)
            try self.select.bind(call.branch, at: 2)
        }
        while try Self.translated({ () throws(SQLiteError) in try self.select.step() }) {
            let name = self.select.text(column: 0)
            guard let operation = BranchOperation(rawValue: name),
                let origin = BarrierRow.Origin(rawValue: self.select.text(column: 3))
            else { throw .unreadable("the barrier's row for \(call.gid), \(call.branch), \(name)") }
            let verdict: BranchVerdict =
                self.select.integer(column: 1) == 1 ? .success : .failure(reason: self.select.text(column: 2))
            rows.append(BarrierRow(operation: operation, verdict: verdict, origin: origin))
        }
        return rows
    }

    private func record(_ row: BarrierRow, of call: BranchContext) throws(SQLiteError) {
        try self.insert.bind(call.gid, at: 1)
        try self.insert.bind(call.branch, at: 2)
        try self.insert.bind(row.operation.rawValue, at: 3)
        switch row.verdict {
        case .success:
            try self.insert.bind(1, at: 4)
            try self.insert.bindNull(at: 5)
        case .failure(let reason):
            try self.insert.bind(0, at: 4)
            try self.insert.bind(reason, at: 5)
        }
        try self.insert.bind(row.origin.rawValue, at: 6)
        try self.insert.run()
    }

    private static func translated<Result>(
        _ body: () throws(SQLiteError) -> Result
    ) throws(BarrierRunError) -> Result {
        do throws(SQLiteError) { return try body() } catch { throw .sqlite(error) }
    }
}

/// Why a branch call has no answer.
package enum BarrierRunError: Error {
    /// The call can't be right after what was recorded before.
    case contradiction(BarrierContradiction)
    /// The database failed. If it is no longer in the transaction, the whole transaction is undone.
    case sqlite(SQLiteError)
    /// The effect threw something that is no business failure.
    case effect(any Error)
    /// A row that this version can't read: written by a newer one, or damaged.
    case unreadable(String)
}
