// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLite
import Testing

@Suite("A connection to SQLite") struct DatabaseTests {
    @Test("A missing file is an error unless it may be created")
    func missingFile() throws {
        let folder = try TemporaryFolder()
        #expect(throws: SQLiteError.self) {
            let database = try Database(path: folder.file("none.db"), access: .readWrite)
            try database.execute("SELECT 1")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.file("none.db")))
        let database = try Database(path: folder.file("some.db"))
        try database.execute("CREATE TABLE t (a)")
        #expect(FileManager.default.fileExists(atPath: folder.file("some.db")))
    }

    @Test("An error says its extended code, SQLite's words and the statement")
    func errorsAreExtended() throws {
        let folder = try TemporaryFolder()
        let database = try Database(path: folder.file("a.db"))
        try database.execute("CREATE TABLE t (a INTEGER UNIQUE); INSERT INTO t VALUES (1)")
        do throws(SQLiteError) {
            try database.execute("INSERT INTO t VALUES (1)")
            Issue.record("the second row was accepted")
        } catch {
            #expect(error.code == 2067)
            #expect(error.isConstraint)
            #expect(error.sql == "INSERT INTO t VALUES (1)")
            #expect(error.message.contains("t.a"))
        }
    }

    @Test("A transaction that throws leaves nothing behind, one that returns is kept")
    func transactions() throws {
        let folder = try TemporaryFolder()
        let database = try Database(path: folder.file("a.db"))
        try database.execute("CREATE TABLE t (a INTEGER UNIQUE)")
        #expect(throws: SQLiteError.self) {
            try database.transaction { () throws(SQLiteError) in
                try database.execute("INSERT INTO t VALUES (1)")
                try database.execute("INSERT INTO t VALUES (1)")
            }
        }
        let isOpen = database.isInTransaction
        #expect(!isOpen)
        let none = try database.firstInteger("SELECT count(*) FROM t")
        #expect(none == 0)
        try database.transaction { () throws(SQLiteError) in try database.execute("INSERT INTO t VALUES (1)") }
        let one = try database.firstInteger("SELECT count(*) FROM t")
        #expect(one == 1)
    }

    @Test("A second writer is told that the database is busy")
    func busy() throws {
        let folder = try TemporaryFolder()
        let first = try Database(path: folder.file("a.db"))
        try first.execute("CREATE TABLE t (a)")
        let second = try Database(path: folder.file("a.db"))
        try first.begin()
        do throws(SQLiteError) {
            try second.begin()
            Issue.record("two writers at once")
        } catch {
            #expect(error.isBusy)
        }
        try first.commit()
        try second.begin()
        try second.rollback()
    }

    @Test("A connection for reading alone refuses to write")
    func readOnly() throws {
        let folder = try TemporaryFolder()
        let writer = try Database(path: folder.file("a #1?.db"))
        try writer.execute("CREATE TABLE t (a); INSERT INTO t VALUES (7)")
        for access in [Database.Access.readOnly, .immutable] {
            let reader = try Database(path: folder.file("a #1?.db"), access: access)
            let seen = try reader.firstInteger("SELECT a FROM t")
            #expect(seen == 7)
            #expect(throws: SQLiteError.self) { try reader.execute("INSERT INTO t VALUES (8)") }
        }
    }

    @Test("A file that is no database is reported as corrupt")
    func notADatabase() throws {
        let folder = try TemporaryFolder()
        try Data(repeating: 0x41, count: 8192).write(to: URL(filePath: folder.file("a.db")))
        let database = try Database(path: folder.file("a.db"))
        do throws(SQLiteError) {
            try database.execute("CREATE TABLE t (a)")
            Issue.record("garbage was accepted")
        } catch {
            #expect(error.isCorrupt)
        }
    }

    @Test("A checkpoint moves the WAL into the file, and closing can leave the WAL alone")
    func checkpoints() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.db")
        do {
            let database = try Database(path: path)
            try database.enterWALMode()
            try database.set(.noCheckpointOnClose, true)
            try database.execute("PRAGMA wal_autocheckpoint=0; CREATE TABLE t (a)")
            let result = try database.checkpoint(.full)
            #expect(result.isComplete)
            #expect(result.walFrames > 0)
            try database.execute("INSERT INTO t VALUES (1)")
        }
        // The sizes, and not the content: Foundation leaks a page when it reads an empty file.
        func walLength() throws -> Int {
            try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int ?? -1
        }
        #expect(try walLength() > 4096)
        let database = try Database(path: path)
        let kept = try database.firstInteger("SELECT count(*) FROM t")
        #expect(kept == 1)
        try database.checkpoint(.truncate)
        #expect(try walLength() == 0)
    }

    @Test("WAL mode that cannot be entered is an error")
    func walModeIsReadBack() throws {
        let database = try Database(path: ":memory:")
        #expect(throws: SQLiteError.self) { try database.enterWALMode() }
    }

    @Test("A backup is a database of its own with the same rows")
    func backup() throws {
        let folder = try TemporaryFolder()
        let database = try Database(path: folder.file("a.db"))
        try database.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)")
        try database.backup(to: folder.file("b.db"))
        try database.execute("DELETE FROM t")
        let copy = try Database(path: folder.file("b.db"), access: .readOnly)
        let rows = try copy.firstInteger("SELECT count(*) FROM t")
        #expect(rows == 2)
    }
}
