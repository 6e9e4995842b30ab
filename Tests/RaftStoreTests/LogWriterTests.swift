// SPDX-License-Identifier: Apache-2.0

import Foundation
import Locks
import Raft
import RaftStore
import Testing

@Suite("The thread that writes the log", .serialized) struct LogWriterTests {
    /// What a writer has said so far.
    private final class Witness: Sendable {
        struct Said {
            var persisted: [UInt64] = []
            var full: [Bool] = []
            var fatal: [StoreError] = []
            var recorded: [Result<Void, StoreError>] = []
        }

        private let said = Locked(Said())

        var now: Said { self.said.withLock { $0 } }

        func writer(_ log: sending SQLiteLog, _ settings: LogWriter.Settings = .init()) throws -> LogWriter {
            try LogWriter(
                log, settings: settings,
                onPersisted: { sequence in self.said.withLock { $0.persisted.append(sequence) } },
                onFull: { isFull in self.said.withLock { $0.full.append(isFull) } },
                onFatal: { error in self.said.withLock { $0.fatal.append(error) } })
        }

        func note(_ result: Result<Void, StoreError>) { self.said.withLock { $0.recorded.append(result) } }

        /// Waits for what must come; a test that waits in vain fails after a minute.
        func wait(_ what: Comment, until condition: (Said) -> Bool) async {
            let deadline = ContinuousClock.now.advanced(by: .seconds(60))
            while !condition(self.now) {
                guard ContinuousClock.now < deadline else {
                    Issue.record("waited in vain: \(what)")
                    return
                }
                await Task.yield()
            }
        }
    }

    private final class SharedMaker: Sendable {
        private let maker = Locked(BatchMaker())

        func append(to writer: LogWriter) { self.maker.withLock { writer.append($0.append([64])) } }
    }

    @Test("Each batch is on disk when it is said to be, and the answers grow")
    func acknowledges() async throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let writer = try witness.writer(fixture.open())
        var maker = BatchMaker()
        var entries: [Entry] = []
        for number in 1...20 {
            let batch = maker.append([number, 300])
            entries += batch.entries
            writer.append(batch)
            await witness.wait("batch \(number)") { $0.persisted.last == batch.sequence }
        }
        #expect(witness.now.persisted == Array(1...20))
        // The process dies here as far as the files can tell: they are looked at while the writer lives.
        let files = try fixture.snapshot()
        writer.close()
        try fixture.restore(files)
        #expect(try fixture.recovered().entries == entries)
    }

    @Test("What waits goes to the disk together; close() writes all of it")
    func groups() throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        var maker = BatchMaker()
        let batches = (0..<2_000).map { _ in maker.append([100]) }
        let before = try fixture.open()
        let counter = before.commitCounter
        before.abandon()
        let writer = try witness.writer(fixture.open())
        for batch in batches { writer.append(batch) }
        writer.close()
        let persisted = witness.now.persisted
        #expect(persisted.last == 2_000)
        #expect(persisted == persisted.sorted())
        #expect(Set(persisted).count == persisted.count)
        let log = try fixture.open()
        #expect(log.recovered.entries == batches.flatMap(\.entries))
        #expect(log.commitCounter - counter == UInt64(persisted.count))
        #expect(writer.waitingBytes == 0)
    }

    @Test("Batches of many threads are all written, each thread's in the order of its calls")
    func manyThreads() async throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let writer = try witness.writer(fixture.open())
        // One lock makes the sequence; the order of append() follows it.
        let maker = SharedMaker()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<50 { maker.append(to: writer) }
                }
            }
        }
        writer.close()
        #expect(witness.now.persisted.last == 400)
        #expect(try fixture.recovered().entries.map(\.index.rawValue) == Array(1...400))
    }

    @Test("Under load the WAL stays at its bound")
    func boundsTheWAL() async throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let settings = LogWriter.Settings(walBound: 1 << 20, idleDelay: .seconds(3600))
        let writer = try witness.writer(fixture.open(), settings)
        var maker = BatchMaker()
        for _ in 0..<60 {
            let batch = maker.append([100_000])
            writer.append(batch)
            await witness.wait("batch \(batch.sequence)") { $0.persisted.last == batch.sequence }
        }
        writer.close()
        let wal = try fixture.bytes(of: DataFolder.Names.wal).count
        #expect(wal < (1 << 20) + 300_000)
        #expect(try fixture.recovered().entries.count == 60)
    }

    @Test("An idle writer moves what it has written into the database file")
    func checkpointsWhenIdle() async throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let writer = try witness.writer(
            fixture.open(), LogWriter.Settings(walBound: 4 << 20, idleDelay: .milliseconds(1)))
        var maker = BatchMaker()
        writer.append(maker.append([1_500_000]))
        let path = fixture.file(DataFolder.Names.database)
        await witness.wait("a checkpoint") { _ in
            let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
            return size ?? 0 > 1_500_000
        }
        #expect(witness.now.persisted == [1])
        writer.close()
    }

    @Test("A member's storage id is written in its turn; one that contradicts is refused and harms nothing")
    func storageIDs() throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let writer = try witness.writer(fixture.open())
        var maker = BatchMaker()
        writer.append(maker.append([10]))
        for storageID in [5, 5, 6] as [UInt64] {
            writer.recordStorageID(StorageID(rawValue: storageID), of: .n2) { witness.note($0) }
        }
        writer.append(maker.append([11]))
        writer.close()
        let answers = witness.now.recorded.map { (try? $0.get()) != nil }
        #expect(answers == [true, true, false])
        #expect(witness.now.persisted.last == 2)
        #expect(witness.now.fatal.isEmpty)
        let log = try fixture.open()
        #expect(log.members.map(\.storageID.rawValue) == [7, 5, 0])
        #expect(log.recovered.entries.count == 2)
    }

    @Test("After an error the writer says so once, acknowledges nothing more and writes nothing more")
    func fatal() async throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let writer = try witness.writer(fixture.open())
        var maker = BatchMaker()
        let good = maker.append([10])
        writer.append(good)
        await witness.wait("the first batch") { $0.persisted == [1] }
        // A gap: the core never asks for it, and the writer can't do it.
        _ = maker.append([11])
        writer.append(maker.append([12]))
        await witness.wait("the error") { !$0.fatal.isEmpty }
        writer.append(Batch(sequence: 9, hardState: maker.state, truncateFrom: nil, entries: []))
        writer.recordStorageID(StorageID(rawValue: 1), of: .n2) { witness.note($0) }
        writer.close()
        let said = witness.now
        #expect(said.persisted == [1])
        #expect(said.recorded.isEmpty)
        #expect(said.fatal.count == 1)
        guard case .invalidBatch(sequence: 3, _) = said.fatal[0] else {
            Issue.record("not the error of the batch: \(said.fatal[0])")
            return
        }
        #expect(try fixture.recovered().entries == good.entries)
    }

    @Test("close() lets go of the folder, can be called twice, and drops what comes later")
    func close() throws {
        let fixture = try StoreFixture()
        let witness = Witness()
        let writer = try witness.writer(fixture.open())
        var maker = BatchMaker()
        writer.append(maker.append([10]))
        writer.close()
        writer.close()
        writer.append(maker.append([11]))
        #expect(witness.now.persisted == [1])
        #expect(try fixture.recovered().entries.count == 1)
    }

    @Test("Each member has a bound of its own between 1 and 4 MiB")
    func bounds() {
        for count in 1...7 {
            let bounds = (0..<count).map { LogWriter.Settings.walBound(ofMember: $0, of: count) }
            #expect(Set(bounds).count == count)
            #expect(bounds.allSatisfy { (1 << 20...4 << 20).contains($0) })
        }
        #expect(LogWriter.Settings(walBound: 0).walBound == 1 << 20)
        #expect(LogWriter.Settings(walBound: 1 << 30).walBound == 4 << 20)
    }
}
