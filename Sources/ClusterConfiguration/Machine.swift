// SPDX-License-Identifier: Apache-2.0

/// What has to be known of a machine to tell whether a node runs on it.
package struct Machine: Sendable {
    /// The addresses of its interfaces.
    package let addresses: Set<ResolvedAddress>
    /// The addresses that a name means; empty if nobody knows it. May wait for a name server.
    package let resolve: @Sendable (String) -> [ResolvedAddress]

    package init(
        addresses: Set<ResolvedAddress>, resolve: @escaping @Sendable (String) -> [ResolvedAddress]
    ) {
        self.addresses = addresses
        self.resolve = resolve
    }

    /// Whether a host is this machine: a loopback address, one of its own, or a name that means one of these.
    package func isLocal(_ host: Host) -> Bool {
        switch host {
        case .address(let address): self.isLocal(address)
        case .name(let name): host.isLoopback || self.resolve(name).contains(where: self.isLocal)
        }
    }

    private func isLocal(_ address: ResolvedAddress) -> Bool {
        address.isLoopback || self.addresses.contains(address)
    }
}

extension ClusterConfiguration {
    /// Whether a node runs on a machine: its peer address is one of the machine's.
    package func isLocal(_ node: Node, on machine: Machine) -> Bool {
        machine.isLocal(node.peer.host)
    }

    /// The nodes that run on a machine, in the order of the file.
    package func localNodes(on machine: Machine) -> [Node] {
        self.nodes.filter { self.isLocal($0, on: machine) }
    }

    /// The addresses that lead to nodes of this cluster though the file doesn't spell them: those of the machine's
    /// interfaces, and those that the nodes' names mean. For `AllowList.ownAddresses`.
    package func ownAddresses(on machine: Machine) -> Set<ResolvedAddress> {
        var own = machine.addresses
        for host in Set(self.nodes.flatMap { [$0.peer.host, $0.client.host] }) {
            if case .name(let name) = host { own.formUnion(machine.resolve(name)) }
        }
        return own
    }
}
