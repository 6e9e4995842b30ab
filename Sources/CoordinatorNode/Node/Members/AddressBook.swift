// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import PeerTransport
import Raft

/// Where the members are found: as the configuration file says, which can be edited, else as the log does.
struct AddressBook: Sendable {
    private let configured: [NodeID: (client: Endpoint, peer: Endpoint)]

    init(_ configuration: ClusterConfiguration) {
        self.configured = Dictionary(
            configuration.nodes.map { (NodeID(rawValue: $0.id), ($0.client, $0.peer)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Where the member listens for its peers; nil if nobody says.
    func peer(of member: Member) -> PeerAddress? {
        guard let endpoint = self.configured[member.nodeID]?.peer ?? Endpoint(member.peerAddress) else { return nil }
        return PeerAddress(host: endpoint.host.connectable, port: endpoint.port)
    }

    /// The member with the addresses that this node uses.
    func completed(_ member: Member, storageID: StorageID) -> Member {
        let configured = self.configured[member.nodeID]
        return Member(
            nodeID: member.nodeID, storageID: storageID,
            peerAddress: configured.map { "\($0.peer)" } ?? member.peerAddress,
            clientAddress: configured.map { "\($0.client)" } ?? member.clientAddress)
    }

    /// Members that nobody gives an address of. An old log may still name some that were removed since.
    func unreachable(_ membership: Membership) -> [NodeID] {
        membership.members.filter { self.peer(of: $0) == nil }.map(\.nodeID).sorted()
    }

    /// Nodes of the file that don't take part.
    func strangers(to membership: Membership) -> [NodeID] {
        self.configured.keys.filter { membership.member($0) == nil }.sorted()
    }
}

extension Host {
    /// As the operating system takes it: an IPv6 address without brackets.
    var connectable: String {
        let text = self.description
        return text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
    }
}
