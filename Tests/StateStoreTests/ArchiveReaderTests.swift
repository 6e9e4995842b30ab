// SPDX-License-Identifier: Apache-2.0

import SQLite
import StateStore
import Testing
import Transactions

@Suite("The archive as readers see it") struct ArchiveReaderTests {
    @Test("A reader sees what a checkpoint has brought as soon as it is done, and no more")
    func visibility() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        let reader = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
        var fixture = Fixture()
        for number in 1...20 {
            fixture.submit(.test(number))
            fixture.commit(.test(number))
            let checkpoint = fixture.checkpoint()
            #expect(try reader.lookup(.test(number)) == nil)
            #expect(reader.archived(.test(number)) == nil)
            try database.checkpoint(checkpoint)
            #expect(reader.archived(.test(number)) == fixture.finished[.test(number)])
            #expect(try reader.archivedCount() == UInt64(number))
            if number % 5 == 0 { _ = try database.sync() }
        }
        #expect(try reader.list(limit: 100) == database.list(limit: 100))
        #expect(try reader.list(state: .aborted, limit: 100).isEmpty)
        #expect(try reader.list(state: .committed, after: .test(2), limit: 2).map(\.gid) == [.test(20), .test(3)])
    }

    @Test("The machine finds a finished gid in the archive after it was evicted, also in a file opened again (bug 60)")
    func resubmit() throws {
        let folder = try TemporaryFolder()
        var database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        _ = try database.sync()
        database = try StateDatabase.open(folder)
        var machine = TransactionMachine(try database.load())
        let reader = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
        let branches = try #require(fixture.finished[.test(1)]?.branches.map(\.spec))
        func submit(_ timeout: UInt64) -> [CommandResult] {
            let command = Command.submit(
                Submission(gid: .test(1), kind: .saga, timeoutMilliseconds: timeout, branches: branches))
            let batch = CommandBatch(logTime: .zero, commands: [command])
            return machine.apply(batch, at: machine.appliedIndex + 1, archive: reader).results
        }
        #expect(submit(10_000) == [.accepted(isNew: false)])
        #expect(submit(10_001) == [.rejected(.contentConflict(path: "/timeout_ms"))])
        #expect(machine.transaction(.test(1)) == nil)
    }

    @Test("Readers and the writer don't hold each other up")
    func concurrent() async throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        let path = folder.file()
        let reader = try ArchiveReader(path: path, identity: Fixture.identity)
        let lists = try ArchiveReader(path: path, identity: Fixture.identity)
        let writer = StateWriter(database, retryMilliseconds: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var fixture = Fixture()
                for number in 1...150 {
                    fixture.submit(.test(number))
                    fixture.commit(.test(number))
                    try await writer.checkpoint(fixture.checkpoint()).get()
                    #expect(reader.archived(.test(number)) != nil)
                    if number % 10 == 0 { #expect(try await writer.sync().get() == fixture.machine.appliedIndex) }
                }
            }
            group.addTask {
                let deadline = ContinuousClock.now + .seconds(60)
                var last: UInt64 = 0
                while last < 150, ContinuousClock.now < deadline {
                    let count = try lists.archivedCount()
                    #expect(count >= last)
                    last = count
                    #expect(try lists.list(limit: 200).count >= Int(last), "a list is older than the count before it")
                    await Task.yield()
                }
                #expect(last == 150)
            }
            try await group.waitForAll()
        }
        #expect(writer.failure == nil)
    }

    @Test("A damaged row is an error to those who can go on without it, and the end of the process to the machine")
    func rot() async throws {
        let folder = try TemporaryFolder()
        do {
            let database = try StateDatabase.open(folder)
            var fixture = Fixture.filled()
            try database.checkpoint(fixture.checkpoint())
        }
        try folder.edit { database in try database.execute("UPDATE archive SET crc = crc + 1 WHERE gid = 't-1'") }
        let reader = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
        let expected = StateStoreError.rot(
            path: folder.file(), table: "archive", row: "t-1", reason: "wrong checksum")
        #expect(throws: expected) { try reader.lookup(.test(1)) }
        #expect(throws: expected) { try reader.list(limit: 10) }
        #expect(try reader.lookup(.test(5)) != nil)
        let ends = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let folder = try TemporaryFolder()
            let database = try StateDatabase.open(folder)
            var fixture = Fixture.filled()
            try database.checkpoint(fixture.checkpoint())
            try folder.edit { database in try database.execute("UPDATE archive SET crc = crc + 1") }
            let reader = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
            _ = reader.archived(.test(1))
        }
        let words = String(decoding: ends?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("is damaged: table archive, row t-1"))
    }
}

extension StateWriter {
    func checkpoint(_ checkpoint: StateCheckpoint) async -> Result<Void, StateStoreError> {
        await withCheckedContinuation { continuation in
            self.checkpoint(checkpoint) { continuation.resume(returning: $0) }
        }
    }

    func sync() async -> Result<UInt64, StateStoreError> {
        await withCheckedContinuation { continuation in self.sync { continuation.resume(returning: $0) } }
    }
}
