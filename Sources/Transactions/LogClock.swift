// SPDX-License-Identifier: Apache-2.0

/// Log time as a leader reads it: its wall clock, and never slower than the monotonic clock from what the log has reached.
///
/// A wall clock that was ahead for a moment leaves log time ahead of every right clock. If log time then stood still until
/// the wall clock has caught up, no deadline that is set meanwhile would come for as long: so it goes on at the pace of
/// the monotonic clock.
package struct LogClock: Sendable {
    private var anchor: (time: LogTime, nanoseconds: UInt64)?

    package init() {}

    /// - Parameters:
    ///   - wall: what the node's wall clock shows.
    ///   - monotonic: nanoseconds of the node's monotonic clock.
    ///   - reached: the latest time that the log has, or that was proposed for it.
    package mutating func read(wall: LogTime, monotonic: UInt64, reached: LogTime) -> LogTime {
        let least = max(wall, reached)
        guard let anchor = self.anchor else {
            self.anchor = (least, monotonic)
            return least
        }
        let carried = anchor.time.advanced(
            byMilliseconds: (max(monotonic, anchor.nanoseconds) - anchor.nanoseconds) / 1_000_000)
        // Anchored anew only where another clock is ahead: else the parts of a millisecond would be lost each time.
        guard least > carried else { return carried }
        self.anchor = (least, monotonic)
        return least
    }
}
