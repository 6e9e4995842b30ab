// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Testing

@Suite("Who takes part (Raft paper, section 6)") struct MembershipTests {
    private static let three = Membership.three
    private static let withLearner = Membership.test(["n1", "n2", "n3"], learners: ["n4"])
    private static let joint = Membership.test(["n1", "n2", "n4"], outgoing: ["n1", "n2", "n3"])

    private static func begin(_ membership: Membership, _ change: MembershipChange) throws -> Membership {
        try membership.beginning(change)
    }

    // MARK: The value

    @Test("Members stand in the order of their ids, each once") func order() {
        let membership = Membership.test(["n3", "n1"], outgoing: ["n2", "n1"], learners: ["n5", "n4"])
        #expect(membership.voters.map(\.nodeID) == ["n1", "n3"])
        #expect(membership.outgoing.map(\.nodeID) == ["n1", "n2"])
        #expect(membership.learners.map(\.nodeID) == ["n4", "n5"])
        #expect(membership.members.map(\.nodeID) == ["n1", "n2", "n3", "n4", "n5"])
        #expect(membership == .test(["n1", "n3"], outgoing: ["n1", "n2"], learners: ["n4", "n5"]))
    }

    @Test("Who votes and who learns") func roles() {
        let membership = Membership.test(["n1", "n3"], outgoing: ["n2"], learners: ["n4"])
        #expect(["n1", "n2", "n3", "n4", "n5"].map(membership.isVoter) == [true, true, true, false, false])
        #expect(["n1", "n2", "n3", "n4", "n5"].map(membership.isLearner) == [false, false, false, true, false])
        #expect(membership.member("n2")?.nodeID == "n2")
        #expect(membership.member("n5") == nil)
        #expect(membership.isJoint)
        #expect(!Self.withLearner.isJoint)
    }

    // MARK: Changes

    @Test("Learners come in one step: no majority changes (thesis 4.2.1)") func addLearners() throws {
        let added = try Self.begin(Self.withLearner, .addLearners([.test("n6"), .test("n5")]))
        #expect(added == .test(["n1", "n2", "n3"], learners: ["n4", "n5", "n6"]))
    }

    @Test("Another set of voters begins with a joint phase of both (section 6; faults 37)") func joint() throws {
        let promoted = try Self.begin(Self.withLearner, .change(promote: ["n4"], remove: []))
        #expect(promoted == .test(["n1", "n2", "n3", "n4"], outgoing: ["n1", "n2", "n3"]))
        let removed = try Self.begin(Self.three, .change(promote: [], remove: ["n1", "n3"]))
        #expect(removed == .test(["n2"], outgoing: ["n1", "n2", "n3"]))
        let replaced = try Self.begin(
            .test(["n1", "n2", "n3"], learners: ["n4", "n5"]), .change(promote: ["n4"], remove: ["n3"]))
        #expect(replaced == .test(["n1", "n2", "n4"], outgoing: ["n1", "n2", "n3"], learners: ["n5"]))
    }

    @Test("A learner goes in one step") func removeLearner() throws {
        #expect(try Self.begin(Self.withLearner, .change(promote: [], remove: ["n4"])) == Self.three)
        let both = try Self.begin(
            .test(["n1", "n2", "n3"], learners: ["n4", "n5"]), .change(promote: ["n4"], remove: ["n5"]))
        #expect(both == .test(["n1", "n2", "n3", "n4"], outgoing: ["n1", "n2", "n3"]))
    }

    @Test("A promoted learner keeps its storage id and its addresses (faults 6, 14)") func promotedKeeps() throws {
        let learner = Member(
            nodeID: "n4", storageID: StorageID(rawValue: 77), peerAddress: "h:1", clientAddress: "h:2")
        let membership = Membership(voters: Self.three.voters, learners: [learner])
        let promoted = try Self.begin(membership, .change(promote: ["n4"], remove: []))
        #expect(promoted.member("n4") == learner)
    }

    @Test("A joint phase ends with the new voters alone (section 6)") func ending() {
        #expect(Self.joint.ending == .test(["n1", "n2", "n4"]))
        #expect(
            Membership.test(["n1"], outgoing: ["n2"], learners: ["n5"]).ending == .test(["n1"], learners: ["n5"]))
    }

    @Test("Or goes back to the old ones; who was to become a voter learns again") func goBack() throws {
        #expect(try Self.begin(Self.joint, .goBack) == .test(["n1", "n2", "n3"], learners: ["n4"]))
        let more = Membership.test(["n1", "n4"], outgoing: ["n1", "n3"], learners: ["n5"])
        #expect(try Self.begin(more, .goBack) == .test(["n1", "n3"], learners: ["n4", "n5"]))
    }

    @Test(
        "Why a membership isn't changed",
        arguments: [
            (MembershipChange.goBack, MembershipProblem.notJoint),
            (.addLearners([]), .nothingToChange),
            (.addLearners([.test("n5"), .test("n5")]), .namedTwice("n5")),
            (.addLearners([.test("n5"), .test("n2")]), .alreadyMember("n2")),
            (.addLearners([.test("n4")]), .alreadyMember("n4")),
            (.change(promote: [], remove: []), .nothingToChange),
            (.change(promote: ["n4", "n4"], remove: []), .namedTwice("n4")),
            (.change(promote: ["n4"], remove: ["n4"]), .namedTwice("n4")),
            (.change(promote: [], remove: ["n3", "n3"]), .namedTwice("n3")),
            (.change(promote: ["n3"], remove: []), .notLearner("n3")),
            (.change(promote: ["n5"], remove: []), .notMember("n5")),
            (.change(promote: [], remove: ["n5"]), .notMember("n5")),
            (.change(promote: [], remove: ["n1", "n2", "n3"]), .noVoterLeft),
        ])
    func problems(change: MembershipChange, problem: MembershipProblem) {
        #expect(throws: problem) { try Self.begin(Self.withLearner, change) }
    }

    @Test(
        "In a joint phase there is no way but out of it (faults 37)",
        arguments: [
            MembershipChange.addLearners([.test("n9")]), .change(promote: [], remove: ["n2"]),
        ])
    func jointBlocks(change: MembershipChange) {
        #expect(throws: MembershipProblem.changeUnderWay) { try Self.begin(Self.joint, change) }
    }

    @Test("Members are bounded") func bounded() throws {
        func members(_ range: ClosedRange<Int>) -> [Member] { range.map { .test(NodeID(rawValue: "m\($0)")) } }
        let full = try Self.begin(.test(["n1"]), .addLearners(members(1...63)))
        #expect(full.members.count == Membership.maximumMembers)
        #expect(throws: MembershipProblem.tooManyMembers(limit: 64)) {
            try Self.begin(.test(["n1"]), .addLearners(members(1...64)))
        }
    }
}

@Suite("Encoding of memberships") struct MembershipCodecTests {
    private static let full = Membership(
        voters: [
            Member(nodeID: "n1", storageID: StorageID(rawValue: 11)),
            Member(nodeID: "n4", storageID: StorageID(rawValue: 44), peerAddress: "h4:7501", clientAddress: "h4:7401"),
        ],
        outgoing: [.test("n1"), .test("n2")],
        learners: [Member(nodeID: "n7", storageID: .unknown, peerAddress: "h7:7501", clientAddress: "")])

    private static func bytes(_ lists: [[NodeID]], version: UInt8 = MembershipCodec.version) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(version)
        for list in lists {
            writer.writeList(list) { writer, nodeID in
                MessageCodec.encode(nodeID, into: &writer)
                writer.write(UInt64(0))
                writer.write("")
                writer.write("")
            }
        }
        return writer.bytes
    }

    private static func problem(_ bytes: [UInt8]) -> ByteError? {
        do throws(ByteError) {
            _ = try MembershipCodec.decode(bytes)
            return nil
        } catch { return error }
    }

    @Test("A membership reads back as it was written") func roundTrip() throws {
        for membership in [Self.full, .three, .test(["n1"], learners: ["n2"])] {
            #expect(try MembershipCodec.decode(MembershipCodec.encode(membership)) == membership)
        }
        #expect(Self.problem(Self.bytes([["n1", "n2"], [], ["n3"]])) == nil)
    }

    @Test("Every proper prefix is refused, and a byte behind it") func prefixes() {
        let bytes = MembershipCodec.encode(Self.full)
        for length in 0..<bytes.count { #expect(Self.problem(Array(bytes[..<length])) != nil) }
        #expect(Self.problem(bytes + [0]) == .trailing(offset: bytes.count, count: 1))
    }

    @Test("Another version is refused (faults 39)") func otherVersion() {
        let bytes = Self.bytes([["n1"], [], []], version: MembershipCodec.version + 1)
        #expect(Self.problem(bytes) == .invalidValue(offset: 0, field: "membership version"))
    }

    @Test(
        "Nobody votes, one list out of order, a name twice, a learner that votes: refused",
        arguments: [
            ([[], ["n1"], []], "voters", 0), ([["n2", "n1"], [], []], "members", 1),
            ([["n1", "n1"], [], []], "members", 1),
            ([["n1"], [], ["n3", "n2"]], "members", 31), ([["n1"], [], ["n1"]], "learners", 0),
            ([["n1"], ["n2"], ["n2"]], "learners", 0),
        ] as [([[NodeID]], String, Int)])
    func refused(lists: [[NodeID]], field: String, offset: Int) {
        #expect(Self.problem(Self.bytes(lists)) == .invalidValue(offset: offset, field: field))
    }

    @Test("Too many members, a name or an address too long are refused by their length alone") func bounds() {
        let many = (10...74).map { NodeID(rawValue: "n\($0)") }
        #expect(Self.problem(Self.bytes([many, [], []])) == .tooLong(offset: 1, length: 65, limit: 64))
        #expect(Self.problem(Self.bytes([Array(many.dropLast()), [], []])) == nil)
        let name = NodeID(rawValue: String(repeating: "n", count: 33))
        #expect(Self.problem(Self.bytes([[name], [], []])) == .tooLong(offset: 5, length: 33, limit: 32))
        let address = String(repeating: "a", count: 261)
        for member in [
            Member(nodeID: "n1", storageID: .unknown, peerAddress: address),
            Member(nodeID: "n1", storageID: .unknown, clientAddress: address),
        ] {
            let problem = Self.problem(MembershipCodec.encode(Membership(voters: [member])))
            guard case .tooLong(_, length: 261, limit: 260) = problem else {
                Issue.record("\(String(describing: problem))")
                continue
            }
        }
    }

    @Test("20,000 mutated memberships give a membership or an error, never a trap") func mutatedInputs() {
        var random = SplitMix64(seed: 5)
        var (accepted, refused) = (0, 0)
        let originals = [Self.full, .three, .test(["n1"], learners: ["n2"])].map(MembershipCodec.encode)
        for round in 0..<20_000 {
            var bytes = originals[round % originals.count]
            for _ in 0...Int.random(in: 0...2, using: &random) where !bytes.isEmpty {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[position] = UInt8.random(in: .min ... .max, using: &random)
                case 2: bytes.removeSubrange(position...)
                case 3: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: position)
                case _: bytes.replaceSubrange(position..., with: [0xff, 0xff, 0xff, 0xff])
                }
            }
            do {
                // What is accepted means one thing only: writing it again gives the same bytes.
                #expect(MembershipCodec.encode(try MembershipCodec.decode(bytes)) == bytes)
                accepted += 1
            } catch {
                refused += 1
            }
        }
        #expect(accepted > 1_000)
        #expect(refused > 1_000)
    }
}
