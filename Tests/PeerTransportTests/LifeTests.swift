// SPDX-License-Identifier: Apache-2.0

import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Start and end of a transport") struct LifeTests {
    @Test("What was queued before the end still leaves, and nobody is told anything after it") func close() async throws
    {
        let nodes = try await connectedNodes(["n1", "n2"])
        let large = (1...3).map { appendEntries($0, entries: 1, bytes: 1 << 20) }
        try await nodes[0].run { [large] transport in
            for message in large { transport.send(message, to: "n2") }
        }
        try await nodes[0].close()
        for message in large { try await nodes[1].events.wait(for: .message(message, group: .zero, from: "n1")) }
        #expect(nodes[0].events.items == [.connected("n2")])
        // Again and again is the same.
        try await nodes[0].close()
        #expect(try await nodes[0].failure(of: [1], to: "n2") == .notSent(.notConnected))
        try await nodes[1].close()
    }

    @Test("The end waits for no peer that takes nothing") func closeWithDeafPeer() async throws {
        let server = try await RawServer.listen()
        var limits = TransportLimits.calm
        limits.closeTimeout = .milliseconds(50)
        let node = try await TestNode("n1", peers: ["n2": server.address], limits: limits)
        _ = try await node.listen()
        try await node.run { $0.connect() }
        let peer = try await server.connection()
        try await peer.wait(for: .hello)
        try await peer.channel.setOption(.autoRead, value: false).get()
        try await peer.send(.welcome, HandshakeMessage.welcome(TestNode.identity("n2")).encoded)
        try await node.events.wait(for: .connected("n2"))
        try await node.send((1...30).map { appendEntries($0, entries: 1, bytes: 1 << 20) }, to: "n2")
        try await node.close()
        try await peer.close()
        try await server.close()
    }

    @Test("Closing in the middle of connecting leaves nothing behind", arguments: 0..<10)
    func closeEarly(round: Int) async throws {
        let other = try await TestNode("n2", peers: ["n1": PeerAddress(host: "127.0.0.1", port: 1)])
        let address = try await other.listen()
        let node = try await TestNode("n1", peers: ["n2": address])
        if round.isMultiple(of: 2) {
            try await node.run(future: { $0.start(host: "127.0.0.1", port: 0) })
            try await node.close()
        } else {
            // Both in one turn of the loop.
            try await node.run(future: { transport in
                let started = transport.start(host: "127.0.0.1", port: 0)
                return transport.closeAll().and(started).map { _ in }
            })
        }
        try await other.wait(for: "no connection left") { $0.openConnections == 0 }
        try await other.close()
    }

    @Test("A port in use is an error that names the address") func portInUse() async throws {
        let first = try await TestNode("n1")
        let address = try await first.listen()
        let second = try await TestNode("n2")
        await #expect(throws: TransportError.addressInUse(address)) {
            try await second.run(future: { $0.start(host: address.host, port: address.port) })
        }
        try await second.close()
        try await first.close()
    }

    @Test func anAddressOfAnotherMachine() async throws {
        let node = try await TestNode("n1")
        do {
            // TEST-NET-1 (RFC 5737) is nobody's.
            try await node.run(future: { $0.start(host: "192.0.2.1", port: 0) })
            Issue.record("a node listens at an address that is not its own")
        } catch TransportError.cannotListen(let address, let reason) {
            #expect(address == PeerAddress(host: "192.0.2.1", port: 0))
            #expect(!reason.isEmpty)
        }
        try await node.close()
    }

    @Test func startsOnlyOnce() async throws {
        let node = try await TestNode("n1")
        try await node.run(future: { $0.start(host: "127.0.0.1", port: 0) })
        await #expect(throws: TransportError.alreadyStarted) {
            try await node.run(future: { $0.start(host: "127.0.0.1", port: 0) })
        }
        try await node.close()
        await #expect(throws: TransportError.alreadyStarted) {
            try await node.run(future: { $0.start(host: "127.0.0.1", port: 0) })
        }
    }

    @Test("Addresses are written as people write them")
    func addresses() {
        #expect(PeerAddress(host: "::1", port: 7501).description == "[::1]:7501")
        #expect(PeerAddress(host: "n1.example", port: 7501).description == "n1.example:7501")
    }
}
