// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLite
import StateStore
import Testing
import Transactions

@Suite("Applied state on disk") struct StateDatabaseTests {
    @Test("A new file holds nothing, and only its owner may read it")
    func new() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        #expect(try database.load() == .empty)
        #expect(try database.archived(.test(1)) == nil)
        #expect(try database.list(limit: 10).isEmpty)
        #expect(database.appliedIndex == 0)
        try database.verify()
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        for name in ["state.db", "state.db-wal"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.file(name))
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }

    @Test("A checkpoint comes back, at once and from a file that is opened again")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        var fixture = Fixture.filled()
        do {
            let database = try StateDatabase.open(folder)
            try database.checkpoint(fixture.checkpoint())
            #expect(try database.load() == fixture.expected())
            #expect(database.liveCount == 3)
            #expect(database.archivedCount == 3)
        }
        let database = try StateDatabase.open(folder)
        let recovered = try database.load()
        #expect(recovered == fixture.expected())
        #expect(recovered.live.map(\.gid) == [.test(3), .test(6), .test(2)], "in order of acceptance")
        #expect(recovered.appliedTerm == 3)
        for (gid, transaction) in fixture.finished { #expect(try database.archived(gid) == transaction) }
        #expect(try database.archived(.test(3)) == nil, "a live one is not archived")
        try database.verify()
    }

    @Test("A machine built from the recovered state is the machine that was")
    func machine() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        let restored = TransactionMachine(try database.load())
        #expect(restored.digested() == fixture.machine.digested())
        #expect(restored.appliedIndex == fixture.machine.appliedIndex)
        #expect(restored.dueCalls(of: .test(3)) == fixture.machine.dueCalls(of: .test(3)))
    }

    @Test("Later checkpoints add to earlier ones; live transactions change, finish, or go")
    func several() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        for number in 1...30 {
            fixture.submit(.test(number))
            if number % 3 == 0 { fixture.commit(.test(number - 1)) }
            if number % 7 == 0 { fixture.abort(.test(number)) }
            if number % 2 == 0 {
                try database.checkpoint(fixture.checkpoint())
                #expect(try database.load() == fixture.expected())
            }
        }
        #expect(try database.everything() == fixture.finished.values.sorted { $0.gid < $1.gid })
        try database.verify()
        let gone = fixture.expected().live[0].gid
        try database.checkpoint(
            StateCheckpoint(
                StateChanges(finished: [], changedLive: [], sum: 0), removedLive: [gone, .test(99)],
                appliedIndex: fixture.machine.appliedIndex + 1, appliedTerm: 3, logTime: fixture.machine.logTime))
        #expect(try database.load().live.map(\.gid) == fixture.expected().live.dropFirst().map(\.gid))
        #expect(try database.archived(gone) == nil)
    }

    @Test("Lists go by gid, in pages, by state")
    func lists() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        for number in 10...29 {
            fixture.submit(.test(number))
            if number % 5 == 0 { fixture.abort(.test(number)) } else { fixture.commit(.test(number)) }
        }
        try database.checkpoint(fixture.checkpoint())
        let all = (10...29).map { Gid.test($0) }
        for length in [1, 3, 20, 21] {
            #expect(try database.everything(pageLength: length).map(\.gid) == all)
        }
        #expect(try database.list(state: .aborted, limit: 3).map(\.gid) == [.test(10), .test(15), .test(20)])
        #expect(try database.list(state: .aborted, after: .test(15), limit: 9).map(\.gid) == [.test(20), .test(25)])
        #expect(try database.list(state: .committed, after: .test(27), limit: 9).map(\.gid) == [.test(28), .test(29)])
        #expect(try database.list(state: .running, limit: 9).isEmpty)
        #expect(try database.list(limit: 0).isEmpty)
        #expect(try database.list(limit: -1).isEmpty)
    }

    @Test("A checkpoint that is older than the file is refused, and nothing of it is written")
    func outOfOrder() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        fixture.submit(.test(1))
        let first = fixture.checkpoint()
        fixture.submit(.test(2))
        let second = fixture.checkpoint()
        try database.checkpoint(second)
        #expect(throws: StateStoreError.outOfOrder(path: folder.file(), appliedIndex: 2, given: 1)) {
            try database.checkpoint(first)
        }
        #expect(database.liveCount == 1)
        #expect(try database.load().live.map(\.gid) == [.test(2)])
        // The same index again is no step back: an entry without commands may have changed nothing.
        try database.checkpoint(second)
        #expect(database.liveCount == 1)
    }

    @Test("A gid is archived once: a second time is an error, and nothing of that checkpoint stays")
    func archivedTwice() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        let checkpoint = fixture.checkpoint()
        try database.checkpoint(checkpoint)
        do throws(StateStoreError) {
            try database.checkpoint(
                StateCheckpoint(
                    StateChanges(finished: [checkpoint.finished[0]], changedLive: [], sum: 0), appliedIndex: 100,
                    appliedTerm: 3, logTime: checkpoint.logTime))
            Issue.record("a transaction was archived twice")
        } catch {
            guard case .sqlite(path: folder.file(), _, let message) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(message.contains("UNIQUE"))
        }
        #expect(try database.load() == fixture.expected())
    }

    @Test("After a sync the database file alone holds everything")
    func sync() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        #expect(folder.length("state.db-wal") > 0)
        #expect(try database.sync() == fixture.machine.appliedIndex)
        #expect(folder.length("state.db-wal") == 0)
        let copy = try folder.copyOfDatabase()
        let other = try StateDatabase.open(copy)
        #expect(try other.load() == fixture.expected())
        try other.verify()
    }

    @Test("A WAL that has grown long is moved into the file by itself, and begun anew")
    func longWAL() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        let payload = [UInt8](repeating: 7, count: 40_000)
        var longest = 0
        for number in 1...400 {
            fixture.submit(.test(number), payload: payload)
            fixture.commit(.test(number))
            try database.checkpoint(fixture.checkpoint())
            longest = max(longest, folder.length("state.db-wal"))
        }
        #expect(longest < 8 << 20, "16 MB were written in small steps")
        #expect(folder.length("state.db") > 8 << 20)
        #expect(database.archivedCount == 400)
        try database.verify()
    }

    @Test("A disk without room: nothing is written, reads go on, and the same checkpoint succeeds when there is room")
    func diskFull() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        let before = fixture.expected()
        for number in 100...200 {
            fixture.submit(.test(number))
            if number % 2 == 0 { fixture.commit(.test(number)) }
        }
        let checkpoint = fixture.checkpoint()
        try database.setGrowth(isAllowed: false)
        for _ in 1...3 {
            #expect(throws: StateStoreError.diskFull(path: folder.file())) { try database.checkpoint(checkpoint) }
            #expect(try database.load() == before)
            #expect(try database.archived(.test(100)) == nil)
            #expect(try database.archived(.test(1)) == fixture.finished[.test(1)])
            #expect(database.appliedIndex == before.appliedIndex)
        }
        try database.setGrowth(isAllowed: true)
        try database.checkpoint(checkpoint)
        #expect(try database.load() == fixture.expected())
        #expect(try database.everything(pageLength: 50).count == fixture.finished.count)
        try database.verify()
    }
}
