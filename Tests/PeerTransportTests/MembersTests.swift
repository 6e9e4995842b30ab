// SPDX-License-Identifier: Apache-2.0

import Bytes
import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Members that come and go") struct MembersTests {
    private static let question = Message.preVote(
        VoteRequest(term: Term(rawValue: 5), lastLogIndex: .zero, lastLogTerm: .zero, isLeadershipTransfer: false))
    private static let answer = Message.requestVoteReply(RequestVoteReply(term: Term(rawValue: 5), isGranted: true))

    private static func directory(_ nodes: [NodeID], committed: LogIndex = .zero) -> MemberDirectory {
        MemberDirectory(
            Dictionary(uniqueKeysWithValues: nodes.map { ($0, TestNode.storage(of: $0)) }), committed: committed)
    }

    @Test("A new member is connected to, and what it says counts") func added() async throws {
        let one = try await TestNode("n1")
        let two = try await TestNode("n2")
        let (first, second) = (try await one.listen(), try await two.listen())
        for node in [one, two] { try await node.run { $0.connect() } }
        try await one.run { transport in
            transport.setMembers(["n1": first, "n2": second], directory: Self.directory(["n1", "n2"]), listing: 3)
        }
        try await two.run { transport in
            transport.setMembers(["n1": first, "n2": second], directory: Self.directory(["n1", "n2"]), listing: 3)
        }
        try await one.events.wait(for: .connected("n2"))
        try await two.events.wait(for: .connected("n1"))
        try await two.send([Self.answer], to: "n1")
        try await one.events.wait(for: .message(Self.answer, group: .zero, from: "n2"))
        for node in [one, two] { try await node.close() }
    }

    @Test(
        "A node whose log doesn't know the sender yet hears its questions and answers them, and counts no promise of it"
    )
    func stale() async throws {
        let stale = try await TestNode("n1", directory: Self.directory(["n1"], committed: 40))
        let address = try await stale.listen()
        try await stale.run { $0.connect() }
        var identity = TestNode.identity("n4")
        identity.listing = 41
        let younger = try await TestNode(
            "n4", identity: identity, peers: ["n1": address], directory: Self.directory(["n1", "n4"]))
        _ = try await younger.listen()
        try await younger.run { $0.connect() }
        try await younger.events.wait(for: .connected("n1"))
        try await younger.send([Self.answer, Self.question], to: "n1")
        try await stale.events.wait(for: .message(Self.question, group: .zero, from: "n4"))
        #expect(!stale.events.items.contains(.message(Self.answer, group: .zero, from: "n4")))
        // The answer goes back where the question came from.
        try await stale.send([Self.answer], to: "n4")
        try await younger.events.wait(for: .message(Self.answer, group: .zero, from: "n1"))
        for node in [stale, younger] { try await node.close() }
    }

    @Test("A removed member is let go of, is told, and isn't heard any more") func removed() async throws {
        var identity = TestNode.identity("n3")
        identity.listing = 12
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let leader = try await TestNode("n1", peers: ["n3": nobody])
        let address = try await leader.listen()
        let leaving = try await TestNode("n3", identity: identity, peers: ["n1": address], limits: .impatient)
        let left = try await leaving.listen()
        try await leader.run { transport in
            transport.setAddress(left, of: "n3")
            transport.connect()
        }
        try await leaving.run { $0.connect() }
        try await leader.events.wait(for: .connected("n3"))
        try await leaving.events.wait(for: .connected("n1"))
        try await leader.run { transport in
            transport.send(Self.question, to: "n3")
            transport.setMembers(["n1": address], directory: Self.directory(["n1"], committed: 20), listing: 20)
        }
        // What was said to it before still arrives.
        try await leaving.events.wait(for: .message(Self.question, group: .zero, from: "n1"))
        try await leaving.events.wait(for: .removed(at: 20, saidBy: "n1"))
        #expect(try await leader.run { $0.isConnected(to: "n3") } == false)
        #expect(try await leader.failure(of: [1], to: "n3") == .notSent(.unknownPeer))
        for node in [leader, leaving] { try await node.close() }
        #expect(try await leader.run { $0.openConnections } == 0)
    }

    @Test("A founder that was heard as one of a longer log is learned when this node's log names it too")
    func learnedLater() async throws {
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let one = try await TestNode("n1", peers: ["n2": nobody], directory: MemberDirectory([:]))
        let address = try await one.listen()
        let storage = TestNode.storage(of: "n2")
        let two = try await TestNode(
            "n2",
            identity: PeerIdentity(cluster: TestNode.cluster, node: "n2", storage: storage, listing: 5, founding: 0),
            peers: ["n1": address])
        _ = try await two.listen()
        try await two.run { $0.connect() }
        try await two.events.wait(for: .connected("n1"))
        #expect(one.events.items.isEmpty)
        try await one.run {
            $0.setMembers(["n2": nobody], directory: MemberDirectory(["n2": .unknown], committed: 5), listing: 5)
        }
        try await one.events.wait(for: .learned(storage, of: "n2"))
        for node in [one, two] { try await node.close() }
    }

    @Test("When the cluster's format rises, who doesn't know it is told, and let go of") func outdated() async throws {
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let next = FormatLevel(rawValue: FormatLevel.newest.rawValue + 1)
        let identity = PeerIdentity(
            cluster: TestNode.cluster, node: "n1", storage: TestNode.storage(of: "n1"), knows: next)
        let one = try await TestNode("n1", identity: identity, peers: ["n2": nobody])
        let address = try await one.listen()
        let old = try await TestNode("n2", peers: ["n1": address], limits: .impatient)
        _ = try await old.listen()
        try await old.run { $0.connect() }
        try await old.events.wait(for: .connected("n1"))
        #expect(try await old.run { $0.knownFormat(of: "n1") } == next)
        #expect(try await old.run { $0.knownFormat(of: "n9") } == nil)
        try await one.run { $0.setFormat(next) }
        try await old.events.wait(for: .outdated(next))
        try await one.log.waitForWarning(of: "outdated: n2")
        for node in [one, old] { try await node.close() }
    }

    @Test("A connection of another life of a member's folder ends when the member's life is known") func replaced()
        async throws
    {
        let nobody = PeerAddress(host: "127.0.0.1", port: 1)
        let one = try await TestNode("n1", peers: ["n2": nobody])
        let address = try await one.listen()
        let old = try await TestNode("n2", peers: ["n1": address], limits: .impatient)
        _ = try await old.listen()
        try await old.run { $0.connect() }
        try await old.events.wait(for: .connected("n1"))
        let directory = MemberDirectory(["n2": StorageID(rawValue: 77)], committed: 9)
        try await one.run { $0.setMembers(["n2": nobody], directory: directory, listing: 9) }
        try await one.log.waitForWarning(of: "wrong storage: n2")
        for node in [one, old] { try await node.close() }
    }
}

extension LogIndex: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}
