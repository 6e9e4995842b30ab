// SPDX-License-Identifier: Apache-2.0

/// Until when a caller waits for an outcome.
struct Deadline: Sendable {
    let instant: ContinuousClock.Instant

    /// How long a node may hold one request.
    func hold(atMost longest: Duration) -> Duration {
        min(longest, max(.zero, ContinuousClock.now.duration(to: self.instant)))
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, so that a short time doesn't become none.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = self.components
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
