// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A port of the loopback interface that the system gives to nobody else until the last reference goes. Whoever connects to
/// it is refused, unless a node that has it in its configuration listens there.
final class ReservedPort: Sendable {
    struct NoPort: Error {}

    let number: Int
    private let descriptor: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw NoPort() }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw NoPort()
        }
        // Only now: whoever asks by the number may have it as well, and whoever asks for any port still doesn't get it.
        var isShared: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isShared, socklen_t(MemoryLayout<Int32>.size))
        self.number = Int(UInt16(bigEndian: address.sin_port))
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }
}
