// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import SQLite
import Testing

@Suite("A log with rotten rows is opened all the same, without them") struct SalvageTests {
    /// Rows of 1 to 2, 3, 4 and 5 to 6, all in the database file.
    private static func make() throws -> (fixture: StoreFixture, entries: [Entry], maker: BatchMaker) {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let batches = [[10, 20], [600], [30], [40, 50]].map { maker.append($0) }
        let log = try fixture.open()
        for batch in batches { try log.write([batch]) }
        try log.close()
        return (fixture, batches.flatMap(\.entries), maker)
    }

    private static func salvage(_ fixture: StoreFixture) throws(StoreError) -> sending SQLiteLog {
        try SQLiteLog(
            folder: fixture.path, nodeID: .n1, clusterID: StoreFixture.cluster, reserveBytes: StoreFixture.reserveBytes,
            salvaging: true)
    }

    /// Changes the database behind the store's back.
    private static func change(_ fixture: StoreFixture, _ sql: StaticString) throws {
        let database = try Database(path: fixture.file(DataFolder.Names.database), access: .readWrite)
        try database.set(.noCheckpointOnClose, true)
        try database.execute(sql)
    }

    @Test(
        "What stands before the harm is left, the loss is noted for good, the damaged file is kept, and the log goes on",
        arguments: [
            (1, "UPDATE batches SET entries = zeroblob(length(entries)) WHERE id = 2"),
            (0, "UPDATE batches SET term = term + 1 WHERE id = 1"), (3, "UPDATE batches SET id = 60 WHERE id = 4"),
            (2, "UPDATE batches SET grp = 1 WHERE id = 3"), (3, "UPDATE batches SET grp = 1 WHERE id = 4"),
            (1, "DELETE FROM batches WHERE id = 2"), (3, "DELETE FROM batches WHERE id = 4"),
            (0, "DELETE FROM batches"), (3, "UPDATE batches SET checksum = checksum + 1 WHERE id = 4"),
            (4, "INSERT INTO batches SELECT 5, grp, first, last, term, checksum, entries FROM batches WHERE id = 4"),
        ] as [(Int, StaticString)])
    func salvaged(rows: Int, sql: StaticString) throws {
        let (fixture, entries, maker) = try Self.make()
        try Self.change(fixture, sql)
        #expect(throws: StoreError.self) { try fixture.recovered() }
        let counts = [0, 2, 3, 4, 6]
        let left = Array(entries.prefix(counts[rows]))
        var lost = maker.state
        lost.losses = 1
        lost.isRepairing = true
        do {
            let log = try Self.salvage(fixture)
            #expect(log.recovered.entries == left && log.recovered.hardState == lost)
            let loss = try #require(log.loss)
            #expect(loss.through.rawValue == UInt64(left.count))
            #expect(FileManager.default.fileExists(atPath: loss.kept))
            log.abandon()
        }
        // From then on it is whole as it is, and says still that it has lost entries.
        let again = try Self.salvage(fixture)
        #expect(again.loss == nil && again.recovered.entries == left && again.recovered.hardState == lost)
        var more = BatchMaker(after: UInt64(left.count), state: lost)
        let batches = [more.append([5000]), more.append([300, 300])]
        for batch in batches { try again.write([batch]) }
        try again.close()
        #expect(try fixture.recovered().entries == left + batches.flatMap(\.entries))
        #expect(try fixture.recovered().hardState == lost)
    }

    @Test("Term and vote that are in doubt, a lost WAL: nothing is salvaged, and nothing is changed")
    func refused() throws {
        for sql in ["UPDATE hard_state SET record = zeroblob(length(record))", "DELETE FROM membership"]
            as [StaticString]
        {
            let (fixture, _, _) = try Self.make()
            try Self.change(fixture, sql)
            #expect(throws: StoreError.self) { try Self.salvage(fixture) }
            #expect(!FileManager.default.fileExists(atPath: fixture.file(DataFolder.Names.damaged)))
        }
        let (fixture, _, _) = try Self.make()
        try FileManager.default.removeItem(atPath: fixture.file(DataFolder.Names.wal))
        #expect(throws: StoreError.self) { try Self.salvage(fixture) }
    }

    @Test("A second loss is another one")
    func twice() throws {
        let (fixture, _, _) = try Self.make()
        try Self.change(fixture, "DELETE FROM batches WHERE id = 4")
        try Self.salvage(fixture).close()
        try Self.change(fixture, "DELETE FROM batches WHERE id = 2")
        let log = try Self.salvage(fixture)
        #expect(log.recovered.hardState.losses == 2 && log.recovered.entries.count == 2)
    }
}
