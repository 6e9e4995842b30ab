// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("What a log on disk must be to be started from") struct RecoveryTests {
    private static func entries(_ range: ClosedRange<UInt64>, term: UInt64 = 1) -> [Entry] {
        range.map {
            Entry(
                index: LogIndex(rawValue: $0), term: Term(rawValue: term), kind: .command,
                payload: [UInt8(truncatingIfNeeded: $0)])
        }
    }

    private static func row(_ entries: [Entry]) -> StoredLog.BatchRow {
        StoredLog.BatchRow(
            isIntact: true, first: entries.first?.index ?? .zero, last: entries.last?.index ?? .zero, entries: entries)
    }

    private static func state(
        term: UInt64 = 3, base: LogPosition = .zero, lastIndex: UInt64
    ) -> StoredLog.HardStateRow {
        StoredLog.HardStateRow(
            isIntact: true,
            hardState: HardState(currentTerm: Term(rawValue: term), votedFor: NodeID(rawValue: "n2")), base: base,
            lastIndex: LogIndex(rawValue: lastIndex))
    }

    /// Entries 1 to 6 in three rows, terms 1, 1 and 3.
    private static let good = StoredLog(
        hardState: Self.state(lastIndex: 6),
        batches: [Self.row(Self.entries(1...2)), Self.row(Self.entries(3...3)), Self.row(Self.entries(4...6, term: 3))])

    private static func changed(_ change: (inout StoredLog) -> Void) -> StoredLog {
        var log = Self.good
        change(&log)
        return log
    }

    @Test("A whole log is recovered as it was stored")
    func whole() throws {
        let log = try Recovery.recover(Self.good)
        #expect(log.entries == Self.entries(1...3) + Self.entries(4...6, term: 3))
        #expect(log.hardState == HardState(currentTerm: Term(rawValue: 3), votedFor: NodeID(rawValue: "n2")))
        #expect(log.base == .zero)
    }

    @Test("A log without entries is whole if the hard state says so")
    func empty() throws {
        let log = try Recovery.recover(StoredLog(hardState: Self.state(lastIndex: 0), batches: []))
        #expect(log.entries.isEmpty)
    }

    @Test("A log whose prefix was removed begins behind its base")
    func base() throws {
        let base = LogPosition(index: LogIndex(rawValue: 3), term: Term(rawValue: 2))
        let stored = StoredLog(
            hardState: Self.state(base: base, lastIndex: 5), batches: [Self.row(Self.entries(4...5, term: 2))])
        let log = try Recovery.recover(stored)
        #expect(log.base == base)
        #expect(log.entries == Self.entries(4...5, term: 2))
        var none = stored
        none.batches = []
        none.hardState?.lastIndex = base.index
        #expect(try Recovery.recover(none).entries.isEmpty)
    }

    @Test("Without its hard state a node can't know what it promised")
    func hardState() {
        #expect(throws: Rot.hardStateMissing) { try Recovery.recover(Self.changed { $0.hardState = nil }) }
        #expect(throws: Rot.hardStateDamaged) {
            try Recovery.recover(Self.changed { $0.hardState?.isIntact = false })
        }
    }

    @Test("A damaged row is rot, wherever it stands", arguments: 0..<3)
    func damagedRow(position: Int) {
        let row = Self.good.batches[position]
        #expect(throws: Rot.batchDamaged(first: row.first, last: row.last)) {
            try Recovery.recover(Self.changed { $0.batches[position].isIntact = false })
        }
    }

    @Test("A row must hold the entries that it names")
    func mislabelledRow() {
        #expect(throws: Rot.batchMislabelled(first: LogIndex(rawValue: 1), last: LogIndex(rawValue: 3))) {
            try Recovery.recover(Self.changed { $0.batches[0].last = LogIndex(rawValue: 3) })
        }
        #expect(throws: Rot.batchMislabelled(first: LogIndex(rawValue: 2), last: LogIndex(rawValue: 2))) {
            try Recovery.recover(
                Self.changed {
                    $0.batches[0].first = LogIndex(rawValue: 2); $0.batches[0].last = LogIndex(rawValue: 2)
                })
        }
        #expect(throws: Rot.batchMislabelled(first: LogIndex(rawValue: 1), last: LogIndex(rawValue: 2))) {
            try Recovery.recover(Self.changed { $0.batches[0].entries = [] })
        }
    }

    @Test("A missing row, a row twice and rows in the wrong order are gaps")
    func gaps() {
        func gap(_ expected: UInt64, _ found: UInt64) -> Rot {
            .gap(expected: LogIndex(rawValue: expected), found: LogIndex(rawValue: found))
        }
        #expect(throws: gap(1, 3)) { try Recovery.recover(Self.changed { $0.batches.remove(at: 0) }) }
        #expect(throws: gap(3, 4)) { try Recovery.recover(Self.changed { $0.batches.remove(at: 1) }) }
        #expect(throws: gap(4, 3)) {
            try Recovery.recover(Self.changed { $0.batches.insert($0.batches[1], at: 2) })
        }
        #expect(throws: gap(3, 4)) { try Recovery.recover(Self.changed { $0.batches.swapAt(1, 2) }) }
    }

    @Test("An entry missing inside a row is a gap")
    func gapInRow() {
        let rot = Rot.gap(expected: LogIndex(rawValue: 5), found: LogIndex(rawValue: 6))
        #expect(throws: rot) { try Recovery.recover(Self.changed { $0.batches[2].entries.remove(at: 1) }) }
    }

    @Test("A lost tail and a tail too long are rot: the hard state says where the log ends")
    func wrongEnd() {
        func end(_ expected: UInt64, _ found: UInt64) -> Rot {
            .wrongEnd(expected: LogIndex(rawValue: expected), found: LogIndex(rawValue: found))
        }
        #expect(throws: end(6, 3)) { try Recovery.recover(Self.changed { $0.batches.removeLast() }) }
        #expect(throws: end(6, 0)) { try Recovery.recover(Self.changed { $0.batches = [] }) }
        #expect(throws: end(5, 6)) {
            try Recovery.recover(Self.changed { $0.hardState?.lastIndex = LogIndex(rawValue: 5) })
        }
    }

    @Test("Terms don't go back, don't pass the current one, and are never zero (Raft paper, section 5.3)")
    func terms() {
        func rot(_ index: UInt64, _ term: UInt64) -> Rot {
            .termOutOfOrder(at: LogIndex(rawValue: index), term: Term(rawValue: term))
        }
        #expect(throws: rot(4, 3)) {
            try Recovery.recover(Self.changed { $0.hardState?.hardState.currentTerm = Term(rawValue: 2) })
        }
        #expect(throws: rot(3, 1)) {
            try Recovery.recover(Self.changed { $0.batches[0] = Self.row(Self.entries(1...2, term: 2)) })
        }
        #expect(throws: rot(1, 0)) {
            try Recovery.recover(Self.changed { $0.batches[0] = Self.row(Self.entries(1...2, term: 0)) })
        }
        let base = LogPosition(index: LogIndex(rawValue: 0), term: Term(rawValue: 2))
        #expect(throws: rot(1, 1)) { try Recovery.recover(Self.changed { $0.hardState?.base = base }) }
    }

    // MARK: What can be used of a rotten one

    @Test("What stands before the harm is kept, and the hard state says that entries are lost")
    func salvaged() throws {
        let harms: [(rows: Int, change: (inout StoredLog) -> Void)] = [
            (1, { $0.batches[1].isIntact = false }), (0, { $0.batches[0].isIntact = false }),
            (1, { $0.batches.remove(at: 1) }), (2, { $0.batches.removeLast() }), (2, { $0.batches[2].first = .zero }),
            (3, { $0.hardState?.lastIndex = LogIndex(rawValue: 7) }),
        ]
        for harm in harms {
            let stored = Self.changed(harm.change)
            #expect(throws: Rot.self) { try Recovery.recover(stored) }
            let salvaged = try #require(try Recovery.salvage(stored, founders: .three))
            #expect(salvaged.rows == harm.rows)
            #expect(salvaged.log.entries == Self.good.batches.prefix(harm.rows).flatMap(\.entries))
            let lost = HardState(
                currentTerm: Term(rawValue: 3), votedFor: NodeID(rawValue: "n2"), losses: 1, isRepairing: true)
            #expect(salvaged.log.hardState == lost)
        }
        #expect(try Recovery.salvage(Self.good, founders: .three) == nil)
    }

    @Test("Nothing is salvaged where the others can't make it good")
    func notSalvaged() {
        let harmed = Self.changed { $0.batches[1].isIntact = false }
        #expect(throws: Rot.hardStateDamaged) {
            try Recovery.salvage(Self.changed { $0.hardState?.isIntact = false }, founders: .three)
        }
        for few in [Membership.test(["n1"]), .test(["n1", "n2"]), .test(["n1", "n2", "n3"], outgoing: ["n1", "n2"])] {
            #expect(throws: Rot.self) { try Recovery.salvage(harmed, founders: few) }
        }
        #expect(throws: Rot.self) { try Recovery.salvage(harmed) }
        // Who takes part says the latest entry that can be read, also one behind the harm.
        for row in [0, 2] {
            let named = Self.changed { stored in
                let entry = stored.batches[row].entries[1]
                stored.batches[row].entries[1] = .test(
                    entry.index.rawValue, term: entry.term.rawValue, .test(["n1", "n2"]))
                stored.batches[1].isIntact = false
            }
            #expect(throws: Rot.self) { try Recovery.salvage(named, founders: .three) }
        }
        // Rows that are later than the hard state say that this is an old one.
        #expect(throws: Rot.self) {
            try Recovery.salvage(
                Self.changed { $0.hardState?.lastIndex = LogIndex(rawValue: 5) }, founders: .three)
        }
        #expect(throws: Rot.self) {
            try Recovery.salvage(
                Self.changed { $0.hardState?.hardState.currentTerm = Term(rawValue: 2) }, founders: .three)
        }
    }
}
