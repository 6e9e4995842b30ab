// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import NIOCore

extension SocketAddress {
    init?(_ address: ResolvedAddress, port: Int) {
        guard let made = try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: port) else {
            return nil
        }
        self = made
    }
}

extension ResolvedAddress {
    /// - Returns: `nil` unless it is an address of IPv4 or IPv6.
    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        self.init(text: text)
    }
}
