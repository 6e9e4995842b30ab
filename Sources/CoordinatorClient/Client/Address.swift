// SPDX-License-Identifier: Apache-2.0

extension CoordinatorClient {
    /// Where a node serves clients.
    public struct Address: Hashable, Sendable, CustomStringConvertible {
        /// A host name, an IPv4 address, or an IPv6 address without brackets.
        public let host: String
        /// The TCP port.
        public let port: Int

        /// A node's address from its parts.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// Reads `host:port`, an IPv6 address in brackets: `[::1]:7401`.
        /// - Returns: `nil` without a host or without a port from 1 to 65535.
        public init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
            else { return nil }
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = host.dropFirst().dropLast()
            } else if host.contains(":") {
                return nil
            }
            guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), !host.contains("/") else {
                return nil
            }
            self.init(host: String(host), port: Int(port))
        }

        /// `host:port`, an IPv6 address in brackets.
        public var description: String {
            self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
        }
    }
}
