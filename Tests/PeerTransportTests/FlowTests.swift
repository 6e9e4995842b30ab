// SPDX-License-Identifier: Apache-2.0

import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Bounded queues") struct FlowTests {
    /// A node that has connected to a peer which takes nothing from its socket any more.
    private static func nodeWithDeafPeer(queuedBytes: Int) async throws -> (TestNode, RawServer, RawPeer) {
        let server = try await RawServer.listen()
        var limits = TransportLimits.calm
        limits.queuedBytes = queuedBytes
        let node = try await TestNode("n1", peers: ["n2": server.address], limits: limits)
        _ = try await node.listen()
        try await node.run { $0.connect() }
        let peer = try await server.connection()
        try await peer.wait(for: .hello)
        try await peer.channel.setOption(.autoRead, value: false).get()
        try await peer.send(.welcome, HandshakeMessage.welcome(TestNode.identity("n2")).encoded)
        try await node.events.wait(for: .connected("n2"))
        return (node, server, peer)
    }

    @Test("What a slow peer does not take is dropped over the limit; the rest arrives in order once it reads")
    func slowPeer() async throws {
        let limit = 4 << 20
        let (node, server, peer) = try await Self.nodeWithDeafPeer(queuedBytes: limit)
        let body = 100_000
        var sent: UInt64 = 0
        // The socket's buffers on both sides take some MiB before the queue grows.
        while try await node.run({ $0.counters.messagesDroppedOverLimit }) == 0 {
            sent += 1
            let number = sent
            try await node.send([appendEntries(number, entries: 1, bytes: body)], to: "n2")
            #expect(try await node.run { $0.queuedBytes(to: "n2") } <= limit)
            guard sent < 10_000 else { throw DeadlineExceeded(description: "the queue has no limit") }
        }
        #expect(try await node.failure(of: [UInt8](repeating: 1, count: body), to: "n2") == .overloaded)
        let accepted = try await node.run { $0.counters.messagesSent }
        try await peer.channel.setOption(.autoRead, value: true).get()
        try await peer.wait(for: .message, count: accepted)
        try await node.wait(for: "an empty queue") { $0.queuedBytes(to: "n2") == 0 }
        let expected = (1...UInt64(accepted)).map { number in
            MessageCodec.encode(
                appendEntries(number, entries: 1, bytes: body),
                header: MessageHeader(
                    cluster: TestNode.cluster, group: .zero, from: "n1", fromStorage: TestNode.storage(of: "n1"),
                    to: "n2"))
        }
        #expect(peer.bodies(of: .message) == expected)
        // There is room again.
        try await node.send([message(7)], to: "n2")
        try await peer.wait(for: .message, count: accepted + 1)
        try await node.close()
        try await server.close()
    }

    @Test("A request that never left was certainly not sent; one that may have left is unknown") func lostInTheQueue()
        async throws
    {
        let (node, server, peer) = try await Self.nodeWithDeafPeer(queuedBytes: 32 << 20)
        async let left = node.failure(of: [1], to: "n2")
        try await node.wait(for: "a request on its way") {
            $0.counters.requestsSent == 1 && $0.queuedBytes(to: "n2") == 0
        }
        // Fill the sockets' buffers until bytes stay in the queue, far more than the channel takes.
        while try await node.run({ $0.queuedBytes(to: "n2") }) < 8 << 20 {
            try await node.send([appendEntries(1, entries: 1, bytes: 1 << 20)], to: "n2")
        }
        async let queued = node.failure(of: [2], to: "n2")
        try await node.wait(for: "a second request") { $0.counters.requestsSent == 2 }
        try await peer.close()
        #expect(try await left == .unknown(.connectionLost))
        #expect(try await queued == .notSent(.connectionLost))
        try await node.close()
        try await server.close()
    }

    @Test("Messages to peers without a connection are dropped and counted") func unconnected() async throws {
        let node = try await TestNode("n1", peers: ["n2": PeerAddress(host: "127.0.0.1", port: 1)])
        try await node.send([message(1), message(2)], to: "n2")
        try await node.send([message(3)], to: "n9")
        #expect(try await node.run { $0.counters.messagesDroppedWithoutConnection } == 3)
        #expect(try await node.run { $0.counters.messagesSent } == 0)
        try await node.close()
    }
}
