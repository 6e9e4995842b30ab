// SPDX-License-Identifier: Apache-2.0

/// A host and a port, `host:port` as text; an IPv6 address stands in brackets.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package var host: Host
    /// 1…65535.
    package var port: Int

    package init(host: Host, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Returns: `nil` unless the text is `host:port` with a port of 1…65535.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let hostText = text[..<colon]
        guard !hostText.contains(":") || hostText.first == "[" else { return nil }
        guard let host = Host(hostText), let port = Self.port(text[text.index(after: colon)...]) else { return nil }
        self.init(host: host, port: port)
    }

    package var description: String {
        switch self.host {
        case .address(let address) where !address.isIPv4: "[\(address)]:\(self.port)"
        case .address, .name: "\(self.host):\(self.port)"
        }
    }

    /// The same endpoint under one spelling: `localhost` is 127.0.0.1.
    package var canonical: Endpoint {
        self.host == .name("localhost")
            ? Endpoint(host: .address(ResolvedAddress(127, 0, 0, 1)), port: self.port) : self
    }

    /// A port of 1…65535 in plain decimal digits.
    static func port(_ text: Substring) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(text), (1...65535).contains(port)
        else { return nil }
        return port
    }
}
