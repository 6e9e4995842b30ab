// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Nodes that do not believe each other") struct RefusalTests {
    /// Lets n2, which `identity` and `directory` may make another one, attempt to reach n1 many times.
    private static func attempts(
        by identity: PeerIdentity? = nil, directory: MemberDirectory? = nil,
        known: [NodeID: StorageID] = ["n2": TestNode.storage(of: "n2")]
    ) async throws -> (refuser: TestNode, refused: TestNode) {
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let refuser = try await TestNode("n1", peers: ["n2": nobody], directory: MemberDirectory(known))
        let address = try await refuser.listen()
        let refused = try await TestNode(
            "n2", identity: identity, peers: ["n1": address], directory: directory, limits: .impatient)
        _ = try await refused.listen()
        try await refused.run { $0.connect() }
        try await refused.wait(for: "20 refused attempts") { $0.counters.connectionsRefused >= 20 }
        try await refuser.wait(for: "20 refused connections") { $0.counters.connectionsRefused >= 20 }
        return (refuser, refused)
    }

    /// Both have said the reason once, although the attempts go on; nobody was told of a connection.
    private static func expectOneLineEach(
        _ nodes: (refuser: TestNode, refused: TestNode), reason: String, isRefusedByPeer: Bool = true
    ) async throws {
        let there = nodes.refuser.log.warnings(of: reason)
        let here = nodes.refused.log.warnings(of: isRefusedByPeer ? "the peer refuses this node: \(reason)" : reason)
        #expect(there.count == 1 && here.count == 1)
        #expect(nodes.refuser.log.items.count { $0.level >= .warning } == 1)
        #expect(nodes.refused.log.items.count { $0.level >= .warning } == 1)
        #expect(there.first?.metadata[LogKey.direction] == "incoming")
        #expect(here.first?.metadata[LogKey.direction] == "outgoing")
        #expect(here.first?.metadata[LogKey.peer] == "n1")
        #expect(nodes.refuser.events.items.isEmpty && nodes.refused.events.items.isEmpty)
        try await nodes.refused.close()
        try await nodes.refuser.close()
    }

    @Test func anotherCluster() async throws {
        let identity = PeerIdentity(
            cluster: ClusterID(high: 5, low: 6), node: "n2", storage: TestNode.storage(of: "n2"))
        try await Self.expectOneLineEach(try await Self.attempts(by: identity), reason: "wrong cluster")
    }

    @Test func anUnknownNode() async throws {
        let nodes = try await Self.attempts(known: [:])
        try await Self.expectOneLineEach(nodes, reason: "unknown node: n2")
    }

    @Test func aLostDisk() async throws {
        let identity = PeerIdentity(cluster: TestNode.cluster, node: "n2", storage: StorageID(rawValue: 0xabc))
        let nodes = try await Self.attempts(by: identity)
        try await Self.expectOneLineEach(nodes, reason: "wrong storage: n2 comes with data folder 0000000000000abc")
    }

    @Test func anAddressThatLeadsElsewhere() async throws {
        let known: [NodeID: StorageID] = ["n2": TestNode.storage(of: "n2")]
        let refuser = try await TestNode("n1", directory: MemberDirectory(known))
        let address = try await refuser.listen()
        let refused = try await TestNode("n2", peers: ["n3": address], limits: .impatient)
        _ = try await refused.listen()
        try await refused.run { $0.connect() }
        try await refused.wait(for: "20 refused attempts") { $0.counters.connectionsRefused >= 20 }
        #expect(refuser.log.warnings(of: "not me: n3 was wanted, this is n1").count == 1)
        #expect(refused.log.warnings(of: "the peer refuses this node: not me: n3 was wanted").count == 1)
        try await refused.close()
        try await refuser.close()
    }

    @Test("The connecting side does not believe a peer that has lost its disk either") func lostDiskOfTheAcceptingSide()
        async throws
    {
        let known: [NodeID: StorageID] = ["n1": StorageID(rawValue: 0xdef)]
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let wiped = try await TestNode("n1", peers: ["n2": nobody])
        let address = try await wiped.listen()
        let node = try await TestNode(
            "n2", peers: ["n1": address], directory: MemberDirectory(known), limits: .impatient)
        _ = try await node.listen()
        try await node.run { $0.connect() }
        try await node.wait(for: "20 refused attempts") { $0.counters.connectionsRefused >= 20 }
        let lines = node.log.warnings(of: "wrong storage: n1 comes with data folder")
        #expect(lines.count == 1 && lines.first?.metadata[LogKey.peer] == "n1")
        #expect(node.events.items.isEmpty)
        try await node.close()
        try await wiped.close()
    }

    @Test("A node of another version is told so") func anotherVersion() async throws {
        let refuser = try await TestNode("n1", peers: ["n2": PeerAddress(host: "127.0.0.1", port: 1)])
        let address = try await refuser.listen()
        let stranger = try await RawPeer.connect(to: address)
        let hello = HandshakeMessage.hello(TestNode.identity("n2"), target: "n1").encoded
        try await stranger.send(.hello, Array(hello.prefix(4)) + littleEndian(UInt16(9)) + hello.dropFirst(6))
        try await stranger.wait(for: .refusal)
        try await stranger.events.wait(for: .closed)
        let refusal = HandshakeMessage.refusal(
            .version(refuser: HandshakeMessage.version, refused: 9)
        ).encoded
        #expect(stranger.bodies(of: .refusal) == [refusal])
        try await refuser.log.waitForWarning(of: "wrong protocol version: 9 meets \(HandshakeMessage.version)")
        try await refuser.close()
    }

    @Test("The storage id of a new member is learned on both sides and held to") func firstUse() async throws {
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let founder = { (node: NodeID) in
            PeerIdentity(
                cluster: TestNode.cluster, node: node, storage: TestNode.storage(of: node), listing: 0, founding: 0)
        }
        let first = try await TestNode(
            "n1", identity: founder("n1"), peers: ["n2": nobody], directory: MemberDirectory(["n2": .unknown]),
            limits: .impatient)
        let address = try await first.listen()
        let second = try await TestNode(
            "n2", identity: founder("n2"), peers: ["n1": address], directory: MemberDirectory(["n1": .unknown]),
            limits: .impatient)
        _ = try await second.listen()
        try await second.run { $0.connect() }
        try await second.events.wait(for: .connected("n1"))
        try await first.events.wait(for: .learned(TestNode.storage(of: "n2"), of: "n2"))
        #expect(second.events.items == [.learned(TestNode.storage(of: "n1"), of: "n1"), .connected("n1")])
        try await second.close()
        // The same name with another disk.
        let wiped = try await TestNode(
            "n2", identity: PeerIdentity(cluster: TestNode.cluster, node: "n2", storage: StorageID(rawValue: 3)),
            peers: ["n1": address], limits: .impatient)
        _ = try await wiped.listen()
        try await wiped.run { $0.connect() }
        try await first.log.waitForWarning(of: "wrong storage: n2")
        #expect(first.events.items == [.learned(TestNode.storage(of: "n2"), of: "n2")])
        try await wiped.close()
        try await first.close()
    }
}
