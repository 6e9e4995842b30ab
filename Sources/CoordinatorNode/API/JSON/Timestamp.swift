// SPDX-License-Identifier: Apache-2.0

/// Writes a moment as RFC 3339 in UTC with milliseconds: `2026-11-22T09:30:00.250Z`. A formatter of ours, since one
/// stands in every answer several times and a general one costs more than the rest of the answer.
package enum Timestamp {
    /// - Parameter milliseconds: since 1970; a moment behind the year 9999 is written as its last millisecond.
    package static func append(milliseconds: UInt64, to bytes: inout [UInt8]) {
        let moment = Int(min(milliseconds, 253_402_300_799_999))
        let (days, ofDay) = moment.quotientAndRemainder(dividingBy: 86_400_000)
        let (year, month, day) = Self.date(days: days)
        Self.append(year, digits: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(month, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(day, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        Self.append(ofDay / 3_600_000, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.append(ofDay / 60_000 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.append(ofDay / 1000 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        Self.append(ofDay % 1000, digits: 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The date of the proleptic Gregorian calendar that lies so many days behind 1970-01-01.
    ///
    /// Counts from the 1st of March of the year 0, so that the leap day is the last of its year: 400 years have 146,097
    /// days, and the months from March on have 153 days in every five.
    private static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let fromMarch = days + 719_468
        let (era, ofEra) = fromMarch.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + 400 * era + (month <= 2 ? 1 : 0), month, day)
    }

    private static func append(_ number: Int, digits: Int, to bytes: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        for _ in 0..<digits {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
