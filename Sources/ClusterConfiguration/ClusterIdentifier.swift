// SPDX-License-Identifier: Apache-2.0

/// The identity of a cluster: 128 random bits, 32 hex digits as text. Never zero.
package struct ClusterIdentifier: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init?(high: UInt64, low: UInt64) {
        guard high != 0 || low != 0 else { return nil }
        self.high = high
        self.low = low
    }

    /// - Returns: `nil` unless the text is 32 hex digits that are not all zero.
    package init?(text: String) {
        guard text.utf8.count == 32, text.allSatisfy({ $0.isASCII && $0.isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.dropFirst(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// Draws a new identity.
    package static func random(using generator: inout some RandomNumberGenerator) -> ClusterIdentifier {
        while true {
            if let drawn = ClusterIdentifier(high: generator.next(), low: generator.next()) { return drawn }
        }
    }

    package var description: String { Self.hex(self.high) + Self.hex(self.low) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
