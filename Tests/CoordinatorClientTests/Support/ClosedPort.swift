// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Glibc

/// A port of this machine at which every connection is refused: it is bound, so nobody else gets it, and nobody listens.
enum ClosedPort {
    struct SystemError: Error {
        let code: Int32
    }

    /// Where it is. It stays bound as long as the process lives.
    static func address() throws -> CoordinatorClient.Address {
        CoordinatorClient.Address(host: "127.0.0.1", port: try self.number.get())
    }

    private static let number: Result<Int, SystemError> = {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return .failure(SystemError(code: errno)) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
            }
        }
        guard code == 0 else { return .failure(SystemError(code: errno)) }
        return .success(Int(UInt16(bigEndian: address.sin_port)))
    }()
}
