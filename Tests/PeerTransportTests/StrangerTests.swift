// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Strangers at the peers' port") struct StrangerTests {
    /// A node that knows n2 and listens.
    private static func node(limits: TransportLimits = .calm) async throws -> (TestNode, PeerAddress) {
        let node = try await TestNode("n1", peers: ["n2": PeerAddress(host: "127.0.0.1", port: 1)], limits: limits)
        return (node, try await node.listen())
    }

    /// The node still takes a good peer and hears it.
    private static func expectAlive(_ node: TestNode, at address: PeerAddress) async throws {
        let identity = TestNode.identity("n2")
        let peer = try await RawPeer.connect(to: address, as: identity, target: "n1")
        let before = node.events.items.count
        let header = MessageHeader(
            cluster: TestNode.cluster, group: .zero, from: "n2", fromStorage: identity.storage, to: "n1")
        try await peer.send(.message, MessageCodec.encode(message(4_711), header: header))
        try await node.events.wait(for: "the good peer's message") { $0.count > before }
        #expect(node.events.items.last == .message(message(4_711), group: .zero, from: "n2"))
        try await peer.close()
    }

    @Test("HTTP gets a clear line and a closed connection, and the node lives on") func http() async throws {
        let (node, address) = try await Self.node()
        for _ in 0..<20 {
            let browser = try await RawPeer.connect(to: address)
            try await browser.send(bytes: Array("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            try await browser.events.wait(for: .closed)
        }
        try await node.wait(for: "20 refused connections") { $0.counters.connectionsRefused == 20 }
        let lines = node.log.warnings(of: "looks like HTTP")
        #expect(lines.count == 1)
        #expect(lines.first?.metadata[LogKey.address]?.hasPrefix("127.0.0.1:") == true)
        #expect(lines.first?.metadata[LogKey.direction] == "incoming")
        #expect(lines.first?.metadata[LogKey.firstBytes] == "474554202f76312f7374617475732048")
        try await Self.expectAlive(node, at: address)
        try await node.close()
    }

    @Test("Random bytes close the connection and nothing else") func randomBytes() async throws {
        let (node, address) = try await Self.node()
        var random = SplitMix64(seed: 21)
        for _ in 0..<200 {
            let stranger = try await RawPeer.connect(to: address)
            let length = Int.random(in: 16...4_096, using: &random)
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            // The node may close before everything is sent.
            try? await stranger.send(bytes: bytes)
            try? await stranger.channel.close(mode: .output).get()
            try await stranger.events.wait(for: .closed)
        }
        try await node.wait(for: "200 refused connections") { $0.counters.connectionsRefused == 200 }
        #expect(node.events.items.isEmpty)
        try await Self.expectAlive(node, at: address)
        try await node.close()
    }

    @Test("A frame cut short is named in the log", arguments: [3, 11]) func truncated(length: Int) async throws {
        let (node, address) = try await Self.node()
        let stranger = try await RawPeer.connect(to: address)
        let hello = HandshakeMessage.hello(TestNode.identity("n2"), target: "n1").encoded
        try await stranger.send(bytes: Array(wire(.hello, hello).prefix(length)))
        try await stranger.channel.close(mode: .output).get()
        try await node.log.waitForWarning(of: "connection ended after \(length)")
        try await Self.expectAlive(node, at: address)
        try await node.close()
    }

    @Test("A stranger may not announce more than a handshake needs") func longHandshake() async throws {
        let (node, address) = try await Self.node()
        let stranger = try await RawPeer.connect(to: address)
        let body = [UInt8](repeating: 1, count: Frame.maximumHandshakeBodyLength + 1)
        try await stranger.send(bytes: wire(.hello, body))
        try await stranger.events.wait(for: .closed)
        try await node.log.waitForWarning(of: "the limit is \(Frame.maximumHandshakeBodyLength)")
        try await node.close()
    }

    @Test("Only so many connections may be in their handshake at once") func manyStrangers() async throws {
        var limits = TransportLimits.calm
        limits.pendingHandshakes = 2
        let (node, address) = try await Self.node(limits: limits)
        var strangers: [RawPeer] = []
        for _ in 0..<4 { strangers.append(try await RawPeer.connect(to: address)) }
        try await node.log.waitForWarning(of: "too many connections in their handshake")
        for stranger in strangers.suffix(2) { try await stranger.events.wait(for: .closed) }
        for stranger in strangers.prefix(2) { try await stranger.close() }
        try await node.wait(for: "room") { $0.openConnections == 0 }
        try await Self.expectAlive(node, at: address)
        try await node.close()
    }

    @Test("Who says nothing is sent away") func silentStranger() async throws {
        var limits = TransportLimits.calm
        limits.handshakeTimeout = .milliseconds(5)
        let (node, address) = try await Self.node(limits: limits)
        let stranger = try await RawPeer.connect(to: address)
        try await stranger.events.wait(for: .closed)
        try await node.log.waitForWarning(of: "handshake not finished in time")
        try await node.close()
    }

    @Test(
        "What has no place on a connection closes it, with the rule in the log",
        arguments: [
            (Frame.Kind.reply, littleEndian(UInt64(1)), "reply has no place"), (.hello, [], "hello has no place"),
            (.welcome, [], "welcome has no place"), (.refusal, [], "refusal has no place"),
            (.pong, [], "pong has no place"), (.message, [1, 2, 3], "unreadable message"),
            (.message, [], "unreadable message"), (.request, [1, 2, 3], "without its number"),
        ])
    func violations(kind: Frame.Kind, body: [UInt8], rule: String) async throws {
        let (node, address) = try await Self.node()
        let peer = try await RawPeer.connect(to: address, as: TestNode.identity("n2"), target: "n1")
        try await peer.send(kind, body)
        try await peer.events.wait(for: .closed)
        let line = try await node.log.waitForWarning(of: rule)
        #expect(line?.metadata[LogKey.peer] == "n2")
        try await Self.expectAlive(node, at: address)
        try await node.close()
    }

    @Test("A message whose header says something else than the handshake is not believed", arguments: 0..<4)
    func foreignHeaders(which: Int) async throws {
        let (node, address) = try await Self.node()
        let identity = TestNode.identity("n2")
        let peer = try await RawPeer.connect(to: address, as: identity, target: "n1")
        let header = MessageHeader(
            cluster: which == 0 ? ClusterID(high: 1, low: 1) : identity.cluster, group: .zero,
            from: which == 1 ? "n3" : "n2", fromStorage: which == 2 ? StorageID(rawValue: 1) : identity.storage,
            to: which == 3 ? "n3" : "n1")
        try await peer.send(.message, MessageCodec.encode(message(1), header: header))
        try await peer.events.wait(for: .closed)
        try await node.log.waitForWarning(of: "differs from the connection's handshake")
        #expect(node.events.items.isEmpty)
        try await node.close()
    }

    @Test("A peer that connects anew takes the place of its older connection") func replaced() async throws {
        let (node, address) = try await Self.node()
        let older = try await RawPeer.connect(to: address, as: TestNode.identity("n2"), target: "n1")
        let newer = try await RawPeer.connect(to: address, as: TestNode.identity("n2"), target: "n1")
        try await older.events.wait(for: .closed)
        try await newer.send(.ping, [])
        try await newer.wait(for: .pong)
        #expect(try await node.run { $0.counters.connectionsRefused } == 0)
        try await newer.close()
        try await node.close()
    }
}
