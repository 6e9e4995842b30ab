// SPDX-License-Identifier: Apache-2.0

import Raft

/// The batches of a drill: number k is always the same for the same seed, so that what a log must hold can be computed
/// again by whoever looks at it later.
struct DrillScript {
    private var random: Numbers
    private var sequence: UInt64 = 0
    private var model = DrillModel()

    private let onlyGrows: Bool

    init(_ arguments: DrillArguments) {
        self.random = Numbers(state: arguments.seed)
        self.onlyGrows = arguments.onlyGrows
    }

    /// The log after the batches made so far.
    var state: DrillModel { self.model }

    /// The next batch: entries, a conflict, a new term with a vote, a prefix that is let go of, or a snapshot in the place of
    /// everything. Each one changes the log or the hard state.
    mutating func next() -> Batch {
        self.sequence += 1
        var hardState = self.model.hardState
        var truncateFrom: LogIndex?
        var base: LogBase?
        var count = 1 + self.random.next(below: 4)
        let held = self.model.entries.count
        var last = self.model.lastIndex
        switch self.random.next(below: 12) {
        case 0, 1:
            hardState = self.newTerm(after: hardState)
            count = 0
        case 2 where held > 0:
            hardState = self.newTerm(after: hardState)
            truncateFrom = LogIndex(rawValue: last.rawValue - UInt64(self.random.next(below: min(held, 6))))
            count = self.random.next(below: 3)
        case 3 where hardState.votedFor == nil && hardState.currentTerm > .zero:
            hardState.votedFor = self.voter()
        case 4 where held > 3 && !self.onlyGrows, 5 where held > 3 && !self.onlyGrows:
            let entry = self.model.entries[self.random.next(below: held - 1)]
            base = self.base(LogPosition(index: entry.index, term: entry.term), keepsEntries: true)
        case 6 where !self.onlyGrows && hardState.currentTerm > .zero && self.random.next(below: 3) == 0:
            last = last.advanced(by: 1 + self.random.next(below: 5))
            base = self.base(LogPosition(index: last, term: hardState.currentTerm), keepsEntries: false)
            count = self.random.next(below: 3)
        case _:
            if hardState.currentTerm == .zero { hardState = self.newTerm(after: hardState) }
        }
        let first = truncateFrom ?? last.next()
        let entries = (0..<count).map { number in
            Entry(
                index: first.advanced(by: number), term: hardState.currentTerm, kind: .command,
                payload: self.payload())
        }
        let batch = Batch(
            sequence: self.sequence, hardState: hardState, base: base, truncateFrom: truncateFrom, entries: entries)
        self.model.apply(batch)
        return batch
    }

    /// Where the log begins from now on. The members' addresses tell one base from every other.
    private func base(_ position: LogPosition, keepsEntries: Bool) -> LogBase {
        let members = (1...3).map { number in
            Member(
                nodeID: NodeID(rawValue: "n\(number)"), storageID: StorageID(rawValue: UInt64(number)),
                peerAddress: "host-\(self.sequence):7501")
        }
        return LogBase(position: position, membership: Membership(voters: members), keepsEntries: keepsEntries)
    }

    private mutating func newTerm(after hardState: HardState) -> HardState {
        HardState(
            currentTerm: hardState.currentTerm.next(),
            votedFor: self.random.next(below: 3) == 0 ? nil : self.voter())
    }

    private mutating func voter() -> NodeID { NodeID(rawValue: "n\(1 + self.random.next(below: 3))") }

    /// Mostly some hundred bytes, now and then more than a page.
    private mutating func payload() -> [UInt8] {
        let length = self.random.next(below: 12) == 0 ? 6_000 : 40 + self.random.next(below: 400)
        let seed = self.random.next(below: 1 << 20) + Int(self.sequence)
        return (0..<length).map { UInt8(truncatingIfNeeded: (seed &+ $0) &* 167 >> 3) }
    }
}

/// What a log holds, in memory.
struct DrillModel: Equatable {
    private(set) var hardState = HardState.initial
    private(set) var base = LogPosition.zero
    /// Nil until the first base names one.
    private(set) var membership: Membership?
    private(set) var entries: [Entry] = []

    var lastIndex: LogIndex { self.entries.last?.index ?? self.base.index }

    mutating func apply(_ batch: Batch) {
        if let base = batch.base {
            self.base = base.position
            self.membership = base.membership
            self.entries.removeAll { !base.keepsEntries || $0.index <= base.position.index }
        }
        if let from = batch.truncateFrom { self.entries.removeLast(self.entries.count { $0.index >= from }) }
        self.entries.append(contentsOf: batch.entries)
        self.hardState = batch.hardState
    }

    func isSame(as log: RecoveredLog) -> Bool {
        // A row that holds entries behind the base too stays whole.
        self.hardState == log.hardState && log.base.index <= self.base.index && self.lastIndex == log.lastIndex
            && self.entries == Array(log.entries.drop { $0.index <= self.base.index })
            && (self.membership ?? log.membership) == log.membership
            && (self.membership != nil || log.membership?.voters.allSatisfy { $0.peerAddress.isEmpty } ?? true)
    }

    /// The first thing in which a log is another one, in words.
    func difference(from log: RecoveredLog) -> String {
        if log.hardState.currentTerm < self.hardState.currentTerm {
            return "the term went back from \(self.hardState.currentTerm) to \(log.hardState.currentTerm)"
        }
        if log.hardState != self.hardState {
            return "term and vote are \(log.hardState.currentTerm) \(log.hardState.votedFor?.rawValue ?? "nobody"), "
                + "not \(self.hardState.currentTerm) \(self.hardState.votedFor?.rawValue ?? "nobody")"
        }
        if log.base.index > self.base.index {
            return "the log begins at \(log.base.index), not at \(self.base.index)"
        }
        for (mine, found) in zip(self.entries, log.entries.drop { $0.index <= self.base.index }) where mine != found {
            return "entry \(mine.index) is another one"
        }
        if self.lastIndex != log.lastIndex { return "the log ends at \(log.lastIndex), not at \(self.lastIndex)" }
        return "the members at the log's base are others"
    }
}

/// Numbers that a seed determines (SplitMix64, Steele, Lea and Flood 2014).
struct Numbers {
    var state: UInt64

    mutating func next(below limit: Int) -> Int {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
