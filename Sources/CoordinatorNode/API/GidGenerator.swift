// SPDX-License-Identifier: Apache-2.0

import Locks
package import Transactions

/// Makes gids for clients that bring none: 48 bits of time in milliseconds and 80 random bits, written as 26 digits of
/// Crockford's base 32 in lower case. They sort by time, and the time in them tells a forgotten gid from an unknown
/// one.
package final class GidGenerator: Sendable {
    private let now: @Sendable () -> UInt64
    private let random: Locked<any RandomNumberGenerator & Sendable>

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - random: where the 80 bits come from; a test hands in a seeded one.
    package init(
        now: @escaping @Sendable () -> UInt64, random: sending any RandomNumberGenerator & Sendable
    ) {
        self.now = now
        self.random = Locked(random)
    }

    package func next() -> Gid {
        let (high, low) = self.random.withLock { random in
            (UInt16(truncatingIfNeeded: random.next()), random.next())
        }
        return Self.gid(milliseconds: self.now(), randomHigh: high, randomLow: low)
    }

    /// Crockford's digits: no i, l, o or u.
    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    private static func gid(milliseconds: UInt64, randomHigh: UInt16, randomLow: UInt64) -> Gid {
        let high = (milliseconds << 16) | UInt64(randomHigh)
        let text = String(unsafeUninitializedCapacity: 26) { buffer in
            // 26 digits of 5 bits hold 130: the first digit carries the top 3 of our 128.
            for position in 0..<26 {
                let shift = (25 - position) * 5
                var bits: UInt64
                if shift >= 64 {
                    bits = high >> (shift - 64)
                } else {
                    bits = randomLow >> shift
                    if shift > 0 { bits |= high << (64 - shift) }
                }
                buffer[position] = Self.digits[Int(truncatingIfNeeded: bits & 31)]
            }
            return 26
        }
        guard let gid = Gid(rawValue: text) else { fatalError("a made gid is not valid: \(text)") }
        return gid
    }
}
