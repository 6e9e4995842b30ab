// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import Raft

/// Growing pauses between attempts, each drawn from the upper half of its range so that nodes do not move in step.
package struct Backoff: Sendable {
    private let initial: Int64
    private let cap: Int64
    private var current: Int64
    private var jitter: SplitMix64

    package init(initial: TimeAmount, cap: TimeAmount, seed: UInt64) {
        self.initial = max(initial.nanoseconds, 1)
        self.cap = max(cap.nanoseconds, self.initial)
        self.current = self.initial
        self.jitter = SplitMix64(seed: seed)
    }

    /// The pause before the next attempt; the one after it may be twice as long, up to the cap.
    package mutating func next() -> TimeAmount {
        let pause = Int64.random(in: (self.current / 2)...self.current, using: &self.jitter)
        self.current = min(self.current * 2, self.cap)
        return .nanoseconds(pause)
    }

    package mutating func reset() { self.current = self.initial }
}
