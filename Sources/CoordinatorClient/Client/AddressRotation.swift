// SPDX-License-Identifier: Apache-2.0

/// Which node one call asks next: the one that answered last first, then the others in turn, none before its pause is
/// over.
package struct AddressRotation: Sendable {
    private var notBefore: [ContinuousClock.Instant?]
    private var failures: [Int]
    private var cursor: Int

    /// - Parameters:
    ///   - count: number of addresses, above 0.
    ///   - first: the address to begin with.
    package init(count: Int, first: Int) {
        self.notBefore = Array(repeating: nil, count: count)
        self.failures = Array(repeating: 0, count: count)
        self.cursor = first % count
    }

    /// The next address and the instant from which it may be asked: the first in turn that needs no more pause, or else
    /// the one whose pause ends first.
    package func next(now: ContinuousClock.Instant) -> (index: Int, start: ContinuousClock.Instant) {
        var best: (index: Int, start: ContinuousClock.Instant)?
        for offset in self.notBefore.indices {
            let index = (self.cursor + offset) % self.notBefore.count
            let start = max(now, self.notBefore[index] ?? now)
            if start == now { return (index, now) }
            if best.map({ start < $0.start }) ?? true { best = (index, start) }
        }
        return best ?? (self.cursor, now)
    }

    /// Puts a node at the end of the turn and gives it a pause: what it asked for, or a jittered one that doubles from
    /// failure to failure up to the longest.
    /// - Parameter jitter: drawn from 0.5 to 1.
    package mutating func failed(
        _ index: Int, now: ContinuousClock.Instant, retryAfter: Duration?, shortest: Duration, longest: Duration,
        jitter: Double
    ) {
        let doublings = min(self.failures[index], 10)
        self.failures[index] += 1
        let ceiling = min(longest, shortest * (1 << doublings))
        let backOff = ceiling * jitter
        self.notBefore[index] = now + max(retryAfter ?? .zero, backOff)
        self.cursor = (index + 1) % self.notBefore.count
    }
}
