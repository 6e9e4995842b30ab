// SPDX-License-Identifier: Apache-2.0

/// Whether a branch call may go to a target.
package enum TargetVerdict: Hashable, Sendable {
    case allowed
    case refused(TargetRefusal)
}

/// Where branch calls may go.
///
/// A target is asked about twice: its text, when a transaction arrives (`verdict(host:port:)`), and the address that the
/// connection really has, before a request is written to it (`verdict(address:port:host:)`), since a name may come to mean
/// another address between the two. Some targets are refused whatever the entries say: unspecified, link-local, multicast
/// and reserved addresses, the metadata services of clouds, and the addresses of the cluster's own nodes.
package struct AllowList: Hashable, Sendable {
    package var entries: [AllowEntry]
    /// The peer and client addresses of every node of the cluster.
    package var ownEndpoints: Set<Endpoint>
    /// Addresses that reach a node though the configuration doesn't say so: those of this machine's interfaces, and those
    /// that the nodes' names mean. A port of `ownEndpoints` is refused on each.
    package var ownAddresses: Set<ResolvedAddress>

    package init(
        entries: [AllowEntry], ownEndpoints: Set<Endpoint> = [], ownAddresses: Set<ResolvedAddress> = []
    ) {
        self.entries = entries
        self.ownEndpoints = ownEndpoints
        self.ownAddresses = ownAddresses
    }

    /// Judges a target as a URL names it, before anything is resolved.
    ///
    /// An address must be listed as an address; a name must be listed as a name, since nobody knows yet where it leads.
    /// - Parameters:
    ///   - host: the URL's host; an IPv6 address with or without its brackets.
    ///   - port: the URL's port, or its scheme's.
    package func verdict(host: String, port: Int) -> TargetVerdict {
        guard (1...65535).contains(port) else { return .refused(.invalidPort(port)) }
        guard let parsed = Host(host) else { return .refused(.invalidHost(host)) }
        switch parsed {
        case .address(let address): return self.verdict(address: address, port: port, host: host)
        case .name(let name):
            if Self.metadataNames.contains(name) { return .refused(.metadataService) }
            if self.isOwn(parsed, port: port) { return .refused(.ownPort(port)) }
            guard self.lists(name: name, port: port) else { return .refused(.notListed(host: name, port: port)) }
            return .allowed
        }
    }

    /// Judges the address that a connection really has.
    ///
    /// An address that no entry covers is still allowed if a listed name led to it, but never a loopback address: a name of
    /// the outside world that means this machine is an attack or a mistake.
    /// - Parameter host: the name that was resolved, when the caller still knows it. Without it, any listed name with this
    ///   port may have led here.
    package func verdict(address: ResolvedAddress, port: Int, host: String? = nil) -> TargetVerdict {
        guard (1...65535).contains(port) else { return .refused(.invalidPort(port)) }
        for meant in [address, address.translatedIPv4].compactMap(\.self) {
            if let refusal = Self.alwaysRefused(meant) { return .refused(refusal) }
            if self.isOwn(.address(meant), port: port) { return .refused(.ownPort(port)) }
        }
        if self.lists(address: address, port: port) { return .allowed }
        let isListedByName: Bool
        switch host.map({ Host($0) }) {
        case .some(.some(.name(let name))):
            let isLocalName = Host.name(name).isLoopback
            isListedByName = self.lists(name: name, port: port) && (isLocalName || !address.isLoopback)
        case .some(.some(.address)), .some(nil): isListedByName = false
        case nil: isListedByName = self.listsSomeName(leadingTo: address, port: port)
        }
        return isListedByName ? .allowed : .refused(.notListed(host: address.description, port: port))
    }

    /// Why an entry can never allow anything, if that is so: it names a single host that is always refused, or a node of the
    /// cluster. Whoever wrote it is wrong about what is going to be called. A network may cover such hosts by the way.
    package func contradiction(of entry: AllowEntry) -> TargetRefusal? {
        let host: Host
        switch entry.hosts {
        case .name(let name):
            if Self.metadataNames.contains(name) { return .metadataService }
            host = .name(name)
        case .addresses(let prefix, let length):
            guard length == prefix.bytes.count * 8 else { return nil }
            for meant in [prefix, prefix.translatedIPv4].compactMap(\.self) {
                if let refusal = Self.alwaysRefused(meant) { return refusal }
            }
            host = .address(prefix.translatedIPv4 ?? prefix)
        }
        guard let port = entry.port, self.isOwn(host, port: port) else { return nil }
        return .ownPort(port)
    }

    private func lists(address: ResolvedAddress, port: Int) -> Bool {
        self.entries.contains { entry in
            guard case .addresses(let prefix, let length) = entry.hosts else { return false }
            return (entry.port ?? port) == port && address.hasPrefix(prefix, length: length)
        }
    }

    private func lists(name: String, port: Int) -> Bool {
        self.entries.contains { $0.hosts == .name(name) && ($0.port ?? port) == port }
    }

    private func listsSomeName(leadingTo address: ResolvedAddress, port: Int) -> Bool {
        self.entries.contains { entry in
            guard case .name(let name) = entry.hosts else { return false }
            return (entry.port ?? port) == port && Host.name(name).isLoopback == address.isLoopback
        }
    }

    /// Whether a host and port lead to a node of the cluster. On the loopback interface and on this machine's own addresses
    /// the port alone decides.
    private func isOwn(_ host: Host, port: Int) -> Bool {
        guard self.ownEndpoints.contains(where: { $0.port == port }) else { return false }
        if host.isLoopback || self.ownEndpoints.contains(Endpoint(host: host, port: port)) { return true }
        guard case .address(let address) = host else { return false }
        return self.ownAddresses.contains(address)
    }

    private static func alwaysRefused(_ address: ResolvedAddress) -> TargetRefusal? {
        if address.isUnspecified { return .unspecified }
        if Self.metadataAddresses.contains(address) { return .metadataService }
        if address.isLinkLocal { return .linkLocal }
        if address.isMulticast || address.isReserved { return .notAHost }
        return nil
    }

    /// Metadata services of clouds, which hand out credentials to whoever asks from inside: AWS, Google Cloud, Azure and
    /// others on 169.254.169.254; the container credentials of AWS; Azure's host agent; Alibaba; Oracle; and the IPv6
    /// addresses of AWS and Google Cloud.
    private static let metadataAddresses: Set<ResolvedAddress> = Set(
        [
            "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
            "fd00:ec2::23", "fd20:ce::254",
        ].compactMap { ResolvedAddress(text: $0) })

    private static let metadataNames: Set<String> = ["metadata.google.internal", "metadata.goog"]
}
