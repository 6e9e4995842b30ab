// SPDX-License-Identifier: Apache-2.0

/// A length of time as text: a whole number and a unit, `30ms`, `3s`, `5min`, `1h`.
package enum DurationText {
    /// Milliseconds in each unit, the largest first.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1),
    ]

    /// - Returns: `nil` unless the text is a whole number with a unit and the duration is under 2^63 milliseconds.
    package static func parse(_ text: String) -> Duration? {
        guard let (number, unit) = Quantity.split(text),
            let factor = Self.units.first(where: { $0.name == unit })?.milliseconds
        else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// The duration in its largest unit that leaves no rest; below a millisecond it is cut off.
    package static func format(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        guard milliseconds != 0, let unit = Self.units.first(where: { milliseconds % $0.milliseconds == 0 }) else {
            return "0ms"
        }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}

/// A number of bytes as text: a whole number and a unit, `512B`, `64KiB`, `1MiB`, `1GiB`.
package enum ByteSizeText {
    private static let units: [(name: String, bytes: Int64)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// - Returns: `nil` unless the text is a whole number with a unit and the size fits in an `Int`.
    package static func parse(_ text: String) -> Int? {
        guard let (number, unit) = Quantity.split(text),
            let factor = Self.units.first(where: { $0.name == unit })?.bytes
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : Int(exactly: bytes)
    }

    /// The size in its largest unit that leaves no rest.
    package static func format(_ bytes: Int) -> String {
        let bytes = Int64(bytes)
        guard bytes != 0, let unit = Self.units.first(where: { bytes % $0.bytes == 0 }) else { return "0B" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}

enum Quantity {
    /// Splits `30ms` into 30 and `ms`. A space between them is allowed; signs and fractions are not.
    static func split(_ text: String) -> (number: Int64, unit: String)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, let number = Int64(digits) else { return nil }
        let unit = text[digits.endIndex...].drop { $0 == " " }
        return (number, String(unit))
    }
}

extension Duration {
    /// Milliseconds, anything below cut off; durations beyond 292 million years stop there.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carry) = milliseconds.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }
}
