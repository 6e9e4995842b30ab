// SPDX-License-Identifier: Apache-2.0

import SQLite
import StateStore
import Testing
import Transactions

@Suite("Rot never goes unseen, and a crash leaves a whole checkpoint") struct DamageTests {
    /// A closed file that holds everything by itself, and what is in it.
    private static func file() throws -> (folder: TemporaryFolder, fixture: Fixture) {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        _ = try database.sync()
        return (folder, fixture)
    }

    /// Reads all that a node would ever read.
    private static func readAll(_ folder: TemporaryFolder) throws -> (RecoveredState, [GlobalTransaction]) {
        let database = try StateDatabase.open(folder)
        let state = try database.load()
        try database.verify()
        let archive = try database.everything()
        for transaction in archive {
            let found = try database.archived(transaction.gid)
            #expect(found == transaction)
        }
        return (state, archive)
    }

    private static func expectRot(_ folder: TemporaryFolder, table: String, _ comment: String) {
        do {
            _ = try Self.readAll(folder)
            Issue.record("\(comment) was not seen")
        } catch StateStoreError.rot(path: folder.file(), table: table, _, _) {
            // As it must be.
        } catch {
            Issue.record("\(comment): \(error)")
        }
    }

    static let columns: [(table: String, column: String)] = [
        ("live", "gid"), ("live", "body"), ("live", "crc"), ("archive", "gid"), ("archive", "finished_index"),
        ("archive", "state"), ("archive", "body"), ("archive", "crc"), ("meta", "applied_index"),
        ("meta", "applied_term"), ("meta", "log_time"), ("meta", "live_count"), ("meta", "archived_count"),
        ("meta", "crc"),
    ]

    /// Flips the lowest bit of the value, of a blob's or text's last byte.
    private static let flips: [String: StaticString] = [
        "live gid": "UPDATE live SET gid = substr(gid, 1, 2) || 'x' WHERE rowid = ?1",
        "live body": """
        UPDATE live SET body = CAST(substr(body, 1, length(body) - 1) || X'7f' AS BLOB) WHERE rowid = ?1
        """,
        "live crc": "UPDATE live SET crc = crc + 1 WHERE rowid = ?1",
        "archive gid": "UPDATE archive SET gid = substr(gid, 1, 2) || 'x' WHERE rowid = ?1",
        "archive finished_index": "UPDATE archive SET finished_index = finished_index + 1 WHERE rowid = ?1",
        "archive state": "UPDATE archive SET state = 11 - state WHERE rowid = ?1",
        "archive body": """
        UPDATE archive SET body = CAST(substr(body, 1, length(body) - 1) || X'7f' AS BLOB) WHERE rowid = ?1
        """,
        "archive crc": "UPDATE archive SET crc = crc + 4294967296 WHERE rowid = ?1",
        "meta applied_index": "UPDATE meta SET applied_index = applied_index + 1 WHERE id = ?1",
        "meta applied_term": "UPDATE meta SET applied_term = applied_term + 1 WHERE id = ?1",
        "meta log_time": "UPDATE meta SET log_time = log_time + 1 WHERE id = ?1",
        "meta live_count": "UPDATE meta SET live_count = live_count + 1 WHERE id = ?1",
        "meta archived_count": "UPDATE meta SET archived_count = archived_count + 1 WHERE id = ?1",
        "meta crc": "UPDATE meta SET crc = crc + 1 WHERE id = ?1",
    ]

    @Test("A changed value in any column of any row is found", arguments: columns)
    func changedValue(table: String, column: String) throws {
        let sql = try #require(Self.flips["\(table) \(column)"])
        for row in 1...(table == "meta" ? 1 : 3) {
            let (folder, _) = try Self.file()
            try folder.edit { database in
                let update = try Statement(sql, in: database)
                let rowids = try Statement(
                    table == "live" ? "SELECT rowid FROM live" : "SELECT rowid FROM archive", in: database)
                var rowid = Int64(row)
                if table != "meta" { for _ in 0..<row where try rowids.step() { rowid = rowids.integer(column: 0) } }
                rowids.reset()
                try update.bind(rowid, at: 1)
                try update.run()
                let changes = database.changes
                #expect(changes == 1)
            }
            Self.expectRot(folder, table: table, "\(column) of row \(row)")
        }
    }

    @Test("A row that is gone is found")
    func goneRow() throws {
        for table in ["live", "archive", "meta"] {
            let (folder, _) = try Self.file()
            try folder.edit { database in
                switch table {
                case "live": try database.execute("DELETE FROM live WHERE gid = 't-6'")
                case "archive": try database.execute("DELETE FROM archive WHERE gid = 't-1'")
                case _: try database.execute("DELETE FROM meta")
                }
            }
            Self.expectRot(folder, table: table, "a row gone from \(table)")
        }
    }

    @Test("A live row that holds another transaction, or a finished one, is found though its checksum is right")
    func wrongRow() throws {
        let (folder, fixture) = try Self.file()
        let finished = try #require(fixture.finished[.test(1)])
        try folder.edit { database in
            var row = StateRecovery.LiveRow(finished)
            row.gid = "t-6"
            row.checksum = row.expectedChecksum
            let update = try Statement("UPDATE live SET body = ?1, crc = ?2 WHERE gid = 't-6'", in: database)
            try update.bind(row.body, at: 1)
            try update.bind(row.checksum, at: 2)
            try update.run()
        }
        Self.expectRot(folder, table: "live", "another transaction in a row")
    }

    @Test("A flipped bit anywhere in the file is found, or changes nothing that is ever read", arguments: 0..<4)
    func flippedBit(seed: UInt64) throws {
        let (folder, fixture) = try Self.file()
        let good = try folder.read()
        let truth = fixture.finished.values.sorted { $0.gid < $1.gid }
        var random = SeededGenerator(seed: seed)
        var found = 0
        for _ in 0..<100 {
            let bit = Int.random(in: 0..<good.count * 8, using: &random)
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            let copy = try TemporaryFolder()
            try copy.write(bad)
            do {
                let (state, archive) = try Self.readAll(copy)
                #expect(state == fixture.expected(), "bit \(bit)")
                #expect(archive == truth, "bit \(bit)")
            } catch is StateStoreError {
                found += 1
            }
        }
        #expect(found > 0)
    }

    @Test("A file that is cut short is found")
    func truncated() throws {
        let (folder, _) = try Self.file()
        let good = try folder.read()
        // A file without a byte is a new one: that its log goes on behind it is for the node to see.
        for length in stride(from: 1, to: good.count, by: 997) {
            let copy = try TemporaryFolder()
            try copy.write(Array(good[..<length]))
            #expect(throws: StateStoreError.self, "\(length) of \(good.count) bytes") { _ = try Self.readAll(copy) }
        }
    }

    @Test("The end of the process at any moment leaves the last checkpoint whole")
    func kill() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        for number in 1...12 {
            fixture.submit(.test(number))
            if number % 2 == 0 { fixture.commit(.test(number)) }
            try database.checkpoint(fixture.checkpoint())
            if number == 7 { _ = try database.sync() }
            let copy = try folder.copyOfDatabase()
            let (state, archive) = try Self.readAll(copy)
            #expect(state == fixture.expected())
            #expect(archive == fixture.finished.values.sorted { $0.gid < $1.gid })
        }
    }

    @Test("A WAL that is cut or has a flipped bit gives an older checkpoint, whole, or an error", arguments: 0..<2)
    func damagedWAL(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        var checkpoints: [UInt64: (RecoveredState, [GlobalTransaction])] = [0: (.empty, [])]
        for number in 1...10 {
            fixture.submit(.test(number))
            if number % 2 == 0 { fixture.commit(.test(number)) }
            try database.checkpoint(fixture.checkpoint())
            checkpoints[fixture.machine.appliedIndex] = (
                fixture.expected(), fixture.finished.values.sorted { $0.gid < $1.gid }
            )
        }
        let file = try folder.read()
        let wal = try folder.read("state.db-wal")
        var random = SeededGenerator(seed: seed)
        var seen: Set<UInt64> = []
        for round in 0..<80 {
            var bad = wal
            let position = Int.random(in: 0..<wal.count, using: &random)
            if round % 2 == 0 {
                bad[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            } else {
                bad.removeLast(wal.count - position)
            }
            let copy = try TemporaryFolder()
            try copy.write(file)
            try copy.write(bad, to: "state.db-wal")
            do {
                let (state, archive) = try Self.readAll(copy)
                let expected = try #require(checkpoints[state.appliedIndex])
                #expect(state == expected.0)
                #expect(archive == expected.1)
                seen.insert(state.appliedIndex)
            } catch is StateStoreError {
                // Seen, and so no harm.
            }
        }
        #expect(seen.count > 3, "\(seen)")
    }
}
