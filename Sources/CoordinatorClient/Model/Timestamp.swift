// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// An instant of the cluster's log time, in whole milliseconds; RFC 3339 in UTC as text, such as
/// `2026-01-31T23:59:59.123Z`.
public struct Timestamp: Hashable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let milliseconds: Int64

    /// The instant that many milliseconds after the start of 1970, UTC.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// The same instant for Foundation.
    public var date: Date { Date(timeIntervalSince1970: Double(self.milliseconds) / 1000) }

    /// Reads RFC 3339 in UTC (`Z`), with or without a fraction; digits behind the milliseconds are dropped.
    /// - Returns: `nil` for any other text, a day that the calendar doesn't have included.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z") else { return nil }
        let separators: [(Int, Unicode.Scalar)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]
        guard separators.allSatisfy({ bytes[$0.0] == UInt8(ascii: $0.1) }) else { return nil }
        guard let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[5..<7]),
            let day = Self.number(bytes[8..<10]), let hour = Self.number(bytes[11..<13]),
            let minute = Self.number(bytes[14..<16]), let second = Self.number(bytes[17..<19])
        else { return nil }
        guard (1...12).contains(month), hour < 24, minute < 60, second < 60,
            (1...Self.days(inMonth: month, of: year)).contains(day)
        else { return nil }
        var thousandths: Int64 = 0
        let fraction = bytes[19..<bytes.count - 1]
        if !fraction.isEmpty {
            guard fraction.first == UInt8(ascii: "."), (2...10).contains(fraction.count) else { return nil }
            guard Self.number(fraction.dropFirst()) != nil else { return nil }
            let digits = Array(fraction.dropFirst().prefix(3)) + [UInt8](repeating: UInt8(ascii: "0"), count: 3)
            thousandths = Self.number(digits[0..<3]) ?? 0
        }
        let seconds = ((Self.daysSince1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
        self.milliseconds = seconds * 1000 + thousandths
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        let next = month == 12 ? (year + 1, 1) : (year, month + 1)
        return self.daysSince1970(next.0, next.1, 1) - self.daysSince1970(year, month, 1)
    }

    /// Counts in years that begin in March, so that the leap day is a year's last; 400 years are 146,097 days.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 with milliseconds, in UTC.
    public var description: String {
        let day = self.milliseconds.floorDivided(by: 86_400_000)
        let inDay = self.milliseconds - day * 86_400_000
        let shifted = day + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let dayOfMonth = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let date = "\(year.padded(4))-\(month.padded(2))-\(dayOfMonth.padded(2))"
        let clock = "\((inDay / 3_600_000).padded(2)):\((inDay / 60_000 % 60).padded(2))"
        return "\(date)T\(clock):\((inDay / 1000 % 60).padded(2)).\((inDay % 1000).padded(3))Z"
    }
}

extension Timestamp: Codable {
    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let timestamp = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 time in UTC")
        }
        self = timestamp
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}

extension Timestamp: Comparable {
    /// Earlier is less.
    public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool { lhs.milliseconds < rhs.milliseconds }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.utf8.count)) + digits
    }
}
