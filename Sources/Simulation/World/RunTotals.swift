// SPDX-License-Identifier: Apache-2.0

/// What a run over many seeds has found so far; as text, it is how a run is resumed.
package struct RunTotals: Hashable, Sendable {
    /// The first seed that has not been run.
    package var next: UInt64
    package var passed: UInt64 = 0
    package var failedSeeds: [UInt64] = []
    /// Over the seeds' own hashes, in order: two runs of the same seeds by the same code give the same.
    package private(set) var hash = StableHash()
    package var faults = FaultCounts()
    package var statistics = SimulationOutcome.Statistics()

    package init(from first: UInt64) { self.next = first }

    package mutating func add(_ outcome: SimulationOutcome) {
        if outcome.violation == nil { self.passed += 1 } else { self.failedSeeds.append(outcome.seed) }
        self.hash.mix(outcome.hash)
        self.faults.add(outcome.faults)
        self.statistics.add(outcome.statistics)
    }

    package var done: UInt64 { self.passed + UInt64(self.failedSeeds.count) }

    package var text: String {
        var lines = [
            "next \(self.next)", "passed \(self.passed)",
            "failed \(self.failedSeeds.map(String.init).joined(separator: ","))",
            "hash \(self.hash.value)", "events \(self.statistics.events)", "elections \(self.statistics.elections)",
            "committed \(self.statistics.committed)", "writes \(self.statistics.writesAcknowledged)",
            "reads \(self.statistics.readsAnswered)", "acknowledged \(self.statistics.transactionsAcknowledged)",
            "ended \(self.statistics.transactionsEnded)", "told \(self.statistics.outcomesTold)",
            "snapshots \(self.statistics.snapshots)", "installs \(self.statistics.installs)",
            "transfers \(self.statistics.transfers)", "repairs \(self.statistics.repairs)",
        ]
        for kind in FaultKind.allCases { lines.append("\(Self.key(kind)) \(self.faults[kind])") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Nil if the text isn't what `text` gives.
    package init?(text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            fields[parts[0]] = parts[1]
        }
        func number(_ name: String) -> UInt64? { fields[Substring(name)].flatMap { UInt64($0) } }
        guard let next = number("next"), let passed = number("passed"), let failed = fields["failed"],
            let hash = number("hash"), let events = number("events"), let elections = number("elections"),
            let committed = number("committed"),
            let writes = number("writes"), let reads = number("reads"),
            let acknowledged = number("acknowledged"), let ended = number("ended"), let told = number("told"),
            let snapshots = number("snapshots"), let installs = number("installs"),
            let transfers = number("transfers"), let repairs = number("repairs")
        else { return nil }
        self.next = next
        self.passed = passed
        for seed in failed.split(separator: ",") {
            guard let seed = UInt64(seed) else { return nil }
            self.failedSeeds.append(seed)
        }
        self.hash = StableHash(hash)
        self.statistics.events = events
        self.statistics.elections = elections
        self.statistics.committed = committed
        self.statistics.writesAcknowledged = writes
        self.statistics.readsAnswered = reads
        self.statistics.transactionsAcknowledged = acknowledged
        self.statistics.transactionsEnded = ended
        self.statistics.outcomesTold = told
        self.statistics.snapshots = snapshots
        self.statistics.installs = installs
        self.statistics.repairs = repairs
        self.statistics.transfers = transfers
        for kind in FaultKind.allCases {
            guard let count = number(Self.key(kind)) else { return nil }
            self.faults[kind] = count
        }
    }

    private static func key(_ kind: FaultKind) -> String { "fault-\(kind)" }
}
