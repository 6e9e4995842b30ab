// SPDX-License-Identifier: Apache-2.0

/// One target that branch calls may go to: `bank.example:8080`, `127.0.0.1:*`, `10.0.0.0/8:443`, `[fd00::/8]:*`.
package struct AllowEntry: Hashable, Sendable, CustomStringConvertible {
    /// Which hosts an entry names.
    package enum Hosts: Hashable, Sendable {
        /// Exactly this name; the address behind it may be any that isn't always refused.
        case name(String)
        /// Every address whose first `length` bits are those of `prefix`; a single address is its own full length.
        case addresses(prefix: ResolvedAddress, length: Int)
    }

    package let hosts: Hosts
    /// `nil` means every port.
    package let port: Int?

    package init(hosts: Hosts, port: Int?) {
        self.hosts = hosts
        self.port = port
    }

    /// Reads `host:port`, `address/length:port` or `[ipv6/length]:port`, where the port may be `*`.
    ///
    /// - Returns: `nil` for anything else, and for a network with bits set behind its length (`10.0.0.1/8`): it is as likely
    ///   a slip in the length as in the address.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let portText = text[text.index(after: colon)...]
        let port: Int?
        if portText == "*" {
            port = nil
        } else {
            guard let number = Endpoint.port(portText) else { return nil }
            port = number
        }
        guard let hosts = Self.hosts(text[..<colon]) else { return nil }
        self.init(hosts: hosts, port: port)
    }

    package var description: String {
        let port = self.port.map { String($0) } ?? "*"
        switch self.hosts {
        case .name(let name): return "\(name):\(port)"
        case .addresses(let prefix, let length):
            let network = length == prefix.bytes.count * 8 ? "\(prefix)" : "\(prefix)/\(length)"
            return prefix.isIPv4 ? "\(network):\(port)" : "[\(network)]:\(port)"
        }
    }

    private static func hosts(_ text: Substring) -> Hosts? {
        var text = text
        let isBracketed = text.first == "[" && text.last == "]"
        guard isBracketed || !text.contains(":") else { return nil }
        if isBracketed { text = text.dropFirst().dropLast() }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2 {
            guard let prefix = ResolvedAddress(text: parts[0]), prefix.isIPv4 != isBracketed,
                parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let length = Int(parts[1]), length <= prefix.bytes.count * 8,
                Self.isZeroBehind(length, prefix)
            else { return nil }
            return .addresses(prefix: prefix, length: length)
        }
        guard parts.count == 1 else { return nil }
        if isBracketed {
            guard text.contains(":"), let address = ResolvedAddress(text: text) else { return nil }
            return .addresses(prefix: address, length: address.bytes.count * 8)
        }
        switch Host(text) {
        case .name(let name): return .name(name)
        case .address(let address): return .addresses(prefix: address, length: address.bytes.count * 8)
        case nil: return nil
        }
    }

    private static func isZeroBehind(_ length: Int, _ prefix: ResolvedAddress) -> Bool {
        (length..<prefix.bytes.count * 8).allSatisfy { prefix.bytes[$0 / 8] & (0x80 >> UInt8($0 % 8)) == 0 }
    }
}
