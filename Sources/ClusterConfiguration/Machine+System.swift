// SPDX-License-Identifier: Apache-2.0

import Glibc

extension Machine {
    /// This machine, as the operating system describes it now.
    package static func current() -> Machine {
        Machine(addresses: Self.interfaceAddresses(), resolve: Self.systemResolve)
    }

    private static func interfaceAddresses() -> Set<ResolvedAddress> {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: Set<ResolvedAddress> = []
        var next = list
        while let interface = next?.pointee {
            if let address = Self.address(interface.ifa_addr) { addresses.insert(address) }
            next = interface.ifa_next
        }
        return addresses
    }

    private static let systemResolve: @Sendable (String) -> [ResolvedAddress] = { name in
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [ResolvedAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = Self.address(entry.ai_addr), !addresses.contains(address) { addresses.append(address) }
            next = entry.ai_next
        }
        return addresses
    }

    private static func address(_ pointer: UnsafeMutablePointer<sockaddr>?) -> ResolvedAddress? {
        guard let pointer else { return nil }
        let raw = UnsafeRawPointer(pointer)
        switch Int32(pointer.pointee.sa_family) {
        case AF_INET:
            let address = raw.loadUnaligned(as: sockaddr_in.self)
            return withUnsafeBytes(of: address.sin_addr) { ResolvedAddress(bytes: Array($0)) }
        case AF_INET6:
            let address = raw.loadUnaligned(as: sockaddr_in6.self)
            return withUnsafeBytes(of: address.sin6_addr) { ResolvedAddress(bytes: Array($0)) }
        case _: return nil
        }
    }
}
