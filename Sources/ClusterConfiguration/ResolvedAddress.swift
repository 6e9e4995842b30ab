// SPDX-License-Identifier: Apache-2.0

/// An IP address as a connection has it: four bytes (IPv4) or sixteen (IPv6), in network order.
///
/// An IPv4 address that is written as IPv6 (`::ffff:a.b.c.d`, RFC 4291, section 2.5.5.2) becomes the IPv4 address that it
/// means, so that no rule can be passed by writing an address the other way.
package struct ResolvedAddress: Hashable, Sendable {
    package let bytes: [UInt8]

    /// - Returns: `nil` unless there are four or sixteen bytes.
    package init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.bytes = bytes
        case 16: self.bytes = Self.isMappedIPv4(bytes) ? Array(bytes[12...]) : bytes
        case _: return nil
        }
    }

    /// An IPv4 address of four numbers, for constants.
    package init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        self.bytes = [first, second, third, fourth]
    }

    package var isIPv4: Bool { self.bytes.count == 4 }

    /// The whole of 127.0.0.0/8, and ::1.
    package var isLoopback: Bool {
        self.isIPv4 ? self.bytes[0] == 127 : self.bytes == Self.ipv6Loopback
    }

    /// 0.0.0.0/8 ("this network", RFC 1122) and `::`. Linux connects to itself when told to connect to these.
    package var isUnspecified: Bool {
        self.isIPv4 ? self.bytes[0] == 0 : self.bytes.allSatisfy { $0 == 0 }
    }

    /// 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291).
    package var isLinkLocal: Bool {
        if self.isIPv4 { return self.bytes[0] == 169 && self.bytes[1] == 254 }
        return self.bytes[0] == 0xfe && self.bytes[1] & 0xc0 == 0x80
    }

    /// 224.0.0.0/4 and ff00::/8.
    package var isMulticast: Bool {
        self.isIPv4 ? self.bytes[0] & 0xf0 == 0xe0 : self.bytes[0] == 0xff
    }

    /// 240.0.0.0/4, the broadcast address included: never a host.
    package var isReserved: Bool { self.isIPv4 && self.bytes[0] & 0xf0 == 0xf0 }

    /// The IPv4 address that a translator reaches through this IPv6 address: NAT64 (64:ff9b::/96, RFC 6052), 6to4
    /// (2002::/16, RFC 3056) and the deprecated IPv4-compatible form (::a.b.c.d).
    package var translatedIPv4: ResolvedAddress? {
        guard !self.isIPv4, !self.isLoopback, !self.isUnspecified else { return nil }
        if self.bytes.starts(with: [0x20, 0x02]) { return ResolvedAddress(bytes: Array(self.bytes[2..<6])) }
        let isNAT64 = self.bytes.starts(with: [0x00, 0x64, 0xff, 0x9b] + [UInt8](repeating: 0, count: 8))
        let isCompatible = self.bytes[..<12].allSatisfy { $0 == 0 }
        return isNAT64 || isCompatible ? ResolvedAddress(bytes: Array(self.bytes[12...])) : nil
    }

    /// Whether the first `length` bits are those of `prefix`, and both are of one family.
    package func hasPrefix(_ prefix: ResolvedAddress, length: Int) -> Bool {
        guard self.isIPv4 == prefix.isIPv4, length <= self.bytes.count * 8 else { return false }
        let whole = length / 8
        guard self.bytes[..<whole] == prefix.bytes[..<whole] else { return false }
        let rest = length % 8
        guard rest > 0 else { return true }
        let mask = UInt8.max << UInt8(8 - rest)
        return self.bytes[whole] & mask == prefix.bytes[whole] & mask
    }

    private static let ipv6Loopback: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]

    private static func isMappedIPv4(_ bytes: [UInt8]) -> Bool {
        bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
    }
}
