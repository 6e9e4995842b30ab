// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Lost connections") struct ConnectionLossTests {
    private static func connectedNode(
        to server: RawServer, limits: TransportLimits = .calm, host: String = "127.0.0.1",
        connection: Int = 0
    ) async throws -> (TestNode, RawPeer) {
        let node = try await TestNode("n1", peers: ["n2": server.address], limits: limits)
        _ = try await node.listen(host: host)
        try await node.run { $0.connect() }
        let peer = try await server.connection(connection)
        try await peer.wait(for: .hello)
        try await peer.send(.welcome, HandshakeMessage.welcome(TestNode.identity("n2")).encoded)
        try await node.events.wait(for: .connected("n2"))
        return (node, peer)
    }

    @Test("A process that ends is known as gone without a pause: the attempt after the loss is refused")
    func refusedAtOnce() async throws {
        let nodes = try await connectedNodes(["n1", "n2", "n3"], limits: .patient)
        let address = try #require(try await nodes[0].run { $0.boundAddress })
        // A connection counts as a good one when it has stood for a moment.
        try await nodes[1].wait(for: "connections that have stood") { [start = NIODeadline.now()] _ in
            NIODeadline.now() - start > LinkState.stableAfter
        }
        try await nodes[0].close()
        for node in nodes.dropFirst() {
            try await node.events.wait(for: .disconnected("n1", isRefused: true))
            #expect(!node.events.items.contains(.disconnected("n1", isRefused: false)))
            #expect(try await !node.run { $0.isConnected(to: "n1") })
        }
        // It comes back at its address and connects to the others, which do not wait for their hour to pass.
        let others = try await [nodes[1].run { $0.boundAddress }, nodes[2].run { $0.boundAddress }]
        let again = try await TestNode(
            "n1", peers: ["n2": try #require(others[0]), "n3": try #require(others[1])], limits: .patient)
        _ = try await again.listen(port: address.port)
        try await again.run { $0.connect() }
        for node in nodes.dropFirst() {
            try await again.events.wait(for: .connected(node.id))
            try await node.events.wait(for: .connected("n1"), count: 2)
            try await node.send([message(9)], to: "n1")
            try await again.events.wait(for: .message(message(9), group: .zero, from: node.id))
        }
        for node in nodes.dropFirst() + [again] { try await node.close() }
    }

    @Test("A lost connection is made anew at once, and the loss is not told") func resetConnection() async throws {
        let server = try await RawServer.listen()
        let (node, peer) = try await Self.connectedNode(to: server, limits: .patient)
        try await node.wait(for: "a connection that has stood") { [start = NIODeadline.now()] _ in
            NIODeadline.now() - start > LinkState.stableAfter
        }
        try await peer.close()
        let second = try await server.connection(1)
        try await second.wait(for: .hello)
        try await second.send(.welcome, HandshakeMessage.welcome(TestNode.identity("n2")).encoded)
        try await node.events.wait(for: .connected("n2"), count: 2)
        #expect(node.events.items == [.connected("n2"), .connected("n2")])
        try await node.close()
        try await server.close()
    }

    @Test("A peer that accepts and drops every connection is not attempted without pauses") func dropped() async throws
    {
        var limits = TransportLimits.calm
        limits.firstPause = .milliseconds(2)
        limits.longestPause = .milliseconds(8)
        let server = try await RawServer.listen()
        let (node, peer) = try await Self.connectedNode(to: server, limits: limits)
        try await peer.close()
        for number in 1..<6 {
            let peer = try await server.connection(number)
            try await peer.wait(for: .hello)
            try await peer.close()
        }
        #expect(node.events.items.prefix(2) == [.connected("n2"), .disconnected("n2", isRefused: false)])
        #expect(node.events.items.count == 2)
        try await server.close()
        try await node.events.wait(for: .disconnected("n2", isRefused: true))
        // The attempts go on, the line does not.
        try await node.wait(for: "more attempts") { $0.counters.attemptsFailed >= 20 }
        let lines = node.log.items.count {
            $0.message == "Peer cannot be reached" && $0.metadata[LogKey.reason]?.contains("refused") == true
        }
        #expect(lines == 1)
        try await node.close()
    }

    @Test("A peer that says nothing any more is given up, though its machine still answers") func silentPeer()
        async throws
    {
        var limits = TransportLimits.patient
        limits.pingInterval = .milliseconds(5)
        limits.silentIntervals = 5
        let server = try await RawServer.listen()
        let (node, peer) = try await Self.connectedNode(to: server, limits: limits)
        try await peer.events.wait(for: .closed)
        #expect(peer.bodies(of: .ping).count >= limits.silentIntervals - 2)
        try await node.log.wait(for: "a line about the loss") { lines in
            lines.contains {
                $0.message == "Peer disconnected" && $0.metadata[LogKey.reason] == "nothing heard for too long"
            }
        }
        try await node.close()
        try await server.close()
    }

    @Test("A connecting peer that says nothing any more is given up too") func silentClient() async throws {
        var limits = TransportLimits.patient
        limits.pingInterval = .milliseconds(5)
        limits.silentIntervals = 5
        let node = try await TestNode("n1", peers: ["n2": PeerAddress(host: "127.0.0.1", port: 1)], limits: limits)
        let address = try await node.listen()
        let peer = try await RawPeer.connect(to: address, as: TestNode.identity("n2"), target: "n1")
        try await peer.events.wait(for: .closed)
        try await node.wait(for: "no connection left") { $0.openConnections == 0 }
        try await node.close()
    }

    @Test("An idle connection whose pings are answered stands") func idle() async throws {
        var limits = TransportLimits.patient
        limits.pingInterval = .milliseconds(5)
        let server = try await RawServer.listen()
        let (node, peer) = try await Self.connectedNode(to: server, limits: limits)
        for number in 1...50 {
            try await peer.wait(for: .ping, count: number)
            try await peer.send(.pong, [])
        }
        #expect(node.events.items == [.connected("n2")])
        #expect(!peer.events.items.contains(.closed))
        try await node.close()
        try await server.close()
    }

    @Test("Outgoing connections come from the address that the node listens at") func localAddress() async throws {
        let server = try await RawServer.listen()
        let (node, peer) = try await Self.connectedNode(to: server, host: "127.0.0.2")
        #expect(peer.channel.remoteAddress?.ipAddress == "127.0.0.2")
        try await node.close()
        // A node that listens everywhere lets the system choose.
        let (everywhere, other) = try await Self.connectedNode(to: server, host: "0.0.0.0", connection: 1)
        #expect(other.channel.remoteAddress?.ipAddress == "127.0.0.1")
        try await everywhere.close()
        try await server.close()
    }

    @Test("A peer may have a name, and another address from one moment to the next") func names() async throws {
        let first = try await RawServer.listen()
        let node = try await TestNode(
            "n1", peers: ["n2": PeerAddress(host: "localhost", port: 1)], limits: .patient)
        _ = try await node.listen()
        try await node.run { $0.connect() }
        try await node.events.wait(for: .disconnected("n2", isRefused: true))
        for server in [first, try await RawServer.listen()] {
            try await node.run { $0.setAddress(PeerAddress(host: "localhost", port: server.address.port), of: "n2") }
            let peer = try await server.connection()
            try await peer.wait(for: .hello)
            try await peer.close()
            try await server.close()
            // Else the new address would come in the middle of an attempt.
            try await node.wait(for: "no connection left") { $0.openConnections == 0 }
        }
        try await node.close()
    }

    @Test func aNameWithoutAnAddress() async throws {
        let node = try await TestNode("n1", peers: ["n2": PeerAddress(host: "no-such-host.invalid", port: 1)])
        _ = try await node.listen()
        try await node.run { $0.connect() }
        try await node.log.wait(for: "a line about the name") { lines in
            lines.contains { $0.message == "Peer cannot be reached" && $0.metadata[LogKey.peer] == "n2" }
        }
        #expect(
            node.log.items.contains { $0.metadata[LogKey.reason] == "the name no-such-host.invalid has no address" })
        #expect(node.events.items.isEmpty)
        try await node.close()
    }
}
