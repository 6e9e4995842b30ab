// SPDX-License-Identifier: Apache-2.0

/// Counts what came of the transactions of a load run.
package struct BenchRecorder: Sendable {
    /// Microseconds of every transaction that ended in the time that is measured.
    private var latencies: [UInt32] = []
    private var committed = 0
    private var aborted = 0
    private var errors: [String: Int] = [:]

    package init() {}

    /// - Parameter latency: from the request's first byte to the answer's last.
    package mutating func ended(_ answer: BenchAnswer, after latency: Duration) {
        switch answer {
        case .committed: self.committed += 1
        case .aborted: self.aborted += 1
        case .undecided:
            self.failed("undecided")
            return
        case .refused(let status, let code):
            self.failed("\(status) \(code)")
            return
        }
        self.latencies.append(UInt32(clamping: Int64(latency.milliseconds * 1000)))
    }

    package mutating func failed(_ reason: String) { self.errors[reason, default: 0] += 1 }

    package func summary(over duration: Duration) -> BenchSummary {
        let sorted = self.latencies.sorted()
        func percentile(_ part: Double) -> Double { Double(Self.percentile(part, of: sorted)) / 1000 }
        let seconds = duration.milliseconds / 1000
        let ended = self.committed + self.aborted
        return BenchSummary(
            seconds: seconds, transactions: ended, committed: self.committed, aborted: self.aborted,
            errors: self.errors.values.reduce(0, +), errorKinds: self.errors,
            transactionsPerSecond: seconds > 0 ? Double(ended) / seconds : 0, p50Ms: percentile(0.5),
            p95Ms: percentile(0.95), p99Ms: percentile(0.99), maxMs: percentile(1))
    }

    /// The smallest value that at least this part of the values doesn't exceed (nearest rank); 0 of none.
    package static func percentile(_ part: Double, of sorted: [UInt32]) -> UInt32 {
        guard !sorted.isEmpty else { return 0 }
        let rank = Int((part * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}

/// What a load run measured. Times are in milliseconds, from a request to the answer with the outcome.
package struct BenchSummary: Hashable, Sendable, Encodable {
    package let seconds: Double
    package let transactions: Int
    package let committed: Int
    package let aborted: Int
    package let errors: Int
    package let errorKinds: [String: Int]
    package let transactionsPerSecond: Double
    package let p50Ms: Double
    package let p95Ms: Double
    package let p99Ms: Double
    package let maxMs: Double
}
