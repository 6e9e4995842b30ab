// SPDX-License-Identifier: Apache-2.0

/// How long to wait after a failed attempt: doubling from a base up to a cap, each delay drawn between its half and its
/// whole, so that calls that failed together don't come back together.
package struct Backoff: Sendable {
    /// The whole delay after the first failed attempt, in milliseconds.
    package let baseMilliseconds: UInt64
    /// The longest delay, in milliseconds; at most a day.
    package let capMilliseconds: UInt64
    private static let longestMilliseconds: UInt64 = 86_400_000

    package init(baseMilliseconds: UInt64 = 100, capMilliseconds: UInt64 = 10_000) {
        self.baseMilliseconds = min(max(1, baseMilliseconds), Self.longestMilliseconds)
        self.capMilliseconds = max(self.baseMilliseconds, min(capMilliseconds, Self.longestMilliseconds))
    }

    /// The delay in nanoseconds.
    /// - Parameters:
    ///   - failedAttempts: how many attempts have failed, from 1; any number is safe.
    ///   - random: 64 random bits.
    ///   - retryAfterMilliseconds: what the participant asked for; honoured up to the cap.
    package func delayNanoseconds(
        afterFailedAttempts failedAttempts: UInt32, random: UInt64, retryAfterMilliseconds: UInt64?
    )
        -> UInt64
    {
        let doublings = Int(max(1, failedAttempts) - 1)
        let whole =
            doublings < self.baseMilliseconds.leadingZeroBitCount
            ? min(self.capMilliseconds, self.baseMilliseconds << UInt64(doublings)) : self.capMilliseconds
        let wholeNanoseconds = whole * 1_000_000
        let half = wholeNanoseconds / 2
        let jittered = wholeNanoseconds - half + random % (half + 1)
        return max(jittered, min(retryAfterMilliseconds ?? 0, self.capMilliseconds) * 1_000_000)
    }
}
