// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// A prepared statement. Not copyable, so that two owners cannot step or finalise the same cursor.
///
/// Parameters count from 1 and columns from 0, as SQLite's own do. After `step()` has given its last row, or to use the
/// statement again, call `reset()`.
package struct Statement: ~Copyable {
    private let handle: OpaquePointer
    private let sql: StaticString

    package init(_ sql: StaticString, in database: borrowing Database) throws(SQLiteError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            database.handle, sql.cString, Int32(sql.utf8CodeUnitCount), UInt32(SQLITE_PREPARE_PERSISTENT), &prepared,
            nil)
        guard code == SQLITE_OK, let prepared else { throw database.error(code: code, sql: sql.description) }
        self.handle = prepared
        self.sql = sql
    }

    deinit { sqlite3_finalize(self.handle) }

    // MARK: Values

    package func bind(_ value: Int64, at parameter: Int32) throws(SQLiteError) {
        try self.check(sqlite3_bind_int64(self.handle, parameter, value))
    }

    package func bind(_ value: Int64?, at parameter: Int32) throws(SQLiteError) {
        if let value { try self.bind(value, at: parameter) } else { try self.bindNull(at: parameter) }
    }

    /// Binds a copy of the text.
    package func bind(_ value: String, at parameter: Int32) throws(SQLiteError) {
        var value = value
        let code = value.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { text in
                sqlite3_bind_text64(
                    self.handle, parameter, text.baseAddress ?? Self.emptyText, UInt64(text.count),
                    Self.copied, UInt8(SQLITE_UTF8))
            }
        }
        try self.check(code)
    }

    package func bind(_ value: String?, at parameter: Int32) throws(SQLiteError) {
        if let value { try self.bind(value, at: parameter) } else { try self.bindNull(at: parameter) }
    }

    /// Binds a copy of the bytes. For a large blob see `run(blob:at:)`.
    package func bind(_ value: [UInt8], at parameter: Int32) throws(SQLiteError) {
        guard !value.isEmpty else { return try self.check(sqlite3_bind_zeroblob(self.handle, parameter, 0)) }
        let code = value.withUnsafeBytes { raw in
            sqlite3_bind_blob64(self.handle, parameter, raw.baseAddress, UInt64(raw.count), Self.copied)
        }
        try self.check(code)
    }

    package func bind(_ value: [UInt8]?, at parameter: Int32) throws(SQLiteError) {
        if let value { try self.bind(value, at: parameter) } else { try self.bindNull(at: parameter) }
    }

    package func bindNull(at parameter: Int32) throws(SQLiteError) {
        try self.check(sqlite3_bind_null(self.handle, parameter))
    }

    // MARK: Running

    /// Moves to the next row.
    /// - Returns: whether there is one.
    package func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_step(self.handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case _: throw self.error(code: code)
        }
    }

    /// Makes the statement ready to run again; bound values stay.
    package func reset() {
        // Its result is that of the last step, which was thrown there.
        sqlite3_reset(self.handle)
    }

    /// Runs to the end and resets, whether it fails or not: for statements whose rows don't matter.
    package func run() throws(SQLiteError) {
        defer { self.reset() }
        while try self.step() {}
    }

    /// Runs as `run()` with these bytes bound without a copy; unbound again afterwards.
    package func run(blob: [UInt8], at parameter: Int32) throws(SQLiteError) {
        guard !blob.isEmpty else {
            try self.bind(blob, at: parameter)
            return try self.run()
        }
        let result = blob.withUnsafeBytes { raw -> Result<Void, SQLiteError> in
            // A nil destructor is SQLITE_STATIC: the bytes stay where they are until the binding below ends.
            let code = sqlite3_bind_blob64(self.handle, parameter, raw.baseAddress, UInt64(raw.count), nil)
            defer { sqlite3_bind_null(self.handle, parameter) }
            return Result { () throws(SQLiteError) in
                try self.check(code)
                try self.run()
            }
        }
        try result.get()
    }

    // MARK: Columns of the current row

    package func integer(column: Int32) -> Int64 { sqlite3_column_int64(self.handle, column) }

    package func isNull(column: Int32) -> Bool { sqlite3_column_type(self.handle, column) == SQLITE_NULL }

    /// Text of the column; empty for null. What isn't UTF-8 is repaired.
    package func text(column: Int32) -> String {
        guard let start = sqlite3_column_text(self.handle, column) else { return "" }
        let length = Int(sqlite3_column_bytes(self.handle, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: length), as: UTF8.self)
    }

    /// A copy of the column's bytes; empty for null.
    package func blob(column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(self.handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(self.handle, column))))
    }

    // MARK: Parts

    private func check(_ code: Int32) throws(SQLiteError) {
        guard code == SQLITE_OK else { throw self.error(code: code) }
    }

    private func error(code: Int32) -> SQLiteError {
        let message = sqlite3_db_handle(self.handle).map { String(cString: sqlite3_errmsg($0)) } ?? ""
        return SQLiteError(code: code, message: message, sql: self.sql.description)
    }

    /// SQLITE_TRANSIENT, which C writes as a cast: SQLite makes a copy before the call returns.
    private static var copied: sqlite3_destructor_type? { unsafeBitCast(-1, to: sqlite3_destructor_type?.self) }

    private static var emptyText: UnsafePointer<CChar> { ("" as StaticString).cString }
}
