// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Testing

@Suite("Encoding of messages between peers")
struct MessageCodecTests {
    @Test("Every generated message and header reads back as it was written", arguments: 0..<20)
    func roundTrip(seed: UInt64) throws {
        var generator = MessageGenerator(seed: seed)
        for _ in 0..<100 {
            let message = generator.message()
            let header = generator.header()
            let decoded = try MessageCodec.decode(MessageCodec.encode(message, header: header))
            #expect(decoded.message == message)
            #expect(decoded.header == header)
        }
    }

    @Test("The generator brings every kind of message and outcome, so that the round trip covers them")
    func generatorCoversAll() {
        var generator = MessageGenerator(seed: 1)
        let kinds = Set((0..<1000).map { _ in MessageCodecTests.kind(of: generator.message()) })
        #expect(kinds.count == 11)
    }

    @Test("20,000 mutated inputs give a message or an error, never a trap")
    func mutatedInputs() throws {
        var generator = MessageGenerator(seed: 42)
        var refused = 0
        var accepted = 0
        for _ in 0..<20_000 {
            let original = MessageCodec.encode(generator.message(), header: generator.header())
            let mutated = generator.mutate(original)
            do {
                let decoded = try MessageCodec.decode(mutated)
                // What is accepted means one thing only: writing it again gives the same bytes.
                #expect(MessageCodec.encode(decoded.message, header: decoded.header) == mutated)
                accepted += 1
            } catch {
                refused += 1
            }
        }
        #expect(refused > 1_000)
        #expect(accepted > 1_000)
    }

    @Test("Every proper prefix of a message is refused")
    func prefixesAreRefused() {
        var generator = MessageGenerator(seed: 7)
        for _ in 0..<8 {
            let bytes = MessageCodec.encode(generator.message(), header: generator.header())
            for length in 0..<bytes.count {
                #expect(throws: ByteError.self) { try MessageCodec.decode(Array(bytes[..<length])) }
            }
        }
    }

    @Test("A byte behind the message is refused")
    func trailingByteIsRefused() {
        var generator = MessageGenerator(seed: 3)
        let bytes = MessageCodec.encode(generator.message(), header: generator.header())
        #expect(throws: ByteError.trailing(offset: bytes.count, count: 1)) { try MessageCodec.decode(bytes + [0]) }
    }

    @Test("Another version is refused, whatever follows")
    func otherVersionIsRefused() {
        var generator = MessageGenerator(seed: 3)
        var bytes = MessageCodec.encode(generator.message(), header: generator.header())
        bytes[0] = MessageCodec.version + 1
        #expect(throws: ByteError.invalidValue(offset: 0, field: "message version")) {
            try MessageCodec.decode(bytes)
        }
    }

    @Test("A count of entries that the bytes cannot hold is refused by the count alone")
    func hugeEntryCountIsRefused() {
        var generator = MessageGenerator(seed: 3)
        let request = AppendEntries(
            term: Term(rawValue: 1), prevLogIndex: .zero, prevLogTerm: .zero, entries: [], leaderCommit: .zero,
            readRound: 0)
        var bytes = MessageCodec.encode(.appendEntries(request), header: generator.header())
        // The count is the last field of a heartbeat.
        let offset = bytes.count - 4
        bytes.replaceSubrange(offset..., with: [0xff, 0xff, 0xff, 0xff])
        #expect(throws: ByteError.tooLong(offset: offset, length: Int(UInt32.max), limit: 0)) {
            try MessageCodec.decode(bytes)
        }
    }

    @Test("A header without a node's name is refused")
    func emptyNodeIsRefused() {
        let header = MessageHeader(
            cluster: ClusterID(high: 1, low: 2), group: .zero, from: NodeID(rawValue: ""),
            fromStorage: StorageID(rawValue: 3), to: NodeID(rawValue: "n2"))
        let vote = Message.requestVoteReply(RequestVoteReply(term: .zero, isGranted: true))
        #expect(throws: ByteError.invalidValue(offset: 21, field: "node id")) {
            try MessageCodec.decode(MessageCodec.encode(vote, header: header))
        }
    }

    private static func kind(of message: Message) -> String {
        switch message {
        case .preVote: "preVote"
        case .preVoteReply: "preVoteReply"
        case .requestVote: "requestVote"
        case .requestVoteReply: "requestVoteReply"
        case .appendEntries: "appendEntries"
        case .appendEntriesReply(let reply):
            switch reply.outcome {
            case .success: "success"
            case .conflict: "conflict"
            case .staleTerm: "staleTerm"
            case .installing: "installing"
            }
        case .installSnapshot: "installSnapshot"
        case .timeoutNow: "timeoutNow"
        }
    }
}

/// Draws messages from a seed, and damages encodings of them.
private struct MessageGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    private mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    private mutating func below(_ bound: Int) -> Int { Int(self.next() % UInt64(bound)) }

    /// Small values and the extremes, as fields meet both.
    private mutating func number() -> UInt64 {
        switch self.below(4) {
        case 0: 0
        case 1: UInt64.max
        case 2: self.next()
        case _: UInt64(self.below(1_000))
        }
    }

    private mutating func bool() -> Bool { self.next() & 1 == 1 }
    private mutating func term() -> Term { Term(rawValue: self.number()) }
    private mutating func index() -> LogIndex { LogIndex(rawValue: self.number()) }
    private mutating func bytes(upTo limit: Int) -> [UInt8] {
        (0..<self.below(limit + 1)).map { _ in UInt8(truncatingIfNeeded: self.next()) }
    }
    private mutating func node() -> NodeID {
        NodeID(rawValue: String(repeating: "n", count: 1 + self.below(NodeID.maximumLength)))
    }

    mutating func header() -> MessageHeader {
        MessageHeader(
            cluster: ClusterID(high: self.next(), low: self.next()),
            group: GroupID(rawValue: UInt32(truncatingIfNeeded: self.next())), from: self.node(),
            fromStorage: StorageID(rawValue: self.next()), to: self.node())
    }

    private mutating func voteRequest() -> VoteRequest {
        VoteRequest(
            term: self.term(), lastLogIndex: self.index(), lastLogTerm: self.term(), isLeadershipTransfer: self.bool())
    }

    private mutating func entry() -> Entry {
        Entry(
            index: self.index(), term: self.term(), kind: self.bool() ? .command : .leaderStart,
            payload: self.bytes(upTo: 40))
    }

    private mutating func outcome() -> AppendEntriesReply.Outcome {
        switch self.below(4) {
        case 0: .success(matchIndex: self.index())
        case 1:
            .conflict(
                rejectedIndex: self.index(), conflictTerm: self.bool() ? self.term() : nil, conflictIndex: self.index())
        case 2: .installing
        case _: .staleTerm
        }
    }

    /// Voters and perhaps outgoing ones and learners, with names of their own.
    private mutating func membership() -> Membership {
        func members(_ prefix: String, _ count: Int) -> [Member] {
            (0..<count).map { number in
                Member(
                    nodeID: NodeID(rawValue: "\(prefix)\(number)"), storageID: StorageID(rawValue: UInt64(number)),
                    peerAddress: number == 0 ? "" : "host-\(number):7501", clientAddress: "h:\(number)")
            }
        }
        return Membership(
            voters: members("n", 1 + self.below(3)), outgoing: members("n", self.below(3)),
            learners: members("learner", self.below(3)))
    }

    mutating func message() -> Message {
        switch self.below(8) {
        case 0: return .preVote(self.voteRequest())
        case 1:
            return .preVoteReply(
                PreVoteReply(term: self.term(), candidacyTerm: self.term(), isGranted: self.bool()))
        case 2: return .requestVote(self.voteRequest())
        case 3: return .requestVoteReply(RequestVoteReply(term: self.term(), isGranted: self.bool()))
        case 4:
            var entries: [Entry] = []
            for _ in 0..<self.below(6) { entries.append(self.entry()) }
            return .appendEntries(
                AppendEntries(
                    term: self.term(), prevLogIndex: self.index(), prevLogTerm: self.term(), entries: entries,
                    leaderCommit: self.index(), readRound: self.number(),
                    repair: self.bool() ? RepairTarget(loss: self.number(), index: self.index()) : nil))
        case 5: return .timeoutNow(TimeoutNow(term: self.term()))
        case 6:
            let description = SnapshotDescription(
                position: LogPosition(index: self.index(), term: self.term()), length: self.number(),
                checksum: UInt32(truncatingIfNeeded: self.next()))
            return .installSnapshot(
                InstallSnapshot(
                    term: self.term(), offer: SnapshotOffer(description: description, membership: self.membership()),
                    readRound: self.number()))
        case _:
            return .appendEntriesReply(
                AppendEntriesReply(
                    term: self.term(), outcome: self.outcome(), readRound: self.number(),
                    needsStateFrom: self.bool() ? self.index() : nil, losses: self.number(),
                    isRepairing: self.bool()))
        }
    }

    /// Flips, cuts, lengthens, overwrites or replaces; a few bytes at most, so that deep fields are reached too.
    mutating func mutate(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0...self.below(3) {
            guard !bytes.isEmpty else { return self.bytes(upTo: 64) }
            let position = self.below(bytes.count)
            switch self.below(6) {
            case 0: bytes[position] ^= UInt8(1) << UInt8(self.below(8))
            case 1: bytes[position] = UInt8(truncatingIfNeeded: self.next())
            case 2: bytes.removeSubrange(position...)
            case 3: bytes.insert(UInt8(truncatingIfNeeded: self.next()), at: position)
            case 4: bytes.replaceSubrange(position..., with: [0xff, 0xff, 0xff, 0xff])
            case _: bytes = self.bytes(upTo: 128)
            }
        }
        return bytes
    }
}
