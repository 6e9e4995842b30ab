// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import SQLite
import SQLiteBarrier
import Testing

/// A database file of its own, removed at the end.
private final class TemporaryFile {
    let path: String

    init() {
        self.path = FileManager.default.temporaryDirectory.appending(path: "barrier-\(UUID().uuidString).db").path
    }

    deinit {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: self.path + suffix) }
    }
}

/// A shelf of ten chairs behind a barrier.
private final class Shelf {
    let barrier: SQLiteBarrier

    init(path: String) throws {
        self.barrier = try SQLiteBarrier(path: path)
        try self.barrier.transaction { stock in
            try stock.execute("CREATE TABLE IF NOT EXISTS stock (item TEXT PRIMARY KEY, free INTEGER NOT NULL)")
            try stock.execute("INSERT OR IGNORE INTO stock VALUES (?1, ?2)", "chair", 10)
        }
    }

    /// Takes chairs from the shelf for an action or a try, and puts them back for a compensate or a cancel.
    func call(_ operation: BranchOperation, gid: String = "g", chairs: Int64 = 3) throws -> BranchVerdict {
        try self.barrier.run(BranchContext(gid: gid, branch: "b", operation: operation)) { stock in
            switch operation {
            case .action, .try:
                let taken = try stock.execute(
                    "UPDATE stock SET free = free - ?1 WHERE item = ?2 AND free >= ?1", .integer(chairs), "chair")
                if taken == 0 { throw BranchFailure("fewer than \(chairs) chairs are left") }
            case .compensate, .cancel:
                try stock.execute("UPDATE stock SET free = free + ?1 WHERE item = ?2", .integer(chairs), "chair")
            case .confirm: break
            }
        }
    }

    func free() throws -> Int64? {
        var free: Int64?
        try self.barrier.transaction { free = try $0.integer("SELECT free FROM stock WHERE item = ?1", "chair") }
        return free
    }

    func rows() throws -> [String] {
        var rows: [String] = []
        try self.barrier.transaction { stock in
            try stock.forEachRow("SELECT operation, is_success, origin FROM verdict_barrier ORDER BY rowid") { row in
                rows.append("\(row.text(0)) \(row.integer(1)) \(row.text(2))")
            }
        }
        return rows
    }
}

@Suite("The barrier on SQLite") struct SQLiteBarrierTests {
    private let file = TemporaryFile()

    @Test("A duplicate has no effect, also after a restart", arguments: [BranchOperation.action, .try])
    func duplicates(operation: BranchOperation) throws {
        do {
            let shelf = try Shelf(path: self.file.path)
            let first = try shelf.call(operation)
            let second = try shelf.call(operation)
            #expect(first == .success)
            #expect(second == .success)
        }
        let shelf = try Shelf(path: self.file.path)
        let third = try shelf.call(operation)
        let free = try shelf.free()
        #expect(third == .success)
        #expect(free == 7)
    }

    @Test(
        "Undo without do, then do: nothing happens",
        arguments: [(BranchOperation.try, BranchOperation.cancel), (.action, .compensate)])
    func undoFirst(first: BranchOperation, undo: BranchOperation) throws {
        let shelf = try Shelf(path: self.file.path)
        let undone = try shelf.call(undo)
        let late = try shelf.call(first)
        let rows = try shelf.rows()
        let free = try shelf.free()
        #expect(undone == .success)
        #expect(late == .failure(reason: "the branch was undone before this call came"))
        #expect(rows == ["\(first.rawValue) 0 blocked", "\(undo.rawValue) 1 empty"])
        #expect(free == 10)
    }

    @Test(
        "Do, then undo twice: undone once",
        arguments: [(BranchOperation.try, BranchOperation.cancel), (.action, .compensate)])
    func undoTwice(first: BranchOperation, undo: BranchOperation) throws {
        let shelf = try Shelf(path: self.file.path)
        for operation in [first, undo, undo, first] {
            let verdict = try shelf.call(operation)
            #expect(verdict == .success)
        }
        let free = try shelf.free()
        #expect(free == 10)
    }

    @Test func aRefusalLeavesNoChangeAndIsKept() throws {
        let shelf = try Shelf(path: self.file.path)
        let refused = try shelf.call(.try, chairs: 11)
        let again = try shelf.call(.try, chairs: 1)
        let rows = try shelf.rows()
        let free = try shelf.free()
        #expect(refused == .failure(reason: "fewer than 11 chairs are left"))
        #expect(again == refused)
        #expect(rows == ["try 0 ran"])
        #expect(free == 10)
    }

    @Test func whatARefusedEffectChangedIsUndone() throws {
        let shelf = try Shelf(path: self.file.path)
        let verdict = try shelf.barrier.run(BranchContext(gid: "g", branch: "b", operation: .action)) { stock in
            try stock.execute("UPDATE stock SET free = 0")
            throw BranchFailure("changed my mind")
        }
        let free = try shelf.free()
        #expect(verdict == .failure(reason: "changed my mind"))
        #expect(free == 10)
    }

    @Test func confirmAfterCancelIsAContradiction() throws {
        let shelf = try Shelf(path: self.file.path)
        _ = try shelf.call(.try)
        _ = try shelf.call(.cancel)
        let error = #expect(throws: SQLiteBarrierError.self) { try shelf.call(.confirm) }
        #expect(error?.code == .contradiction)
        let rows = try shelf.rows()
        #expect(rows == ["try 1 ran", "cancel 1 ran"])
    }

    @Test("An effect that fails otherwise leaves nothing, and the next call runs it again")
    func otherError() throws {
        struct Broken: Error {}
        let shelf = try Shelf(path: self.file.path)
        let error = #expect(throws: SQLiteBarrierError.self) {
            try shelf.barrier.run(BranchContext(gid: "g", branch: "b", operation: .action)) { stock in
                try stock.execute("UPDATE stock SET free = 0")
                throw Broken()
            }
        }
        #expect(error?.code == .effect)
        #expect(error?.underlying is Broken)
        let rows = try shelf.rows()
        #expect(rows == [])
        let verdict = try shelf.call(.action)
        let free = try shelf.free()
        #expect(verdict == .success)
        #expect(free == 7)
    }

    @Test func anErrorOfTheDatabaseIsOfStorage() throws {
        let shelf = try Shelf(path: self.file.path)
        let error = #expect(throws: SQLiteBarrierError.self) {
            try shelf.barrier.run(BranchContext(gid: "g", branch: "b", operation: .action)) { stock in
                try stock.execute("INSERT INTO stock VALUES (?1, ?2)", "chair", nil)
            }
        }
        #expect(error?.code == .storage)
        let rows = try shelf.rows()
        #expect(rows == [])
    }

    @Test func aFileThatIsNoDatabaseIsRefused() throws {
        try Data(repeating: 0x41, count: 4096).write(to: URL(filePath: self.file.path))
        let error = #expect(throws: SQLiteBarrierError.self) { _ = try SQLiteBarrier(path: self.file.path) }
        #expect(error?.code == .storage)
    }

    @Test func rowsThatNobodyAsksForAnyMoreAreRemovedOldestFirst() throws {
        let shelf = try Shelf(path: self.file.path)
        for number in 0..<5 { _ = try shelf.call(.action, gid: "g\(number)", chairs: 1) }
        let now = Int64(Date.now.timeIntervalSince1970)
        let young = try shelf.barrier.removeRows(olderThan: 3600, now: now)
        let three = try shelf.barrier.removeRows(olderThan: 3600, now: now + 7200, limit: 3)
        let rest = try shelf.barrier.removeRows(olderThan: 3600, now: now + 7200, limit: 3)
        #expect(young == 0)
        #expect(three == 3)
        #expect(rest == 2)
    }
}

@Suite("The barrier in a crash") struct BarrierCrashTests {
    private let file = TemporaryFile()

    @Test("Killed before the commit: neither the effect nor its row is there")
    func killedBeforeCommit() async throws {
        let path = self.file.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let shelf = try Shelf(path: path)
            _ = try shelf.barrier.run(BranchContext(gid: "g", branch: "b", operation: .action)) { stock in
                try stock.execute("UPDATE stock SET free = free - 3")
                kill(getpid(), SIGKILL)
            }
        }
        let shelf = try Shelf(path: path)
        let rows = try shelf.rows()
        let free = try shelf.free()
        #expect(rows == [])
        #expect(free == 10)
        let verdict = try shelf.call(.action)
        let after = try shelf.free()
        #expect(verdict == .success)
        #expect(after == 7)
    }

    @Test("Killed after the commit: both are there, and the repeated call has no effect")
    func killedAfterCommit() async throws {
        let path = self.file.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let shelf = try Shelf(path: path)
            _ = try shelf.call(.action)
            kill(getpid(), SIGKILL)
        }
        let shelf = try Shelf(path: path)
        let verdict = try shelf.call(.action)
        let rows = try shelf.rows()
        let free = try shelf.free()
        #expect(verdict == .success)
        #expect(rows == ["action 1 ran"])
        #expect(free == 7)
    }

    @Test("Many calls of one transaction that is rolled back leave nothing")
    func rolledBackTogether() throws {
        let database = try Database(path: self.file.path)
        let table = try BarrierTable(in: database)
        try database.execute("CREATE TABLE done (gid TEXT)")
        try database.begin()
        for number in 0..<3 {
            let call = BranchContext(gid: "g\(number)", branch: "b", operation: .action)
            _ = try table.run(call, in: database) { try database.execute("INSERT INTO done VALUES ('x')") }
        }
        try database.rollback()
        let rows = try database.firstInteger("SELECT count(*) FROM verdict_barrier")
        let done = try database.firstInteger("SELECT count(*) FROM done")
        #expect(rows == 0)
        #expect(done == 0)
    }

    @Test("One call that fails in a shared transaction undoes itself alone")
    func neighboursStay() throws {
        let database = try Database(path: self.file.path)
        let table = try BarrierTable(in: database)
        try database.execute("CREATE TABLE done (gid TEXT)")
        try database.begin()
        for number in 0..<3 {
            let call = BranchContext(gid: "g\(number)", branch: "b", operation: .action)
            let verdict = try table.run(call, in: database) {
                try database.execute("INSERT INTO done VALUES ('x')")
                if number == 1 { throw BranchFailure("not this one") }
            }
            #expect(verdict == (number == 1 ? .failure(reason: "not this one") : .success))
        }
        try database.commit()
        let rows = try database.firstInteger("SELECT count(*) FROM verdict_barrier")
        let done = try database.firstInteger("SELECT count(*) FROM done")
        #expect(rows == 3)
        #expect(done == 2)
    }
}
