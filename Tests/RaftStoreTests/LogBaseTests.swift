// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore
import Simulation
import Testing

@Suite("Where the log begins (Raft paper, section 7)")
struct LogBaseTests {
    static let membership = Membership(
        voters: [Member(nodeID: .n1, storageID: StorageID(rawValue: 7), peerAddress: "host:1")],
        learners: [Member(nodeID: .n9, storageID: StorageID(rawValue: 9))])

    private static func base(_ index: UInt64, term: UInt64, keepsEntries: Bool) -> LogBase {
        LogBase(
            position: LogPosition(index: LogIndex(rawValue: index), term: Term(rawValue: term)),
            membership: Self.membership, keepsEntries: keepsEntries)
    }

    private static func batch(_ sequence: UInt64, _ base: LogBase, _ entries: [Entry] = []) -> Batch {
        Batch(
            sequence: sequence, hardState: HardState(currentTerm: Term(rawValue: 1), votedFor: .n1), base: base,
            truncateFrom: nil, entries: entries)
    }

    @Test("Rows at or below the base go, a row that reaches behind it stays whole")
    func prefix() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let rows = [maker.append([1, 2]), maker.append([3, 4, 5]), maker.append([6])]
        try fixture.write(rows + [Self.batch(4, Self.base(4, term: 1, keepsEntries: true))])
        let recovered = try fixture.recovered()
        #expect(recovered.base == LogPosition(index: LogIndex(rawValue: 2), term: Term(rawValue: 1)))
        #expect(recovered.entries == rows[1].entries + rows[2].entries)
        #expect(recovered.membership == Self.membership)
    }

    @Test("A log whose entries have all gone goes on behind its base")
    func everything() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        try fixture.write([maker.append([1, 2]), Self.batch(2, Self.base(2, term: 1, keepsEntries: true))])
        #expect(try fixture.recovered().base.index == LogIndex(rawValue: 2))
        let more = maker.append([3])
        try fixture.write([more])
        #expect(try fixture.recovered().entries == more.entries)
    }

    @Test("A snapshot takes the place of every entry, and the term and the vote stay (figure 13)")
    func snapshot() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        maker.state = HardState(currentTerm: Term(rawValue: 4), votedFor: .n2)
        let before = maker.append([1, 2, 3])
        let base = Self.base(9, term: 3, keepsEntries: false)
        let next = Entry(
            index: LogIndex(rawValue: 10), term: Term(rawValue: 4), kind: .command, payload: [1])
        try fixture.write([
            before,
            Batch(sequence: 2, hardState: maker.state, base: base, truncateFrom: nil, entries: [next]),
        ])
        let recovered = try fixture.recovered()
        #expect(recovered.hardState == maker.state)
        #expect(recovered.base == base.position)
        #expect(recovered.entries == [next])
    }

    @Test("Several bases in one transaction come to the same as one after the other, however they are grouped")
    func groups() throws {
        let hardState = HardState(currentTerm: Term(rawValue: 1), votedFor: .n1)
        func entries(_ range: ClosedRange<UInt64>) -> [Entry] {
            range.map {
                Entry(index: LogIndex(rawValue: $0), term: Term(rawValue: 1), kind: .command, payload: [UInt8($0)])
            }
        }
        let batches = [
            Batch(sequence: 1, hardState: hardState, truncateFrom: nil, entries: entries(1...3)),
            Self.batch(2, Self.base(2, term: 1, keepsEntries: true), entries(4...4)),
            Self.batch(3, Self.base(9, term: 1, keepsEntries: false), entries(10...12)),
            Self.batch(4, Self.base(20, term: 1, keepsEntries: false)),
            Self.batch(5, Self.base(22, term: 1, keepsEntries: false), entries(23...25)),
            Self.batch(6, Self.base(24, term: 1, keepsEntries: true)),
            Batch(
                sequence: 7, hardState: hardState, truncateFrom: LogIndex(rawValue: 25), entries: entries(25...26)),
        ]
        for groups in [[7], [1, 1, 1, 1, 1, 1, 1], [2, 3, 2], [3, 2, 2], [4, 3], [1, 6], [6, 1]] {
            let recovered = try StoreFixture.recovered(batches, groups: groups)
            #expect(recovered.base.index.rawValue >= 22, "\(groups)")
            #expect(recovered.entries.filter { $0.index.rawValue > 24 } == entries(25...26), "\(groups)")
            #expect(recovered.lastIndex == LogIndex(rawValue: 26), "\(groups)")
            #expect(recovered.membership == Self.membership, "\(groups)")
        }
    }

    @Test("A base that the log can't have changes nothing")
    func invalid() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        let good = maker.append([1, 2])
        try log.write([good])
        #expect(throws: StoreError.self) { try log.write([Self.batch(9, Self.base(3, term: 1, keepsEntries: true))]) }
        #expect(throws: StoreError.self) { try log.write([Self.batch(9, Self.base(0, term: 0, keepsEntries: false))]) }
        log.abandon()
        #expect(try fixture.recovered().entries == good.entries)
    }

    @Test("Learned storage ids outlive a new base")
    func learned() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        try log.write([maker.append([1, 2])])
        try log.recordStorageID(StorageID(rawValue: 22), of: .n2)
        let membership = Membership(voters: [.n1, .n2].map { Member(nodeID: $0, storageID: .unknown) })
        let base = LogBase(
            position: LogPosition(index: LogIndex(rawValue: 1), term: Term(rawValue: 1)), membership: membership,
            keepsEntries: true)
        try log.write([Self.batch(2, base)])
        log.abandon()
        #expect(try fixture.open().members.map(\.storageID.rawValue) == [7, 22])
    }

    @Test("The prefix's pages are used again: the file stays as large as what it holds")
    func fileSize() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        var sizes: [Int] = []
        for round in 1...30 {
            try log.write([maker.append([50_000, 50_000])])
            let through = UInt64(2 * round - 1)
            if round > 2 {
                try log.write([Self.batch(UInt64(1_000 + round), Self.base(through - 2, term: 1, keepsEntries: true))])
            }
            try log.checkpoint()
            sizes.append(try fixture.bytes(of: "raft.db").count)
        }
        log.abandon()
        #expect(sizes[29] <= sizes[8])
    }

    /// The simulator's disk and SQLite are given the same; what a start finds must be the same (faults.md, "One contract
    /// test").
    @Test(
        "The modelled disk and the real one agree on every sequence of batches",
        arguments: 1...12 as ClosedRange<UInt64>)
    func modelAndReality(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let fixture = try StoreFixture()
        var model = ModelledDisk(membership: StoreFixture.empty.membership)
        var maker = ScriptMaker()
        for _ in 0..<12 {
            let log = try fixture.open()
            for _ in 0..<(1 + random.below(6)) {
                let batch = maker.next(&random)
                try log.write([batch])
                model.write(batch)
                model.beginSync()
                _ = model.finishSync()
                if random.below(5) == 0 { try log.checkpoint() }
            }
            if random.coin() { log.abandon() } else { try log.close() }
            #expect(try fixture.recovered() == (try Recovery.recover(model.stored)))
        }
    }
}

/// Draws batches that can follow each other: entries, conflicts, prefixes that go, snapshots.
private struct ScriptMaker {
    private var maker = BatchMaker()
    private var entries: [Entry] = []
    private var base = LogPosition.zero
    private var sequence: UInt64 = 0

    private var lastIndex: LogIndex { self.entries.last?.index ?? self.base.index }

    mutating func next(_ random: inout SeededRandom) -> Batch {
        self.sequence += 1
        var truncateFrom: LogIndex?
        var base: LogBase?
        switch random.below(8) {
        case 0 where !self.entries.isEmpty:
            self.maker.state.currentTerm = self.maker.state.currentTerm.next()
            truncateFrom = self.entries[random.below(self.entries.count)].index
            self.entries.removeAll { $0.index >= truncateFrom ?? .zero }
        case 1 where !self.entries.isEmpty, 2 where !self.entries.isEmpty:
            let entry = self.entries[random.below(self.entries.count)]
            base = LogBase(
                position: LogPosition(index: entry.index, term: entry.term), membership: LogBaseTests.membership,
                keepsEntries: true)
            self.entries.removeAll { $0.index <= entry.index }
            self.base = LogPosition(index: entry.index, term: entry.term)
        case 3:
            let position = LogPosition(
                index: self.lastIndex.advanced(by: 1 + random.below(3)), term: self.maker.state.currentTerm)
            base = LogBase(position: position, membership: LogBaseTests.membership, keepsEntries: false)
            self.entries = []
            self.base = position
        case _: break
        }
        let first = self.lastIndex.next()
        let added = (0..<random.below(4)).map { number in
            Entry(
                index: first.advanced(by: number), term: self.maker.state.currentTerm, kind: .command,
                payload: [UInt8](repeating: UInt8(truncatingIfNeeded: self.sequence), count: random.below(9_000)))
        }
        self.entries += added
        return Batch(
            sequence: self.sequence, hardState: self.maker.state, base: base, truncateFrom: truncateFrom,
            entries: added)
    }
}
