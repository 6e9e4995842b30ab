// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import SQLite
import Testing

@Suite("Damage to a node's files is found at its start") struct DamageTests {
    /// A log of some rows: the first ones in the database file, the last ones in the WAL.
    private static func make() throws -> (fixture: StoreFixture, entries: [Entry]) {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let batches = [[10, 20], [600], [30], [40, 50], [5000], [60]].map { maker.append($0) }
        let log = try fixture.open()
        for (position, batch) in batches.enumerated() {
            try log.write([batch])
            if position == 3 { try log.checkpoint() }
        }
        log.abandon()
        return (fixture, batches.flatMap(\.entries))
    }

    private static func expectDamage(
        _ fixture: StoreFixture, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do throws(StoreError) {
            _ = try fixture.recovered()
            Issue.record("the damage was not seen: \(comment ?? "")", sourceLocation: sourceLocation)
        } catch {
            #expect(error.isDamage, "\(error)", sourceLocation: sourceLocation)
        }
    }

    /// Changes the database behind the store's back, in one transaction of SQLite's own: no page fails a checksum.
    private static func change(_ fixture: StoreFixture, _ body: (borrowing Database) throws -> Void) throws {
        let database = try Database(path: fixture.file(DataFolder.Names.database), access: .readWrite)
        try database.set(.noCheckpointOnClose, true)
        try body(database)
    }

    @Test("Undamaged, it opens")
    func undamaged() throws {
        let (fixture, entries) = try Self.make()
        #expect(try fixture.recovered().entries == entries)
    }

    @Test("A WAL that is gone, empty, or of zeros")
    func lostWAL() throws {
        let (fixture, _) = try Self.make()
        let length = try fixture.bytes(of: DataFolder.Names.wal).count
        try FileManager.default.removeItem(atPath: fixture.file(DataFolder.Names.wal))
        Self.expectDamage(fixture, "gone")
        for bytes in [[], [UInt8](repeating: 0, count: 32), [UInt8](repeating: 0, count: length)] {
            try fixture.replace(DataFolder.Names.wal, with: bytes)
            Self.expectDamage(fixture, "\(bytes.count) zeros")
        }
    }

    @Test("A WAL from an earlier moment of the same log, with the database of then or of now")
    func earlierWAL() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        var earlier: [(wal: [UInt8], database: [UInt8])] = []
        for number in 0..<6 {
            earlier.append(
                (try fixture.bytes(of: DataFolder.Names.wal), try fixture.bytes(of: DataFolder.Names.database)))
            try log.write([maker.append([100])])
            if number % 2 == 0 { try log.checkpoint() }
        }
        log.abandon()
        let now = try fixture.snapshot()
        for (number, files) in earlier.enumerated() {
            for isDatabaseToo in [false, true] {
                try fixture.restore(now)
                try fixture.replace(DataFolder.Names.wal, with: files.wal)
                if isDatabaseToo { try fixture.replace(DataFolder.Names.database, with: files.database) }
                Self.expectDamage(fixture, "moment \(number), database \(isDatabaseToo)")
            }
        }
    }

    @Test("A mark that is gone, cut, or damaged in both of its records; one record is enough")
    func mark() throws {
        let (fixture, entries) = try Self.make()
        let whole = try fixture.snapshot()
        let mark = try #require(whole[DataFolder.Names.mark])
        try fixture.replace(DataFolder.Names.mark, with: Array(mark.dropLast()))
        Self.expectDamage(fixture, "cut")
        try FileManager.default.removeItem(atPath: fixture.file(DataFolder.Names.mark))
        Self.expectDamage(fixture, "gone")
        for slot in 0..<2 {
            try fixture.restore(whole)
            try fixture.flip(DataFolder.Names.mark, at: slot * WALMark.slotLength + 9, mask: 4)
            #expect(try fixture.recovered().entries == entries)
            try fixture.restore(whole)
            try fixture.flip(DataFolder.Names.mark, at: 9, mask: 4)
            try fixture.flip(DataFolder.Names.mark, at: WALMark.slotLength + 9, mask: 4)
            Self.expectDamage(fixture, "both")
        }
    }

    @Test("A database that is gone, empty or cut")
    func cutDatabase() throws {
        let (fixture, _) = try Self.make()
        let whole = try fixture.bytes(of: DataFolder.Names.database)
        try FileManager.default.removeItem(atPath: fixture.file(DataFolder.Names.database))
        Self.expectDamage(fixture, "gone")
        // The last pages stand in the WAL too, which heals them.
        for length in [0, 50, 100, 4095, 4096, 8192] {
            try fixture.replace(DataFolder.Names.database, with: Array(whole[..<length]))
            Self.expectDamage(fixture, "cut to \(length)")
        }
    }

    @Test("A database whose last page a checkpoint has torn is healed by the WAL")
    func tornCheckpoint() throws {
        let (fixture, entries) = try Self.make()
        let log = try fixture.open()
        log.abandon()
        let whole = try fixture.bytes(of: DataFolder.Names.database)
        for length in [whole.count - 4096, whole.count - 2048, whole.count - 1] {
            try fixture.replace(DataFolder.Names.database, with: Array(whole[..<length]))
            #expect(try fixture.recovered().entries == entries)
        }
    }

    @Test(
        "A row that SQLite holds to be good, and that isn't what was written",
        arguments: [
            "UPDATE batches SET entries = zeroblob(length(entries)) WHERE id = 2",
            "UPDATE batches SET term = term + 1 WHERE id = 1",
            "UPDATE batches SET checksum = checksum + 1 WHERE id = 6",
            "UPDATE batches SET last = last + 1 WHERE id = 3",
            "UPDATE batches SET first = 2 WHERE id = 1",
            "UPDATE batches SET id = 60 WHERE id = 6",
            "UPDATE batches SET grp = 1 WHERE id = 4",
            "UPDATE batches SET entries = (SELECT entries FROM batches WHERE id = 1) WHERE id = 3",
            "DELETE FROM batches WHERE id = 1", "DELETE FROM batches WHERE id = 3",
            "DELETE FROM batches WHERE id = 6", "DELETE FROM batches",
            "INSERT INTO batches SELECT 7, grp, first, last, term, checksum, entries FROM batches WHERE id = 6",
            "DELETE FROM hard_state", "UPDATE hard_state SET record = zeroblob(length(record))",
            "UPDATE hard_state SET record = substr(record, 1, 60)", "DELETE FROM membership",
            "UPDATE membership SET record = zeroblob(length(record))", "DROP TABLE batches",
            "ALTER TABLE batches RENAME COLUMN term TO era",
        ] as [StaticString])
    func changedRows(sql: StaticString) throws {
        let (fixture, entries) = try Self.make()
        try Self.change(fixture) { database in try database.execute(sql) }
        Self.expectDamage(fixture, "\(sql) of \(entries.count)")
    }

    @Test("Term and vote put back to an earlier transaction's")
    func hardStateRollback() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        try fixture.write([maker.append([10])])
        let old = try Self.hardStateRecord(fixture)
        maker.state = HardState(currentTerm: Term(rawValue: 2), votedFor: .n2)
        try fixture.write([maker.append([])])
        let log = try fixture.open()
        try log.close()
        #expect(try fixture.recovered().hardState == maker.state)
        try Self.change(fixture) { database in
            let update = try Statement("UPDATE hard_state SET record = ?1", in: database)
            try update.run(blob: old, at: 1)
        }
        Self.expectDamage(fixture)
    }

    private static func hardStateRecord(_ fixture: StoreFixture) throws -> [UInt8] {
        let log = try fixture.open()
        try log.close()
        let database = try Database(path: fixture.file(DataFolder.Names.database), access: .immutable)
        let select = try Statement("SELECT record FROM hard_state", in: database)
        _ = try select.step()
        return select.blob(column: 0)
    }

    @Test("A file of a newer format is refused by name, not taken for damage")
    func newerFormat() throws {
        let fixture = try StoreFixture()
        try Self.change(fixture) { database in try database.execute("PRAGMA user_version=99") }
        #expect(
            throws: StoreError.unsupportedFormat(
                path: fixture.file(DataFolder.Names.database), found: 99, supported: 3)
        ) { try fixture.recovered() }
    }
}
