// SPDX-License-Identifier: Apache-2.0

import Raft

/// The batches of a drill: number k is always the same for the same seed, so that what a log must hold can be computed
/// again by whoever looks at it later.
struct DrillScript {
    private var random: Numbers
    private var sequence: UInt64 = 0
    private var model = DrillModel()

    init(seed: UInt64) { self.random = Numbers(state: seed) }

    /// The log after the batches made so far.
    var state: DrillModel { self.model }

    /// The next batch: entries, a conflict, or a new term with a vote. Each one changes the log or the hard state.
    mutating func next() -> Batch {
        self.sequence += 1
        var hardState = self.model.hardState
        var truncateFrom: LogIndex?
        var count = 1 + self.random.next(below: 4)
        let last = self.model.entries.count
        switch self.random.next(below: 10) {
        case 0, 1:
            hardState = self.newTerm(after: hardState)
            count = 0
        case 2 where last > 0:
            hardState = self.newTerm(after: hardState)
            truncateFrom = LogIndex(rawValue: UInt64(last - self.random.next(below: min(last, 6))))
            count = self.random.next(below: 3)
        case 3 where hardState.votedFor == nil && hardState.currentTerm > .zero:
            hardState.votedFor = self.voter()
        case _:
            if hardState.currentTerm == .zero { hardState = self.newTerm(after: hardState) }
        }
        let first = truncateFrom ?? LogIndex(rawValue: UInt64(last + 1))
        let entries = (0..<count).map { number in
            Entry(
                index: first.advanced(by: number), term: hardState.currentTerm, kind: .command,
                payload: self.payload())
        }
        let batch = Batch(
            sequence: self.sequence, hardState: hardState, truncateFrom: truncateFrom, entries: entries)
        self.model.apply(batch)
        return batch
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
    private(set) var entries: [Entry] = []

    mutating func apply(_ batch: Batch) {
        if let from = batch.truncateFrom { self.entries.removeLast(self.entries.count { $0.index >= from }) }
        self.entries.append(contentsOf: batch.entries)
        self.hardState = batch.hardState
    }

    func isSame(as log: RecoveredLog) -> Bool {
        self.hardState == log.hardState && log.base == .zero && self.entries == log.entries
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
        for (mine, found) in zip(self.entries, log.entries) where mine != found {
            return "entry \(mine.index) is another one"
        }
        return "the log holds \(log.entries.count) entries, not \(self.entries.count)"
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
