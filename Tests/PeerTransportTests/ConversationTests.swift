// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Messages and requests between nodes") struct ConversationTests {
    @Test("All nodes connect at the same moment, once in each direction, and hear each other") func messages()
        async throws
    {
        for _ in 0..<5 {
            let nodes = try await connectedNodes(["n1", "n2", "n3"])
            for node in nodes {
                for peer in nodes where peer.id != node.id {
                    try await node.send([message(1), message(2)], group: GroupID(rawValue: 5), to: peer.id)
                }
            }
            for node in nodes {
                for peer in nodes where peer.id != node.id {
                    for number: UInt64 in 1...2 {
                        let event = NodeEvent.message(message(number), group: GroupID(rawValue: 5), from: peer.id)
                        try await node.events.wait(for: event)
                    }
                    #expect(node.events.items.count { $0 == .connected(peer.id) } == 1)
                }
                #expect(try await node.run { $0.counters.connectionsRefused } == 0)
            }
            for node in nodes { try await node.close() }
        }
    }

    @Test("Messages arrive in the order in which they were sent, each once") func order() async throws {
        let nodes = try await connectedNodes(["n1", "n2"])
        let sent = (1...2_000).map { message(UInt64($0)) }
        for start in stride(from: 0, to: sent.count, by: 50) {
            try await nodes[0].send(Array(sent[start..<(start + 50)]), to: "n2")
        }
        try await nodes[1].events.wait(for: .message(message(2_000), group: .zero, from: "n1"))
        let received = nodes[1].events.items.compactMap { event -> Message? in
            if case .message(let message, _, _) = event { message } else { nil }
        }
        #expect(received == sent)
        #expect(try await nodes[0].run { $0.counters.messagesSent } == sent.count)
        #expect(try await nodes[1].run { $0.counters.messagesReceived } == sent.count)
        for node in nodes { try await node.close() }
    }

    @Test("Several MiB of entries pass whole", arguments: [(1, 4 << 20), (7, 1 << 20), (3_000, 100), (0, 0)])
    func largeMessages(entries: Int, bytes: Int) async throws {
        let nodes = try await connectedNodes(["n1", "n2"])
        let sent = (1...4).map { appendEntries($0, entries: entries, bytes: bytes) }
        for message in sent {
            try await nodes[0].send([message], to: "n2")
            try await nodes[0].wait(for: "an empty queue") { $0.queuedBytes(to: "n2") == 0 }
        }
        for message in sent { try await nodes[1].events.wait(for: .message(message, group: .zero, from: "n1")) }
        for node in nodes { try await node.close() }
    }

    @Test("A message that no frame can hold is dropped, said, and disturbs nothing") func tooLong() async throws {
        let nodes = try await connectedNodes(["n1", "n2"])
        let long = appendEntries(1, entries: 3, bytes: 3 << 20)
        try await nodes[0].send([message(1), long, message(2)], to: "n2")
        try await nodes[1].events.wait(for: .message(message(2), group: .zero, from: "n1"))
        #expect(try await nodes[0].run { $0.counters.messagesDroppedTooLong } == 1)
        #expect(nodes[0].log.items.contains { $0.level == .error && $0.message.contains("no frame can hold") })
        for node in nodes { try await node.close() }
    }

    @Test("Replies find their requests, in whatever order they come") func requests() async throws {
        let count = 400
        // Answers nothing until all have come, then the last one first.
        let nodes = try await connectedNodes(["n1", "n2"]) { waiting, transport in
            guard waiting.count == count else { return }
            for request in waiting.reversed() { transport.reply(to: request.token, request.bytes.reversed()) }
        }
        let node = nodes[0]
        let right = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<count {
                group.addTask {
                    let bytes = littleEndian(UInt64(number)) + [UInt8](repeating: 3, count: number)
                    return try await node.request(bytes, to: "n2") == bytes.reversed()
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(right == count)
        for node in nodes { try await node.close() }
    }

    @Test("A request ends at its deadline, and a reply that comes later finds nobody") func deadline() async throws {
        // Every request is answered when the next one comes.
        let nodes = try await connectedNodes(["n1", "n2"]) { waiting, transport in
            guard waiting.count > 1 else { return }
            for request in waiting { transport.reply(to: request.token, request.bytes) }
            waiting = []
        }
        let failure = try await nodes[0].failure(of: [1], to: "n2", within: .milliseconds(1))
        #expect(failure == .unknown(.deadlineExceeded))
        try await nodes[1].events.wait(for: .request([1], from: "n1"))
        #expect(try await nodes[0].request([2], to: "n2") == [2])
        #expect(nodes[0].events.items == [.connected("n2")])
        for node in nodes { try await node.close() }
    }

    @Test func requestsThatCannotBeSent() async throws {
        var limits = TransportLimits.calm
        limits.outstandingRequests = 2
        let nodes = try await connectedNodes(["n1", "n2"], limits: limits)
        let node = nodes[0]
        #expect(try await node.failure(of: [1], to: "n9") == .notSent(.unknownPeer))
        let long = [UInt8](repeating: 0, count: PeerTransport.maximumRequestLength + 1)
        #expect(try await node.failure(of: long, to: "n2") == .notSent(.tooLong))
        async let first = node.failure(of: [1], to: "n2")
        async let second = node.failure(of: [2], to: "n2")
        try await nodes[1].events.wait(for: "two requests") {
            $0.count { if case .request = $0 { true } else { false } } == 2
        }
        #expect(try await node.failure(of: [3], to: "n2") == .overloaded)
        // The other side goes, and with it the way back of both.
        try await nodes[1].close()
        let failures = try await [first, second]
        #expect(failures == [.unknown(.connectionLost), .unknown(.connectionLost)])
        try await node.events.wait(for: .disconnected("n2", isRefused: true))
        #expect(try await node.failure(of: [4], to: "n2") == .notSent(.notConnected))
        #expect(try await !node.run { $0.isConnected(to: "n2") })
        try await node.close()
    }

    @Test("The longest request and the longest reply pass") func longestRequest() async throws {
        let nodes = try await connectedNodes(["n1", "n2"]) { waiting, transport in
            for request in waiting {
                transport.reply(to: request.token, request.bytes)
                transport.flush()
            }
            waiting = []
        }
        let long = [UInt8](repeating: 9, count: PeerTransport.maximumRequestLength)
        #expect(try await nodes[0].request(long, to: "n2") == long)
        for node in nodes { try await node.close() }
    }

    @Test("A reply for a connection that is gone is dropped and counted") func lateReply() async throws {
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        // Answers both requests when the second one comes.
        let node = try await TestNode("n2", peers: ["n1": nobody, "n3": nobody]) { waiting, transport in
            guard waiting.count == 2 else { return }
            #expect(!transport.reply(to: waiting[0].token, [1]))
            #expect(transport.reply(to: waiting[1].token, [2]))
            #expect(!transport.reply(to: waiting[1].token, .init(repeating: 0, count: Frame.maximumBodyLength)))
        }
        let address = try await node.listen()
        let first = try await RawPeer.connect(to: address, as: TestNode.identity("n1"), target: "n2")
        try await first.send(.request, littleEndian(UInt64(1)) + [7])
        try await node.events.wait(for: .request([7], from: "n1"))
        try await first.close()
        try await node.wait(for: "no connection left") { $0.openConnections == 0 }
        let second = try await RawPeer.connect(to: address, as: TestNode.identity("n3"), target: "n2")
        try await second.send(.request, littleEndian(UInt64(5)) + [8])
        try await second.wait(for: .reply)
        #expect(second.bodies(of: .reply) == [littleEndian(UInt64(5)) + [2]])
        #expect(try await node.run { $0.counters.repliesDropped } == 2)
        try await second.close()
        try await node.close()
    }
}
