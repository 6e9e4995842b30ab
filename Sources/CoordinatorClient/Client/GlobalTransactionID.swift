// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Makes ids of global transactions on the client's side, so that an id is fixed before the first attempt.
public enum GlobalTransactionID {
    /// Digits and lower-case letters without i, l, o and u, in ASCII order, so that texts sort as the numbers do.
    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// A new id: 48 bits of milliseconds since 1970, then 80 random bits, as 26 characters that sort by time.
    public static func next() -> String {
        var random = SystemRandomNumberGenerator()
        let milliseconds = UInt64(max(0, Date().timeIntervalSince1970 * 1000))
        return self.make(milliseconds: milliseconds, using: &random)
    }

    static func make(milliseconds: UInt64, using random: inout some RandomNumberGenerator) -> String {
        let high = UInt128(UInt16.random(in: .min ... .max, using: &random))
        let low = UInt128(UInt64.random(in: .min ... .max, using: &random))
        let value = UInt128(milliseconds & 0xffff_ffff_ffff) << 80 | high << 64 | low
        // 26 characters of 5 bits are 130: the first carries the upper 3 bits alone.
        let characters = (0..<26).map { self.digits[Int(truncatingIfNeeded: value >> UInt128(125 - 5 * $0)) & 31] }
        return String(decoding: characters, as: UTF8.self)
    }
}
