// SPDX-License-Identifier: Apache-2.0

/// A moment of log time: milliseconds since 1970 as the log tells them.
///
/// It is the greatest time that any entry so far has carried, so that it never goes back, whatever the leaders' clocks do.
package struct LogTime: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The time before any command.
    package static let zero = LogTime(rawValue: 0)
    /// The last millisecond of the year 9999: what an RFC 3339 timestamp can still show. A later one isn't decoded.
    package static let maximum = LogTime(rawValue: 253_402_300_799_999)

    /// The moment `milliseconds` later, at most `maximum`.
    package func advanced(byMilliseconds milliseconds: UInt64) -> LogTime {
        let (sum, isOverflowing) = self.rawValue.addingReportingOverflow(milliseconds)
        return isOverflowing ? .maximum : min(LogTime(rawValue: sum), .maximum)
    }

    package static func < (lhs: LogTime, rhs: LogTime) -> Bool { lhs.rawValue < rhs.rawValue }
}
