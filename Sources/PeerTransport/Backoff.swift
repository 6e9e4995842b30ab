// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Growing pauses between attempts, each drawn from the upper half of its range so that nodes do not move in step.
struct Backoff: Sendable {
    private let initial: Int64
    private let cap: Int64
    private var current: Int64
    private var jitter: JitterGenerator

    init(initial: TimeAmount, cap: TimeAmount, seed: UInt64) {
        self.initial = max(initial.nanoseconds, 1)
        self.cap = max(cap.nanoseconds, self.initial)
        self.current = self.initial
        self.jitter = JitterGenerator(seed: seed)
    }

    /// The pause before the next attempt; the one after it may be twice as long, up to the cap.
    mutating func next() -> TimeAmount {
        let pause = Int64.random(in: (self.current / 2)...self.current, using: &self.jitter)
        self.current = min(self.current * 2, self.cap)
        return .nanoseconds(pause)
    }

    mutating func reset() { self.current = self.initial }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a seed replays the pauses.
struct JitterGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
