// SPDX-License-Identifier: Apache-2.0

/// The only source of chance in a simulated world: xoshiro256** (Blackman and Vigna, 2018), seeded through SplitMix64.
///
/// Integers only, and no generator of the standard library, so that a seed gives the same run on every machine and with
/// every compiler.
package struct SeededRandom: Sendable {
    private var a: UInt64
    private var b: UInt64
    private var c: UInt64
    private var d: UInt64

    package init(seed: UInt64) {
        var state = seed
        func splitMix() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        self.a = splitMix()
        self.b = splitMix()
        self.c = splitMix()
        self.d = splitMix()
    }

    package mutating func next() -> UInt64 {
        func rotated(_ value: UInt64, by bits: UInt64) -> UInt64 { (value << bits) | (value >> (64 - bits)) }
        let result = rotated(self.b &* 5, by: 7) &* 9
        let shifted = self.b << 17
        self.c ^= self.a
        self.d ^= self.b
        self.b ^= self.c
        self.a ^= self.d
        self.c ^= shifted
        self.d = rotated(self.d, by: 45)
        return result
    }

    /// A number from 0 up to, but not including, `bound`; 0 for a bound of 0. The bias of one part in 2^32 doesn't matter.
    package mutating func below(_ bound: UInt64) -> UInt64 {
        self.next().multipliedFullWidth(by: bound).high
    }

    package mutating func below(_ bound: Int) -> Int {
        Int(self.below(UInt64(max(bound, 0))))
    }

    package mutating func within(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + self.below(range.upperBound - range.lowerBound + 1)
    }

    package mutating func chance(perMillion: UInt64) -> Bool {
        perMillion > 0 && self.below(1_000_000) < perMillion
    }

    package mutating func coin() -> Bool {
        self.next() >> 63 == 1
    }

    /// A generator of its own, so that one part of the world can draw more without moving what another part draws.
    package mutating func forked() -> SeededRandom {
        SeededRandom(seed: self.next())
    }
}
