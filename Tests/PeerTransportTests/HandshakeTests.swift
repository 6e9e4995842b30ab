// SPDX-License-Identifier: Apache-2.0

import Bytes
import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Handshake") struct HandshakeTests {
    private static let one = TestNode.identity("n1")
    private static let two = TestNode.identity("n2")
    private static let directory = MemberDirectory(["n1": one.storage, "n2": two.storage, "n3": .unknown])

    private static func frame(_ kind: Frame.Kind, _ body: [UInt8]) -> Frame {
        Frame(kind: kind, body: ByteBuffer(bytes: body))
    }

    /// What node n1 does with a hello.
    private static func answer(_ kind: Frame.Kind, _ body: [UInt8]) -> Handshake.Action {
        var handshake = Handshake(accepting: self.one)
        guard handshake.connected() == .ignore else { return .ignore }
        return handshake.received(self.frame(kind, body), directory: self.directory)
    }

    private static func answer(
        _ identity: PeerIdentity, target: NodeID = "n1"
    ) -> Handshake.Action {
        self.answer(.hello, HandshakeMessage.hello(identity, target: target).encoded)
    }

    /// What node n2, which wanted n1, does with the answer.
    private static func conclude(_ kind: Frame.Kind, _ body: [UInt8]) -> Handshake.Action {
        var handshake = Handshake(connecting: self.two, to: "n1")
        guard handshake.connected() == .send(.hello(self.two, target: "n1")) else { return .ignore }
        return handshake.received(self.frame(kind, body), directory: self.directory)
    }

    private static func conclude(_ message: HandshakeMessage, _ kind: Frame.Kind) -> Handshake.Action {
        self.conclude(kind, message.encoded)
    }

    /// What two nodes come to when the second one connects to the first.
    private static func met(
        _ one: PeerIdentity, _ two: PeerIdentity
    ) -> (answer: Handshake.Action, conclusion: Handshake.Action) {
        var accepting = Handshake(accepting: one)
        _ = accepting.connected()
        let hello = HandshakeMessage.hello(two, target: one.node).encoded
        let answer = accepting.received(self.frame(.hello, hello), directory: self.directory)
        var connecting = Handshake(connecting: two, to: one.node)
        _ = connecting.connected()
        let welcome = HandshakeMessage.welcome(one).encoded
        return (answer, connecting.received(self.frame(.welcome, welcome), directory: self.directory))
    }

    @Test func goodHelloAndGoodWelcome() {
        #expect(Self.answer(Self.two) == .establish(Self.two, answer: .welcome(Self.one), isFirstUse: false))
        #expect(
            Self.conclude(.welcome(Self.one), .welcome) == .establish(Self.one, answer: nil, isFirstUse: false))
    }

    @Test("A member that was not heard of before is believed, and its storage id is to be kept") func firstUse() {
        let three = PeerIdentity(
            cluster: TestNode.cluster, node: "n3", storage: TestNode.storage(of: "n3"), listing: 0, founding: 0)
        #expect(Self.answer(three) == .establish(three, answer: .welcome(Self.one), isFirstUse: true))
        var directory = Self.directory
        directory.learn(three.storage, of: "n3")
        #expect(directory.check(three) == .known)
        let other = { PeerIdentity(cluster: TestNode.cluster, node: $0, storage: StorageID(rawValue: 5)) }
        #expect(directory.check(other("n3")) == .wrongStorage(expected: three.storage))
        // What is known once is not unlearned by another claim.
        directory.learn(StorageID(rawValue: 5), of: "n3")
        #expect(directory.storageID(of: "n3") == three.storage)
        directory.learn(StorageID(rawValue: 5), of: "n9")
        #expect(directory.check(other("n9")) == .unknownNode)
    }

    @Test("Who takes part by a log that has more is heard; who did by one that has less was removed (paper, section 6)")
    func listings() {
        let directory = MemberDirectory(["n1": Self.one.storage, "n2": Self.two.storage], committed: 40)
        func identity(_ node: NodeID, _ storage: UInt64, listing: LogIndex?) -> PeerIdentity {
            PeerIdentity(
                cluster: TestNode.cluster, node: node, storage: StorageID(rawValue: storage), listing: listing)
        }
        #expect(directory.check(identity("n4", 4, listing: 41)) == .newer)
        #expect(directory.check(identity("n4", 4, listing: 40)) == .removed(at: 40))
        #expect(directory.check(identity("n4", 4, listing: 0)) == .removed(at: 40))
        #expect(directory.check(identity("n4", 4, listing: nil)) == .unknownNode)
        // A node with a member's name: replaced since, or before, or one whose disk was lost and who begins anew.
        #expect(directory.check(identity("n2", 99, listing: 41)) == .newer)
        #expect(directory.check(identity("n2", 99, listing: 40)) == .wrongStorage(expected: Self.two.storage))
        #expect(directory.check(identity("n2", 99, listing: nil)) == .wrongStorage(expected: Self.two.storage))
        // What a member says of its log changes nothing.
        #expect(directory.check(identity("n2", Self.two.storage.rawValue, listing: nil)) == .known)
        // A cluster that has never changed its members has removed none.
        #expect(Self.directory.check(identity("n9", 9, listing: 0)) == .unknownNode)
        // A member that is not known is believed at first use if the cluster began with its folder, however far its log
        // reaches: else it may be one that has taken a lost one's place.
        let unknown = MemberDirectory(["n3": .unknown], committed: 40)
        for listing: LogIndex in [0, 40, 41] {
            let founder = PeerIdentity(
                cluster: TestNode.cluster, node: "n3", storage: StorageID(rawValue: 3), listing: listing, founding: 0)
            #expect(unknown.check(founder) == .firstUse)
        }
        #expect(unknown.check(identity("n3", 3, listing: 0)) == .unknownNode)
        #expect(unknown.check(identity("n3", 3, listing: 40)) == .unknownNode)
        #expect(unknown.check(identity("n3", 3, listing: 41)) == .newer)
        #expect(unknown.check(identity("n3", 3, listing: nil)) == .unknownNode)

        var handshake = Handshake(accepting: Self.one)
        _ = handshake.connected()
        let younger = identity("n4", 4, listing: 41)
        let hello = HandshakeMessage.hello(younger, target: "n1")
        #expect(
            handshake.received(Self.frame(.hello, hello.encoded), directory: directory)
                == .establish(younger, answer: .welcome(Self.one), isFirstUse: false))
    }

    @Test(
        "Nodes that began with different state don't talk to each other; who joined later has no beginning of its own")
    func beginnings() {
        func identity(_ node: NodeID, founding: UInt64?) -> PeerIdentity {
            PeerIdentity(
                cluster: TestNode.cluster, node: node, storage: TestNode.storage(of: node), listing: 0,
                founding: founding)
        }
        let one = identity("n1", founding: 7)
        #expect(Self.met(one, identity("n2", founding: 8)).answer == .refuse(.otherBeginning("n2")))
        #expect(Self.met(one, identity("n2", founding: 8)).conclusion == .reject(.otherBeginning("n1")))
        #expect(Self.met(one, identity("n2", founding: 0)).answer == .refuse(.otherBeginning("n2")))
        for two in [identity("n2", founding: 7), identity("n2", founding: nil)] {
            #expect(Self.met(one, two).answer == .establish(two, answer: .welcome(one), isFirstUse: false))
            #expect(Self.met(one, two).conclusion == .establish(one, answer: nil, isFirstUse: false))
        }
    }

    @Test("Nodes of two formats talk to each other until one's cluster uses what the other doesn't know (faults 39)")
    func formats() {
        func identity(_ node: NodeID, knows: UInt32, uses: UInt32) -> PeerIdentity {
            PeerIdentity(
                cluster: TestNode.cluster, node: node, storage: TestNode.storage(of: node),
                knows: FormatLevel(rawValue: knows), uses: FormatLevel(rawValue: uses))
        }
        let (first, second) = (identity("n1", knows: 1, uses: 1), identity("n2", knows: 2, uses: 1))
        #expect(Self.met(first, second).answer == .establish(second, answer: .welcome(first), isFirstUse: false))
        #expect(Self.met(first, second).conclusion == .establish(first, answer: nil, isFirstUse: false))
        // Whichever side is too old, both are told that it is.
        let raised = identity("n2", knows: 2, uses: 2)
        let old = Refusal.outdated("n1", knows: .first, uses: FormatLevel(rawValue: 2))
        #expect(Self.met(first, raised).answer == .refuse(old))
        #expect(Self.met(first, raised).conclusion == .reject(old))
        let (newer, older) = (identity("n1", knows: 2, uses: 2), identity("n2", knows: 1, uses: 1))
        let other = Refusal.outdated("n2", knows: .first, uses: FormatLevel(rawValue: 2))
        #expect(Self.met(newer, older).answer == .refuse(other))
        #expect(Self.met(newer, older).conclusion == .reject(other))
    }

    @Test("What a program of a later format adds to its hello is read over; of this one's nothing may be left")
    func longerHello() throws {
        let known = HandshakeMessage.hello(Self.two, target: "n1")
        #expect(throws: HandshakeError.self) { try HandshakeMessage(Self.frame(.hello, known.encoded + [7])) }
        let later = PeerIdentity(
            cluster: TestNode.cluster, node: "n2", storage: Self.two.storage, knows: FormatLevel(rawValue: 9))
        for message in [HandshakeMessage.hello(later, target: "n1"), .welcome(later)] {
            let kind: Frame.Kind = if case .hello = message { .hello } else { .welcome }
            #expect(try HandshakeMessage(Self.frame(kind, message.encoded + [7, 8])) == message)
        }
    }

    @Test func wrongHellosAreRefused() {
        let other = ClusterID(high: 1, low: 2)
        let stranger = PeerIdentity(cluster: other, node: "n2", storage: Self.two.storage)
        #expect(Self.answer(stranger) == .refuse(.wrongCluster(refuser: TestNode.cluster, refused: other)))
        let unknown = TestNode.identity("n9")
        #expect(Self.answer(unknown) == .refuse(.unknownNode("n9")))
        let given = StorageID(rawValue: 99)
        let wiped = PeerIdentity(cluster: TestNode.cluster, node: "n2", storage: given)
        #expect(
            Self.answer(wiped) == .refuse(.wrongStorage("n2", expected: Self.two.storage, given: given)))
        #expect(Self.answer(Self.two, target: "n3") == .refuse(.notMe(wanted: "n3", actual: "n1")))
    }

    @Test func wrongAnswersAreRejected() {
        let other = ClusterID(high: 1, low: 2)
        let stranger = PeerIdentity(cluster: other, node: "n1", storage: Self.one.storage)
        #expect(
            Self.conclude(.welcome(stranger), .welcome)
                == .reject(.wrongCluster(refuser: TestNode.cluster, refused: other)))
        #expect(
            Self.conclude(.welcome(TestNode.identity("n3")), .welcome)
                == .reject(.notMe(wanted: "n1", actual: "n3")))
        let given = StorageID(rawValue: 99)
        let wiped = PeerIdentity(cluster: TestNode.cluster, node: "n1", storage: given)
        #expect(
            Self.conclude(.welcome(wiped), .welcome)
                == .reject(.wrongStorage("n1", expected: Self.one.storage, given: given)))
        #expect(
            Self.conclude(.refusal(.unknownNode("n2")), .refusal) == .refused(.unknownNode("n2")))
    }

    @Test("Another version's hello is refused by its version, whatever follows it") func versions() {
        let future = littleEndian(HandshakeMessage.magic) + littleEndian(UInt16(7)) + Array("in a new form".utf8)
        #expect(
            Self.answer(.hello, future) == .refuse(.version(refuser: HandshakeMessage.version, refused: 7)))
        #expect(Self.conclude(.welcome, future) == .violation(.version(7)))
        // The refusal itself is understood in every version.
        let refusal = HandshakeMessage.refusal(.version(refuser: 7, refused: 1)).encoded
        let fromTheFuture = Array(refusal.prefix(4)) + littleEndian(UInt16(7)) + refusal.dropFirst(6)
        #expect(Self.conclude(.refusal, fromTheFuture) == .refused(.version(refuser: 7, refused: 1)))
    }

    @Test func anotherMagicIsNoHandshake() {
        var hello = HandshakeMessage.hello(Self.two, target: "n1").encoded
        hello[0] ^= 1
        #expect(Self.answer(.hello, hello) == .violation(.magic(HandshakeMessage.magic ^ 1)))
        #expect(Self.conclude(.welcome, hello) == .violation(.magic(HandshakeMessage.magic ^ 1)))
    }

    @Test("A message cut short anywhere, or with more behind it, is malformed") func lengths() {
        let hello = HandshakeMessage.hello(Self.two, target: "n1").encoded
        for length in 0..<hello.count {
            guard case .violation(.malformed(.truncated)) = Self.answer(.hello, Array(hello.prefix(length))) else {
                Issue.record("\(length) bytes of a hello")
                continue
            }
        }
        #expect(
            Self.answer(.hello, hello + [0])
                == .violation(.malformed(.trailing(offset: hello.count, count: 1))))
    }

    @Test("Nobody is believed with the storage id that means unknown") func unknownStorage() {
        let nobody = PeerIdentity(cluster: TestNode.cluster, node: "n3", storage: .unknown)
        guard case .violation(.malformed(.invalidValue(_, "storage id"))) = Self.answer(nobody) else {
            Issue.record("a hello without a storage id")
            return
        }
    }

    @Test("Frames that come before their time", arguments: Frame.Kind.allCases) func outOfOrder(kind: Frame.Kind) {
        let good = HandshakeMessage.hello(Self.two, target: "n1").encoded
        if kind != .hello { #expect(Self.answer(kind, good) == .violation(.unexpectedKind(kind))) }
        switch kind {
        case .welcome, .refusal: break
        case .hello, .message, .request, .reply, .ping, .pong:
            let action = Self.conclude(kind, good)
            #expect(action == .violation(.unexpectedKind(kind)))
        }
        // The accepting side never speaks before it was spoken to.
        var early = Handshake(connecting: Self.two, to: "n1")
        let frame = Self.frame(kind, good)
        let action = early.received(frame, directory: Self.directory)
        #expect(action == .violation(.unexpectedKind(kind)))
        // And nothing is heard once the handshake is over.
        let later = early.received(frame, directory: Self.directory)
        #expect(later == .ignore)
        let connected = early.connected()
        #expect(connected == .ignore)
    }

    @Test(
        "Every refusal survives the wire, and says in words what is wrong",
        arguments: [
            (Refusal.version(refuser: 1, refused: 2), "wrong protocol version: 2 meets 1"),
            (
                .wrongCluster(refuser: ClusterID(high: 1, low: 2), refused: ClusterID(high: 3, low: 4)),
                "wrong cluster: a node of 00000000000000030000000000000004 meets one of 00000000000000010000000000000002"
            ),
            (.unknownNode("n9"), "unknown node: n9 is not a peer of the refusing node"),
            (
                .wrongStorage("n2", expected: StorageID(rawValue: 255), given: StorageID(rawValue: 1)),
                "wrong storage: n2 comes with data folder 0000000000000001, known is 00000000000000ff"
            ),
            (.removed("n4", at: 57), "removed: n4 is no member of the cluster any more (as of entry 57)"),
            (.notMe(wanted: "n1", actual: "n3"), "not me: n1 was wanted, this is n3"),
            (
                .outdated("n2", knows: .first, uses: FormatLevel(rawValue: 3)),
                "outdated: n2 runs a program that knows formats up to 1, and the cluster uses format 3"
            ),
        ])
    func refusals(refusal: Refusal, text: String) throws {
        let message = HandshakeMessage.refusal(refusal)
        #expect(try HandshakeMessage(Self.frame(.refusal, message.encoded)) == message)
        #expect(refusal.description == text)
    }
}
