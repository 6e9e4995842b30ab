// SPDX-License-Identifier: Apache-2.0

import SQLite
import StateStore
import Testing
import Transactions

@Suite("Payloads that are on the disk alone") struct PayloadTests {
    private static let payload = (0..<5_000).map { UInt8(truncatingIfNeeded: $0) }

    /// Two transactions with long payloads, written and let go of.
    private static func spilled() throws -> (folder: TemporaryFolder, database: StateDatabase, fixture: Fixture) {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        for number in 1...2 { fixture.submit(.test(number), payload: Self.payload) }
        let checkpoint = fixture.checkpoint()
        try database.checkpoint(checkpoint)
        #expect(fixture.spill(checkpoint) == [.test(1), .test(2)])
        return (folder, database, fixture)
    }

    @Test("A call gets them from the row; of what has ended there is none")
    func fetched() throws {
        var (folder, database, fixture) = try Self.spilled()
        let reader = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
        #expect(try reader.payload(of: .test(1), branch: .test) == Self.payload)
        #expect(try reader.payload(of: .test(9), branch: .test) == nil)
        fixture.commit(.test(1))
        try database.checkpoint(fixture.checkpoint())
        #expect(try reader.payload(of: .test(1), branch: .test) == nil)
        #expect(try reader.payload(of: .test(2), branch: .test) == Self.payload)
    }

    @Test("What changes or ends after that is written with them")
    func writtenAgain() throws {
        var (folder, database, fixture) = try Self.spilled()
        fixture.answer(.test(1), .action, .failure)
        fixture.commit(.test(2))
        try database.checkpoint(fixture.checkpoint())
        try database.verify()
        let archived = try #require(try database.archived(.test(2)))
        #expect(archived.branches.first?.spec.payload.bytes == Self.payload)
        let reader = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
        #expect(try reader.payload(of: .test(1), branch: .test) == Self.payload)
        #expect(try database.load() == fixture.expected())
    }

    @Test("A start leaves them on the disk")
    func loaded() throws {
        let (folder, _, fixture) = try Self.spilled()
        let state = try StateDatabase.open(folder.copyOfDatabase()).load()
        #expect(state.live.count == 2 && state.live.allSatisfy { !$0.isWhole })
        var machine = TransactionMachine(state)
        #expect(machine.liveBytes < 2_000)
        var before = fixture.machine
        #expect(machine.digest() == before.digest())
    }

    @Test("A payload that is neither in memory nor in the row is rot, and nothing is written")
    func missing() throws {
        var (folder, database, fixture) = try Self.spilled()
        try folder.edit { other in try other.execute("DELETE FROM live WHERE gid = 't-1'") }
        fixture.answer(.test(1), .action, .failure)
        let before = database.appliedIndex
        #expect(throws: StateStoreError.self) { try database.checkpoint(fixture.checkpoint()) }
        #expect(database.appliedIndex == before)
    }
}
