// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore
import Testing

@Suite("The log in SQLite") struct SQLiteLogTests {
    @Test("A fresh log is empty, with no term and no vote")
    func fresh() throws {
        let fixture = try StoreFixture()
        let recovered = try fixture.recovered()
        #expect(recovered == StoreFixture.empty)
    }

    @Test("What was written is there after a close and after the death of the process", arguments: [true, false])
    func roundTrip(isClosed: Bool) throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        let batches = [maker.append([0, 1, 256]), maker.append([]), maker.append([70_000, 5])]
        for batch in batches { try log.write([batch]) }
        if isClosed { try log.close() } else { log.abandon() }
        let recovered = try fixture.recovered()
        #expect(recovered.entries == batches.flatMap(\.entries))
        #expect(recovered.hardState == maker.state)
    }

    @Test("Term and vote are on disk with the entries, and without any")
    func hardState() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        for (term, vote) in [(1, .n1), (5, nil), (5, .n3)] as [(UInt64, NodeID?)] {
            maker.state = HardState(currentTerm: Term(rawValue: term), votedFor: vote)
            try fixture.write([maker.append(term == 5 ? [] : [10])])
            #expect(try fixture.recovered().hardState == maker.state)
        }
    }

    @Test(
        "A conflict removes rows, cuts through one, and is followed by other entries",
        arguments: 1...10 as ClosedRange<UInt64>)
    func truncation(from: UInt64) throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let before = [maker.append([10, 11, 12]), maker.append([13]), maker.append([14, 15, 16, 17, 18])]
        try fixture.write(before)
        maker.state.currentTerm = Term(rawValue: 2)
        let after = maker.append([99, 98], truncateFrom: from)
        let log = try fixture.open()
        try log.write([after])
        #expect(log.lastIndex == LogIndex(rawValue: from + 1))
        let next = maker.append([97])
        try log.write([next])
        log.abandon()
        let kept = before.flatMap(\.entries).filter { $0.index.rawValue < from }
        #expect(try fixture.recovered().entries == kept + after.entries + next.entries)
    }

    @Test("A conflict may remove everything and bring nothing")
    func truncateAll() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        try fixture.write([maker.append([10, 11]), maker.append([], truncateFrom: 1)])
        #expect(try fixture.recovered().entries.isEmpty)
        let again = maker.append([12])
        try fixture.write([again])
        #expect(try fixture.recovered().entries == again.entries)
    }

    @Test("Several batches in one transaction come to the same as one after the other")
    func groups() throws {
        var maker = BatchMaker()
        var batches = [maker.append([10, 11, 12]), maker.append([13, 14])]
        maker.state.currentTerm = Term(rawValue: 2)
        batches.append(maker.append([20, 21], truncateFrom: 4))
        maker.state.currentTerm = Term(rawValue: 3)
        batches.append(maker.append([30], truncateFrom: 2))
        batches.append(maker.append([31, 32]))
        batches.append(maker.append([], truncateFrom: 4))
        var results: [RecoveredLog] = []
        for groups in [[6], [1, 1, 1, 1, 1, 1], [2, 2, 2], [1, 5], [4, 2], [3, 3]] {
            results.append(try StoreFixture.recovered(batches, groups: groups))
        }
        #expect(results[0].entries.map(\.payload.count) == [10, 30, 31])
        #expect(results.allSatisfy { $0 == results[0] })
    }

    @Test("A batch that can't follow the log changes nothing")
    func invalidBatches() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        let good = maker.append([10, 11])
        try log.write([good])
        let gap = Batch(
            sequence: 9, hardState: maker.state, truncateFrom: nil,
            entries: [Entry(index: LogIndex(rawValue: 4), term: Term(rawValue: 1), kind: .command, payload: [])])
        let cutBehind = Batch(
            sequence: 10, hardState: maker.state, truncateFrom: LogIndex(rawValue: 4), entries: [])
        let cutAtBase = Batch(sequence: 11, hardState: maker.state, truncateFrom: .zero, entries: [])
        for batch in [gap, cutBehind, cutAtBase] {
            #expect(throws: StoreError.self) { try log.write([batch]) }
        }
        let more = maker.append([12])
        try log.write([more])
        log.abandon()
        #expect(try fixture.recovered().entries == good.entries + more.entries)
    }

    @Test("A member's storage id is learned once and never changes")
    func storageIDs() throws {
        let fixture = try StoreFixture()
        let log = try fixture.open()
        #expect(log.members.map(\.storageID.rawValue) == [7, 0, 0])
        try log.recordStorageID(StorageID(rawValue: 22), of: .n2)
        try log.recordStorageID(StorageID(rawValue: 22), of: .n2)
        #expect(throws: StoreError.self) { try log.recordStorageID(StorageID(rawValue: 23), of: .n2) }
        log.abandon()
        let again = try fixture.open()
        #expect(again.members.map(\.storageID.rawValue) == [7, 22, 0])
    }

    @Test("Checkpoints change nothing that is seen, and the WAL is used again")
    func checkpoints() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        var written: [Entry] = []
        var lengths: Set<Int> = []
        for _ in 0..<5 {
            for _ in 0..<4 {
                let batch = maker.append([300, 20])
                try log.write([batch])
                written += batch.entries
            }
            #expect(log.uncheckpointedBytes > 0)
            try log.checkpoint()
            #expect(log.uncheckpointedBytes == 0)
            lengths.insert(try fixture.bytes(of: DataFolder.Names.wal).count)
        }
        log.abandon()
        // The WAL grew in its first uses alone: later ones stay within it, whatever page splits cost.
        #expect(lengths.count <= 3)
        #expect(try fixture.recovered().entries == written)
    }

    @Test("A reader that isn't the node sees the same and changes no byte")
    func offlineReader() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let batches = [maker.append([10, 11]), maker.append([12, 13, 14])]
        try fixture.write(batches)
        let before = try fixture.snapshot()
        do {
            let reader = try OfflineLogReader(path: fixture.path)
            #expect(reader.recovered.entries == batches.flatMap(\.entries))
            #expect(reader.hardState == maker.state)
            #expect(reader.lastIndex == LogIndex(rawValue: 5))
            #expect(reader.rowCount == 2)
            let middle = reader.entries(in: LogIndex(rawValue: 2)...LogIndex(rawValue: 4))
            #expect(middle.map(\.index.rawValue) == [2, 3, 4])
            #expect(reader.entries(in: LogIndex(rawValue: 6)...LogIndex(rawValue: 9)).isEmpty)
            #expect(throws: StoreError.self) { try fixture.open() }
        }
        var after = try fixture.snapshot()
        after[DataFolder.Names.lock] = before[DataFolder.Names.lock]
        #expect(after == before)
    }

    @Test("A closed log refuses to write")
    func closed() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        try log.close()
        try log.close()
        #expect(throws: StoreError.closed(path: fixture.path)) { try log.write([maker.append([1])]) }
    }
}
