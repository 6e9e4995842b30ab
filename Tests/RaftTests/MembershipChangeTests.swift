// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Changes of who takes part (Raft paper, section 6; thesis, chapter 4)") struct MembershipChangeTests {
    private static let three = Membership.three
    private static let joint = Membership.test(["n1", "n2", "n4"], outgoing: ["n1", "n2", "n3"])

    /// Leads term 1; its own entry, 1, is committed and on every disk.
    private static func leader(_ membership: Membership = .test(["n1", "n2", "n3"], learners: ["n4"])) -> Fixture {
        var fixture = Fixture(membership: membership)
        let others = membership.members.map(\.nodeID).filter { $0 != "n1" }
        fixture.elect(by: others.filter(membership.isVoter))
        for peer in others { fixture.acknowledge(1, from: peer) }
        return fixture
    }

    /// As above, in the joint phase that replaces n3 by n4; its entry, 2, is on the leader's disk alone.
    private static func inJointPhase() -> Fixture {
        var fixture = Self.leader()
        fixture.change(.change(promote: ["n4"], remove: ["n3"]))
        return fixture
    }

    private static func memberships(_ effects: [RaftEffect], to peer: NodeID) -> [LogIndex] {
        effects.appends(to: peer).flatMap(\.entries).filter { $0.kind == .membership }.map(\.index)
    }

    // MARK: The way of a change

    @Test("A change is an entry, counts at once, and is told (section 6)") func countsAtOnce() throws {
        var fixture = Self.leader(.three)
        let changed = Membership.test(["n1", "n2", "n3"], learners: ["n4"])
        let effects = fixture.change(.addLearners([.test("n4")]))
        #expect(effects.contains(.proposalAppended(ProposalID(rawValue: 9), first: 2, term: 1)))
        #expect(effects.memberships == [changed])
        #expect(effects.batches.flatMap(\.entries) == [.test(2, term: 1, changed)])
        #expect(Self.memberships(effects, to: "n2") == [2])
        #expect(fixture.core.membership == changed)
        #expect(!fixture.core.isMembershipSettled)
        fixture.acknowledge(2, from: "n2")
        #expect(fixture.core.isMembershipSettled)
        #expect(fixture.core.lastIndex == 2)
    }

    @Test("A new learner is sent the log, and counts for no majority (thesis 4.2.1)") func learner() {
        var fixture = Self.leader(.three)
        let effects = fixture.change(.addLearners([.test("n4")]))
        #expect(effects.appends(to: "n4").map(\.prevLogIndex) == [2])
        #expect(fixture.reject(2, hint: 1, from: "n4").appends(to: "n4").flatMap(\.entries).map(\.index) == [1, 2])
        fixture.acknowledge(2, from: "n4")
        #expect(fixture.core.commitIndex == 1)
        #expect(fixture.core.matchIndexes == ["n2": 1, "n3": 1, "n4": 2])
        fixture.acknowledge(2, from: "n3")
        #expect(fixture.core.commitIndex == 2)
    }

    @Test(
        "Another set of voters goes by way of a joint phase, which the leader leaves by itself (section 6, figure 11)")
    func jointPhase() {
        var fixture = Self.inJointPhase()
        #expect(fixture.core.membership == Self.joint)
        #expect(!fixture.core.isMembershipSettled)
        // Of the old voters n1 and n2, of the new ones n1 and n2.
        let effects = fixture.acknowledge(2, from: "n2")
        #expect(fixture.core.commitIndex == 2)
        #expect(fixture.core.membership == .test(["n1", "n2", "n4"]))
        #expect(!fixture.core.isMembershipSettled)
        #expect(effects.memberships == [.test(["n1", "n2", "n4"])])
        #expect(Self.memberships(effects, to: "n2") == [3])
        #expect(Self.memberships(effects, to: "n3").isEmpty)
        fixture.acknowledge(3, from: "n4")
        #expect(fixture.core.commitIndex == 3)
        #expect(fixture.core.isMembershipSettled)
        #expect(fixture.core.lastIndex == 3)
    }

    @Test("In the joint phase an entry needs a majority of the old and one of the new voters (section 6)")
    func bothMajorities() {
        var fixture = Fixture(
            membership: .test(["n1", "n2", "n3"], learners: ["n4", "n5", "n6"]))
        fixture.elect(by: ["n2", "n3"])
        for peer: NodeID in ["n2", "n3", "n4", "n5", "n6"] { fixture.acknowledge(1, from: peer) }
        fixture.change(.change(promote: ["n4", "n5", "n6"], remove: ["n2", "n3"]))
        // All the new ones, and of the old ones only n1.
        for peer: NodeID in ["n4", "n5", "n6"] { fixture.acknowledge(2, from: peer) }
        #expect(fixture.core.commitIndex == 1)
        var other = Self.inJointPhase()
        // All the old ones but n2, and of the new ones only n1.
        other.acknowledge(2, from: "n3")
        #expect(other.core.commitIndex == 1)
        other.acknowledge(2, from: "n4")
        #expect(other.core.commitIndex == 2)
        fixture.acknowledge(2, from: "n3")
        #expect(fixture.core.commitIndex == 2)
    }

    @Test("So does an election (section 6)") func electionInJointPhase() {
        func roleAfter(preVotes: [NodeID], votes: [NodeID]) -> RoleSummary.Role {
            var fixture = Fixture(currentTerm: 1, membership: .test(["n1", "n4", "n5"], outgoing: ["n1", "n2", "n3"]))
            fixture.elapse()
            for voter in preVotes { fixture.stepAndSave(.received(.preVoteReply(.granted(1)), from: voter)) }
            for voter in votes {
                fixture.stepAndSave(
                    .received(.requestVoteReply(RequestVoteReply(term: 2, isGranted: true)), from: voter))
            }
            return fixture.core.summary.role
        }
        #expect(roleAfter(preVotes: ["n2", "n3"], votes: []) == .preCandidate)
        #expect(roleAfter(preVotes: ["n4", "n5"], votes: []) == .preCandidate)
        #expect(roleAfter(preVotes: ["n2", "n5"], votes: []) == .candidate)
        #expect(roleAfter(preVotes: ["n2", "n5"], votes: ["n2", "n3"]) == .candidate)
        #expect(roleAfter(preVotes: ["n2", "n5"], votes: ["n4", "n5"]) == .candidate)
        #expect(roleAfter(preVotes: ["n2", "n5"], votes: ["n3", "n4"]) == .leader)
    }

    @Test("In a joint phase everyone who votes in either set is asked, and no learner (section 6)") func whoIsAsked() {
        var fixture = Fixture(
            currentTerm: 1, membership: .test(["n1", "n4"], outgoing: ["n1", "n2"], learners: ["n7"]))
        let preVotes = fixture.elapse()
        for peer: NodeID in ["n2", "n4"] { #expect(preVotes.messages(to: peer).count == 1) }
        #expect(preVotes.messages(to: "n7").isEmpty)
        fixture.stepAndSave(.received(.preVoteReply(.granted(1)), from: "n2"))
        let votes = fixture.stepAndSave(.received(.preVoteReply(.granted(1)), from: "n4"))
        #expect(Set(votes.voteRequests.keys) == ["n2", "n4"])
    }

    @Test("A yes of a learner, or of one that isn't a member, is no vote") func voteOfALearner() {
        var fixture = Fixture(currentTerm: 1, membership: .test(["n1", "n2", "n3"], learners: ["n4"]))
        fixture.elapse()
        for voter: NodeID in ["n4", "n9"] { fixture.stepAndSave(.received(.preVoteReply(.granted(1)), from: voter)) }
        #expect(fixture.core.summary.role == .preCandidate)
        fixture.stepAndSave(.received(.preVoteReply(.granted(1)), from: "n3"))
        for voter: NodeID in ["n4", "n9"] {
            fixture.stepAndSave(.received(.requestVoteReply(RequestVoteReply(term: 2, isGranted: true)), from: voter))
        }
        #expect(fixture.core.summary.role == .candidate)
    }

    @Test("An echo of a learner is none of a voter, and a joint phase wants both majorities (thesis 6.4)")
    func readsInJointPhase() {
        var fixture = Self.leader()
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        #expect(fixture.acknowledge(1, from: "n4", round: 1).readsReady.isEmpty)
        #expect(fixture.acknowledge(1, from: "n2", round: 1).readsReady == [ReadID(rawValue: 1)])
        fixture.change(.change(promote: ["n4"], remove: ["n3"]))
        fixture.stepAndSave(.read(ReadID(rawValue: 2)))
        #expect(fixture.acknowledge(1, from: "n3", round: 2).readsReady.isEmpty)
        #expect(fixture.acknowledge(1, from: "n4", round: 2).readsReady == [ReadID(rawValue: 2)])
    }

    @Test("A leader that one of the two majorities doesn't answer steps down (thesis 6.2; faults 10)")
    func checkQuorum() {
        func roleAfter(_ heard: [NodeID]) -> RoleSummary.Role {
            var fixture = Self.inJointPhase()
            for _ in 0..<30 {
                fixture.elapse()
                for peer in heard { fixture.acknowledge(1, from: peer) }
            }
            return fixture.core.summary.role
        }
        #expect(roleAfter(["n3"]) != .leader)
        #expect(roleAfter(["n4"]) != .leader)
        #expect(roleAfter(["n2"]) == .leader)
        #expect(roleAfter(["n3", "n4"]) == .leader)
    }

    // MARK: One at a time

    @Test("A second change waits until the first is committed (section 6; faults 37)") func oneAtATime() {
        var fixture = Self.leader()
        fixture.change(.addLearners([.test("n5")]))
        for change in [MembershipChange.addLearners([.test("n6")]), .change(promote: ["n4"], remove: [])] {
            #expect(fixture.change(change).membershipProblems == [.changeUnderWay])
        }
        fixture.acknowledge(2, from: "n2")
        #expect(fixture.change(.addLearners([.test("n6")])).membershipProblems.isEmpty)
    }

    @Test("Nor may two come in one turn") func twoInOneTurn() {
        var fixture = Self.leader()
        let effects = fixture.stepAndSave(
            .changeMembership(ProposalID(rawValue: 1), .addLearners([.test("n5")])),
            .changeMembership(ProposalID(rawValue: 2), .addLearners([.test("n6")])))
        #expect(effects.contains(.proposalAppended(ProposalID(rawValue: 1), first: 2, term: 1)))
        #expect(effects.contains(.membershipRefused(ProposalID(rawValue: 2), .changeUnderWay)))
    }

    @Test("The end of a joint phase is a change as well") func endIsAChange() {
        var fixture = Self.inJointPhase()
        fixture.acknowledge(2, from: "n2")
        #expect(fixture.change(.addLearners([.test("n5")])).membershipProblems == [.changeUnderWay])
        fixture.acknowledge(3, from: "n2")
        #expect(fixture.change(.addLearners([.test("n5")])).membershipProblems.isEmpty)
    }

    @Test("A leader changes nothing before an entry of its own term is committed (Ongaro's note; faults 37)")
    func ownEntryFirst() {
        var fixture = Fixture()
        fixture.elect()
        let early = fixture.change(.addLearners([.test("n4")]))
        #expect(early.membershipProblems == [.notLeader(leaderID: nil)])
        fixture.acknowledge(1, from: "n2")
        #expect(fixture.change(.addLearners([.test("n4")])).membershipProblems.isEmpty)
    }

    @Test("Who doesn't lead says who does") func notLeader() {
        var fixture = Fixture()
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        let effects = fixture.change(.addLearners([.test("n4")]))
        #expect(effects == [.membershipRefused(ProposalID(rawValue: 9), .notLeader(leaderID: "n2"))])
    }

    @Test("What the value refuses is refused with its reason, and nothing is appended") func valueRefuses() {
        var fixture = Self.leader()
        #expect(fixture.change(.change(promote: ["n9"], remove: [])).membershipProblems == [.notMember("n9")])
        #expect(fixture.change(.goBack).membershipProblems == [.notJoint])
        #expect(fixture.core.lastIndex == 1)
    }

    @Test("A learner becomes a voter when its log has caught up (thesis 4.2.1)") func caughtUp() {
        var fixture = Fixture(membership: .test(["n1", "n2"], learners: ["n3"])) { $0.promotionLag = 2 }
        fixture.elect()
        for peer: NodeID in ["n2", "n3"] { fixture.acknowledge(1, from: peer) }
        fixture.propose(3)
        let promotion = MembershipChange.change(promote: ["n3"], remove: [])
        #expect(fixture.change(promotion).membershipProblems == [.behind("n3", matchIndex: 1, lastIndex: 4)])
        fixture.acknowledge(2, from: "n3")
        #expect(fixture.change(promotion).membershipProblems.isEmpty)
    }

    @Test("A learner that never answered, or answers no more, isn't promoted, however short the log (thesis 4.2.1)")
    func silentLearner() {
        var fixture = Self.leader(.three)
        fixture.change(.addLearners([.test("n4")]))
        fixture.acknowledge(2, from: "n2")
        let promotion = MembershipChange.change(promote: ["n4"], remove: [])
        #expect(fixture.change(promotion).membershipProblems == [.behind("n4", matchIndex: 0, lastIndex: 2)])
        fixture.acknowledge(2, from: "n4")
        fixture.advance(milliseconds: 301)
        fixture.acknowledge(2, from: "n2")
        #expect(fixture.change(promotion).membershipProblems == [.behind("n4", matchIndex: 2, lastIndex: 2)])
        fixture.acknowledge(2, from: "n4")
        #expect(fixture.change(promotion).membershipProblems.isEmpty)
    }

    @Test("A change isn't begun that those who answer couldn't commit (section 6; faults 37)") func silentMajority() {
        var fixture = Self.leader(.three)
        fixture.advance(milliseconds: 301)
        fixture.acknowledge(1, from: "n2")
        // n3 is silent: without n2, the leader would be one of two.
        let wrong = fixture.change(.change(promote: [], remove: ["n2"]))
        #expect(wrong.membershipProblems == [.majoritySilent])
        #expect(fixture.core.lastIndex == 1)
        #expect(fixture.change(.change(promote: [], remove: ["n3"])).membershipProblems.isEmpty)
    }

    @Test(
        "What the codec couldn't read back is never written (faults 25)",
        arguments: [
            Member.test(""), .test(NodeID(rawValue: String(repeating: "n", count: NodeID.maximumLength + 1))),
            Member(nodeID: "n4", storageID: .unknown, peerAddress: String(repeating: "a", count: 261)),
            Member(nodeID: "n4", storageID: .unknown, clientAddress: String(repeating: "ä", count: 131)),
        ])
    func unreadable(member: Member) {
        var fixture = Self.leader(.three)
        let effects = fixture.change(.addLearners([.test("n5"), member]))
        #expect(effects.membershipProblems == [.malformed(member.nodeID)])
        #expect(fixture.core.lastIndex == 1)
        #expect(fixture.core.membership == .three)
    }

    // MARK: Going back

    @Test("A joint phase whose new voters don't come may be left backwards (section 6)") func goBack() {
        var fixture = Self.inJointPhase()
        let effects = fixture.change(.goBack)
        #expect(effects.membershipProblems.isEmpty)
        #expect(fixture.core.membership == .test(["n1", "n2", "n3"], learners: ["n4"]))
        // The old majority alone.
        fixture.acknowledge(3, from: "n3")
        #expect(fixture.core.commitIndex == 3)
        #expect(fixture.core.isMembershipSettled)
        #expect(fixture.core.lastIndex == 3)
        #expect(fixture.core.matchIndexes["n4"] == 1)
    }

    @Test("Not once the new voters decide alone") func tooLateToGoBack() {
        var fixture = Self.inJointPhase()
        fixture.acknowledge(2, from: "n2")
        #expect(fixture.change(.goBack).membershipProblems == [.notJoint])
    }

    // MARK: Leaving

    /// Leads n2 and n3 without a vote of its own; the entry that says so, 3, is on its disk alone.
    private static func leaving() -> Fixture {
        var fixture = Self.leader(.three)
        fixture.change(.change(promote: [], remove: ["n1"]))
        fixture.acknowledge(2, from: "n3")
        fixture.acknowledge(2, from: "n2")
        return fixture
    }

    @Test("A leader that loses its vote goes on until that is committed, then lets a voter take over (thesis 4.2.2)")
    func leaderLeaves() {
        var fixture = Self.leaving()
        #expect(fixture.core.membership == .test(["n2", "n3"]))
        #expect(fixture.core.lastIndex == 3)
        // Its own disk doesn't count any more, and n3's alone is no majority of two.
        fixture.acknowledge(3, from: "n3")
        #expect(fixture.core.commitIndex == 2)
        #expect(fixture.core.summary.role == .leader)
        let effects = fixture.acknowledge(3, from: "n2")
        #expect(fixture.core.commitIndex == 3)
        #expect(effects.appliedIndexes == [3])
        #expect(effects.toldToStand.count == 1)
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: nil))
    }

    @Test("Who has left asks nobody for a vote, and gives way to whoever asks for one (thesis 4.2.3; faults 9)")
    func leftIsSilent() {
        var fixture = Self.leaving()
        for peer: NodeID in ["n2", "n3"] { fixture.acknowledge(3, from: peer) }
        let vote = fixture.stepAndSave(.received(.preVote(.test(2, lastIndex: 3, lastTerm: 1)), from: "n2"))
        #expect(vote.preVoteReplies.map(\.isGranted) == [true])
        for _ in 0..<10 { #expect(fixture.elapse().messages().isEmpty) }
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: nil))
    }

    @Test("Who loses its vote may be the only one that knows: until that is committed it still stands (thesis 4.2.2)")
    func leaverStandsAgain() {
        var fixture = Self.leaving()
        fixture.stepAndSave(
            .received(.appendEntriesReply(.init(term: 2, outcome: .staleTerm, readRound: 0)), from: "n2"))
        #expect(fixture.core.summary.role == .follower)
        // n2 and n3 know of the joint phase, in which they need this node, whose log is longer than theirs.
        let request = VoteRequest.test(3, lastIndex: 2, lastTerm: 1)
        fixture.advance(milliseconds: 149)
        let refused = fixture.stepAndSave(.received(.preVote(request), from: "n2"))
        #expect(refused.preVoteReplies.map(\.isGranted) == [false])
        // Its own vote doesn't count: of n2 and n3 it needs both.
        fixture.elapse()
        fixture.stepAndSave(.received(.preVoteReply(.granted(2)), from: "n2"))
        #expect(fixture.core.summary.role == .preCandidate)
        fixture.elect(by: ["n2", "n3"])
        #expect(fixture.core.summary.role == .leader)
        fixture.acknowledge(4, from: "n2")
        let effects = fixture.acknowledge(4, from: "n3")
        #expect(effects.toldToStand.count == 1)
        #expect(fixture.core.summary.role == .follower)
        for _ in 0..<5 { #expect(fixture.elapse().messages().isEmpty) }
    }

    @Test("Reads that wait at a leader that leaves are refused") func leaverRefusesReads() {
        var fixture = Self.leaving()
        fixture.stepAndSave(.read(ReadID(rawValue: 5)))
        fixture.acknowledge(3, from: "n2")
        let effects = fixture.acknowledge(3, from: "n3")
        #expect(effects.contains(.readRefused(ReadID(rawValue: 5), leaderID: nil)))
    }

    @Test("A leader without a vote isn't its own majority for reads or for its office (thesis 4.2.2, 6.2)")
    func leavingLeaderCountsOthers() {
        var fixture = Self.leaving()
        fixture.stepAndSave(.read(ReadID(rawValue: 5)))
        #expect(fixture.acknowledge(2, from: "n2", round: 1).readsReady.isEmpty)
        #expect(fixture.acknowledge(2, from: "n3", round: 1).readsReady == [ReadID(rawValue: 5)])
        for _ in 0..<30 {
            fixture.elapse()
            fixture.acknowledge(2, from: "n2")
        }
        #expect(fixture.core.summary.role != .leader)
    }

    @Test("What a removed node says is not counted (faults 9, 37)") func removedNode() {
        var fixture = Self.inJointPhase()
        fixture.acknowledge(2, from: "n2")
        fixture.propose()
        fixture.acknowledge(4, from: "n3")
        #expect(fixture.core.commitIndex == 2)
        #expect(fixture.core.matchIndexes.keys.sorted() == ["n2", "n4"])
        #expect(fixture.elapse().messages(to: "n3").isEmpty)
        fixture.advance(milliseconds: 100)
        let request = VoteRequest.test(9, lastIndex: 99, lastTerm: 8)
        fixture.stepAndSave(.received(.preVote(request), from: "n3"), .received(.requestVote(request), from: "n3"))
        #expect(fixture.core.summary == RoleSummary(role: .leader, term: 1, leaderID: "n1"))
    }

    @Test("A leader keeps what it knows of those that stay") func progressStays() {
        var fixture = Self.leader(.test(["n1", "n2", "n4"], learners: ["n3", "n5"]))
        fixture.propose(4)
        for (peer, index) in [("n2", 5), ("n3", 4), ("n4", 3), ("n5", 2)] as [(NodeID, UInt64)] {
            fixture.acknowledge(index, from: peer)
        }
        fixture.change(.change(promote: [], remove: ["n3"]))
        #expect(fixture.core.matchIndexes == ["n2": 5, "n4": 3, "n5": 2])
        fixture.acknowledge(6, from: "n2")
        fixture.change(.addLearners([.test("n3")]))
        #expect(fixture.core.matchIndexes == ["n2": 6, "n3": 0, "n4": 3, "n5": 2])
    }

    @Test("A new leader ends the joint phase that it finds, once it has committed an entry of its own (section 6)")
    func inheritedJointPhase() {
        var fixture = Fixture(currentTerm: 1, terms: [1], more: [.test(2, term: 1, Self.joint)], applied: 2)
        #expect(!fixture.core.isMembershipSettled)
        fixture.elect(by: ["n2"])
        #expect(fixture.core.membership == Self.joint)
        #expect(fixture.core.lastIndex == 3)
        fixture.acknowledge(3, from: "n2")
        #expect(fixture.core.membership == Self.joint.ending)
        #expect(fixture.core.lastIndex == 4)
    }

    @Test("Also one that a snapshot brought") func jointPhaseOfASnapshot() {
        var fixture = Fixture(currentTerm: 1, base: .test(7, term: 1), membership: Self.joint)
        fixture.elect(by: ["n2"])
        fixture.acknowledge(8, from: "n2")
        #expect(fixture.core.membership == Self.joint.ending)
    }

    @Test("The entries of a change count as bytes that wait like any others") func uncommittedBytes() {
        var fixture = Fixture { $0.maximumUncommittedBytes = 200 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        func isRefused(_ effects: [RaftEffect]) -> Bool {
            effects.contains { if case .proposalRefused = $0 { true } else { false } }
        }
        for round in 0..<5 as Range<UInt64> {
            fixture.change(.addLearners([.test(NodeID(rawValue: "m\(round)"))]))
            #expect(isRefused(fixture.propose(bytes: 199)))
            fixture.acknowledge(fixture.core.lastIndex.rawValue, from: "n2")
        }
        #expect(!isRefused(fixture.propose(bytes: 199)))
        #expect(isRefused(fixture.propose(bytes: 2)))
    }

    // MARK: One node and many

    @Test("A single node grows to three and back to one") func growAndShrink() {
        var fixture = Fixture(size: 1)
        fixture.elapse()
        fixture.save()
        #expect(fixture.core.commitIndex == 1)
        fixture.change(.addLearners([.test("n2"), .test("n3")]))
        #expect(fixture.core.commitIndex == 2)
        for peer: NodeID in ["n2", "n3"] { fixture.acknowledge(2, from: peer) }
        fixture.change(.change(promote: ["n2", "n3"], remove: []))
        #expect(fixture.core.commitIndex == 2)
        fixture.acknowledge(3, from: "n3")
        #expect(fixture.core.commitIndex == 3)
        fixture.acknowledge(4, from: "n3")
        #expect(fixture.core.isMembershipSettled)
        fixture.acknowledge(4, from: "n2")
        fixture.change(.change(promote: [], remove: ["n2", "n3"]))
        fixture.acknowledge(5, from: "n2")
        #expect(fixture.core.commitIndex == 6)
        #expect(fixture.core.membership == .test(["n1"]))
        #expect(fixture.core.isMembershipSettled)
        #expect(fixture.stepAndSave(.read(ReadID(rawValue: 1))).readsReady == [ReadID(rawValue: 1)])
    }
}
