// SPDX-License-Identifier: Apache-2.0

import SQLite
import Testing

@Suite("A prepared statement") struct StatementTests {
    @Test("Every kind of value comes back as it went in", arguments: [0, 1, 5000])
    func roundTrip(length: Int) throws {
        let database = try Database(path: ":memory:")
        try database.execute("CREATE TABLE t (n, s, b, z)")
        let text = String(repeating: "ü\0", count: length)
        let blob = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        let insert = try Statement("INSERT INTO t VALUES (?1, ?2, ?3, ?4)", in: database)
        try insert.bind(Int64.min, at: 1)
        try insert.bind(text, at: 2)
        try insert.bind(blob, at: 3)
        try insert.bindNull(at: 4)
        try insert.run()
        let changed = database.changes
        #expect(changed == 1)
        let select = try Statement("SELECT n, s, b, z FROM t", in: database)
        let hasRow = try select.step()
        #expect(hasRow)
        let (number, string, bytes) = (select.integer(column: 0), select.text(column: 1), select.blob(column: 2))
        #expect(number == Int64.min)
        #expect(string == text)
        #expect(bytes == blob)
        let nulls = (0..<4).map { select.isNull(column: $0) }
        #expect(nulls == [false, false, false, true])
        let hasMore = try select.step()
        #expect(!hasMore)
    }

    @Test("Bytes bound without a copy are stored, and not bound any longer", arguments: [0, 1, 100_000])
    func runWithBlob(length: Int) throws {
        let database = try Database(path: ":memory:")
        try database.execute("CREATE TABLE t (b)")
        let insert = try Statement("INSERT INTO t VALUES (?1)", in: database)
        let blob = [UInt8](repeating: 9, count: length)
        try insert.run(blob: blob, at: 1)
        try insert.run()
        let select = try Statement("SELECT b FROM t ORDER BY rowid", in: database)
        _ = try select.step()
        let first = select.blob(column: 0)
        #expect(first == blob)
        _ = try select.step()
        let second = select.blob(column: 0)
        #expect(second.isEmpty)
    }

    @Test("Optional values are null when absent")
    func optionals() throws {
        let database = try Database(path: ":memory:")
        let select = try Statement("SELECT ?1 IS NULL, ?2 IS NULL, ?3 IS NULL, ?4", in: database)
        try select.bind(String?.none, at: 1)
        try select.bind(Int64?.none, at: 2)
        try select.bind([UInt8]?.none, at: 3)
        try select.bind(Int64?.some(4), at: 4)
        _ = try select.step()
        let values = (0..<4).map { select.integer(column: $0) }
        #expect(values == [1, 1, 1, 4])
    }

    @Test("A statement runs again after a failure and a reset")
    func reuse() throws {
        let database = try Database(path: ":memory:")
        try database.execute("CREATE TABLE t (a INTEGER UNIQUE)")
        let insert = try Statement("INSERT INTO t VALUES (?1)", in: database)
        try insert.bind(1, at: 1)
        try insert.run()
        #expect(throws: SQLiteError.self) { try insert.run() }
        try insert.bind(2, at: 1)
        try insert.run()
        let rows = try database.firstInteger("SELECT count(*) FROM t")
        #expect(rows == 2)
    }

    @Test("A parameter that is not there and SQL that is none are errors")
    func mistakes() throws {
        let database = try Database(path: ":memory:")
        let select = try Statement("SELECT ?1", in: database)
        #expect(throws: SQLiteError.self) { try select.bind(1, at: 2) }
        do throws(SQLiteError) {
            _ = try Statement("SELEKT", in: database)
            Issue.record("nonsense was prepared")
        } catch {
            #expect(error.message.contains("SELEKT"))
        }
    }
}
