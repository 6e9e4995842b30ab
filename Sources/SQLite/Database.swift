// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// One connection to a database file. Not copyable, so that one owner opens and closes it.
///
/// SQLite's own mutex is off: a connection and its statements may move from thread to thread but never work on two at
/// once. Its owner must outlive its statements; keep them in one object.
package struct Database: ~Copyable {
    /// What a connection may do with the file.
    package enum Access: Hashable, Sendable {
        /// Read and write; the file is created if there is none.
        case create
        /// Read and write a file that exists.
        case readWrite
        /// Read alone. A database in WAL mode still needs to write its `-shm` file.
        case readOnly
        /// Read a file that nobody changes meanwhile: no lock is taken, and a WAL beside it is not looked at.
        case immutable
    }

    let handle: OpaquePointer
    package let path: String

    /// - Parameter busyTimeoutMilliseconds: how long to wait for another connection's lock before `SQLITE_BUSY`.
    package init(path: String, access: Access = .create, busyTimeoutMilliseconds: Int32 = 0) throws(SQLiteError) {
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE
        var name = path
        switch access {
        case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        case .immutable:
            flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            name = "file:" + Self.percentEncoded(path) + "?immutable=1"
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let error = SQLiteError(
                code: code, message: opened.map { String(cString: sqlite3_errmsg($0)) } ?? Self.text(of: code),
                sql: "open \(path)")
            sqlite3_close_v2(opened)
            throw error
        }
        self.handle = opened
        self.path = path
        sqlite3_extended_result_codes(opened, 1)
        sqlite3_busy_timeout(opened, busyTimeoutMilliseconds)
    }

    deinit { sqlite3_close_v2(self.handle) }

    /// Runs statements that take no value and whose rows, if any, don't matter.
    package func execute(_ sql: StaticString) throws(SQLiteError) {
        let code = sqlite3_exec(self.handle, sql.cString, nil, nil, nil)
        guard code == SQLITE_OK else { throw self.error(code: code, sql: sql.description) }
    }

    /// The first column of the first row as text: what a pragma answered. `nil` without a row, or if it is null.
    package func firstText(_ sql: StaticString) throws(SQLiteError) -> String? {
        let statement = try Statement(sql, in: self)
        guard try statement.step() else { return nil }
        return statement.isNull(column: 0) ? nil : statement.text(column: 0)
    }

    /// The first column of the first row as a number; `nil` without a row, or if it is null.
    package func firstInteger(_ sql: StaticString) throws(SQLiteError) -> Int64? {
        let statement = try Statement(sql, in: self)
        guard try statement.step() else { return nil }
        return statement.isNull(column: 0) ? nil : statement.integer(column: 0)
    }

    /// Rows that the last INSERT, UPDATE or DELETE changed.
    package var changes: Int64 { sqlite3_changes64(self.handle) }

    /// Whether a transaction is open on this connection.
    package var isInTransaction: Bool { sqlite3_get_autocommit(self.handle) == 0 }

    package func setBusyTimeout(milliseconds: Int32) {
        sqlite3_busy_timeout(self.handle, milliseconds)
    }

    package static var libraryVersion: String { String(cString: sqlite3_libversion()) }

    /// What went wrong, in SQLite's words for this connection.
    func error(code: Int32, sql: String) -> SQLiteError {
        SQLiteError(code: code, message: String(cString: sqlite3_errmsg(self.handle)), sql: sql)
    }

    private static func text(of code: Int32) -> String { String(cString: sqlite3_errstr(code)) }

    /// A path as a URI has it: `?`, `#` and `%` would mean something else there.
    private static func percentEncoded(_ path: String) -> String {
        path.reduce(into: "") { encoded, character in
            switch character {
            case "%": encoded += "%25"
            case "?": encoded += "%3f"
            case "#": encoded += "%23"
            case _: encoded.append(character)
            }
        }
    }
}

extension StaticString {
    /// The text as C wants it: a literal's bytes end in zero.
    var cString: UnsafePointer<CChar> {
        UnsafeRawPointer(self.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
