// SPDX-License-Identifier: Apache-2.0

import SQLite

/// A value to bind in a statement.
public enum SQLiteValue: Hashable, Sendable {
    /// No value.
    case null
    /// A whole number.
    case integer(Int64)
    /// A text.
    case text(String)
    /// Bytes.
    case blob([UInt8])
}

extension SQLiteValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// No value.
    public init(nilLiteral: ()) { self = .null }
}

/// The local transaction in which an effect runs.
///
/// SQL is a literal and values are bound to `?1`, `?2` and so on, so nothing that came over the network can become SQL.
/// An error of the database that a method throws must leave the effect, so that the barrier sees it.
public struct LocalTransaction: ~Copyable {
    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    /// Runs one statement.
    /// - Returns: rows that it inserted, updated or deleted.
    @discardableResult
    public func execute(_ sql: StaticString, _ values: SQLiteValue...) throws -> Int64 {
        let statement = try self.prepared(sql, values)
        try statement.run()
        return self.connection.database.changes
    }

    /// The first column of the first row as a number; `nil` without a row, or if it is null.
    public func integer(_ sql: StaticString, _ values: SQLiteValue...) throws -> Int64? {
        let statement = try self.prepared(sql, values)
        return try statement.step() && !statement.isNull(column: 0) ? statement.integer(column: 0) : nil
    }

    /// The first column of the first row as text; `nil` without a row, or if it is null.
    public func text(_ sql: StaticString, _ values: SQLiteValue...) throws -> String? {
        let statement = try self.prepared(sql, values)
        return try statement.step() && !statement.isNull(column: 0) ? statement.text(column: 0) : nil
    }

    /// Hands each row of a query to `body`, in the query's order.
    public func forEachRow(
        _ sql: StaticString, _ values: SQLiteValue..., body: (borrowing Row) throws -> Void
    ) throws {
        let row = Row(statement: try self.prepared(sql, values))
        while try row.statement.step() { try body(row) }
    }

    /// One row of a query. Columns count from 0.
    public struct Row: ~Copyable {
        let statement: Statement

        /// Whether the column has no value.
        public func isNull(_ column: Int) -> Bool { self.statement.isNull(column: Int32(column)) }
        /// The column as a number; 0 for null.
        public func integer(_ column: Int) -> Int64 { self.statement.integer(column: Int32(column)) }
        /// The column as text; empty for null.
        public func text(_ column: Int) -> String { self.statement.text(column: Int32(column)) }
        /// The column's bytes; empty for null.
        public func blob(_ column: Int) -> [UInt8] { self.statement.blob(column: Int32(column)) }
    }

    private func prepared(_ sql: StaticString, _ values: [SQLiteValue]) throws(SQLiteError) -> Statement {
        let statement = try Statement(sql, in: self.connection.database)
        for (offset, value) in values.enumerated() {
            let parameter = Int32(offset + 1)
            switch value {
            case .null: try statement.bindNull(at: parameter)
            case .integer(let number): try statement.bind(number, at: parameter)
            case .text(let text): try statement.bind(text, at: parameter)
            case .blob(let bytes): try statement.bind(bytes, at: parameter)
            }
        }
        return statement
    }
}

/// The database and the barrier's statements in one owner, so that a transaction can refer to both.
final class Connection {
    let database: Database
    let table: BarrierTable

    init(path: String, busyTimeoutMilliseconds: Int32) throws(SQLiteError) {
        self.database = try Database(path: path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try self.database.enterWALMode()
        try self.database.execute("PRAGMA synchronous=FULL")
        self.table = try BarrierTable(in: self.database)
    }
}
