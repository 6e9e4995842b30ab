// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Leadership transfer, the leader (thesis 3.10)") struct LeadershipTransferTests {
    /// Leads term 1 with two entries; n2 has both, n3 one.
    private static func leader() -> Fixture {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.acknowledge(1, from: "n3")
        fixture.propose()
        fixture.acknowledge(2, from: "n2")
        return fixture
    }

    @Test("A successor that has the whole log is told to stand at once") func toldAtOnce() {
        var fixture = Self.leader()
        let effects = fixture.stepAndSave(.transferLeadership(to: "n2"))
        #expect(effects.contains(.send(.timeoutNow(TimeoutNow(term: 1)), to: "n2")))
        #expect(effects.toldToStand == ["n2"])
    }

    @Test("One that lacks entries is brought to the log's end first, and told once") func broughtUpFirst() {
        var fixture = Self.leader()
        #expect(fixture.stepAndSave(.transferLeadership(to: "n3")).toldToStand.isEmpty)
        #expect(fixture.acknowledge(2, from: "n3").toldToStand == ["n3"])
        #expect(fixture.acknowledge(2, from: "n3").toldToStand.isEmpty)
        #expect(fixture.elapse().toldToStand.isEmpty)
    }

    @Test("Meanwhile nothing new is taken, and the successor is named") func takesNothing() {
        var fixture = Self.leader()
        fixture.stepAndSave(.transferLeadership(to: "n3"))
        let effects = fixture.propose()
        #expect(effects == [.proposalRefused(ProposalID(rawValue: 1), leaderID: "n3")])
        #expect(fixture.change(.addLearners([.test("n4")])).membershipProblems == [.notLeader(leaderID: nil)])
        #expect(fixture.core.lastIndex == 2)
    }

    @Test("Without a target the voter with the longest log takes over, if it was heard of late") func bestPlaced() {
        var fixture = Self.leader()
        #expect(fixture.stepAndSave(.transferLeadership(to: nil)).toldToStand == ["n2"])
        var other = Self.leader()
        other.advance(milliseconds: 299)
        other.acknowledge(1, from: "n3")
        other.advance(milliseconds: 2)
        other.stepAndSave(.transferLeadership(to: nil))
        #expect(other.propose() == [.proposalRefused(ProposalID(rawValue: 1), leaderID: "n3")])
    }

    @Test("Not a learner, a stranger or the leader itself", arguments: ["n1", "n4", "n9"] as [NodeID])
    func notToThese(target: NodeID) {
        var fixture = Fixture(membership: .test(["n1", "n2"], learners: ["n4"]))
        fixture.elect()
        for peer: NodeID in ["n2", "n4"] { fixture.acknowledge(1, from: peer) }
        #expect(fixture.stepAndSave(.transferLeadership(to: target)).isEmpty)
        #expect(fixture.propose().contains(.proposalAppended(ProposalID(rawValue: 1), first: 2, term: 1)))
    }

    @Test("Nobody takes over from a leader that is alone, or from one that doesn't lead") func nobody() {
        var alone = Fixture(size: 1)
        alone.elapse()
        alone.save()
        #expect(alone.stepAndSave(.transferLeadership(to: nil)).isEmpty)
        #expect(alone.propose().contains(.proposalAppended(ProposalID(rawValue: 1), first: 2, term: 1)))
        var follower = Fixture()
        follower.step()
        #expect(follower.stepAndSave(.transferLeadership(to: "n2")).isEmpty)
    }

    @Test("If the successor doesn't win within an election timeout, the leader goes on as before") func givesUp() {
        var fixture = Self.leader()
        fixture.stepAndSave(.transferLeadership(to: "n3"))
        let start = fixture.now
        while fixture.now.nanoseconds(since: start) < 300 * Fixture.millisecond {
            #expect(fixture.core.nextDeadline.nanoseconds(since: start) <= 300 * Fixture.millisecond)
            #expect(fixture.propose() == [.proposalRefused(ProposalID(rawValue: 1), leaderID: "n3")])
            fixture.elapse()
            fixture.acknowledge(2, from: "n2")
        }
        #expect(fixture.propose().contains(.proposalAppended(ProposalID(rawValue: 1), first: 3, term: 1)))
        // What the successor acknowledges afterwards brings nothing more.
        #expect(fixture.acknowledge(3, from: "n3").toldToStand.isEmpty)
        #expect(fixture.stepAndSave(.transferLeadership(to: "n3")).toldToStand == ["n3"])
    }

    @Test("The time it may take is awaited, and a second wish doesn't lengthen it") func deadline() {
        var fixture = Fixture {
            $0.heartbeatInterval = 10_000 * Fixture.millisecond
            $0.electionTimeout = 150 * Fixture.millisecond...300 * Fixture.millisecond
        }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        // The quorum is asked for once, and again with the heartbeat that is far away.
        fixture.advance(milliseconds: 300)
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(.transferLeadership(to: "n3"))
        let deadline = fixture.core.nextDeadline
        #expect(deadline.nanoseconds(since: fixture.now) == 300 * Fixture.millisecond)
        fixture.advance(milliseconds: 100)
        fixture.stepAndSave(.transferLeadership(to: "n2"))
        #expect(fixture.core.nextDeadline == deadline)
        #expect(fixture.propose() == [.proposalRefused(ProposalID(rawValue: 1), leaderID: "n3")])
    }

    @Test("A successor that is removed meanwhile is none") func removedMeanwhile() {
        var fixture = Fixture()
        fixture.elect()
        for peer: NodeID in ["n2", "n3"] { fixture.acknowledge(1, from: peer) }
        fixture.change(.change(promote: [], remove: ["n3"]))
        fixture.stepAndSave(.transferLeadership(to: "n3"))
        let effects = fixture.acknowledge(2, from: "n2")
        #expect(fixture.core.membership == .test(["n1", "n2"]))
        #expect(effects.toldToStand.isEmpty)
        #expect(fixture.propose().contains(.proposalAppended(ProposalID(rawValue: 1), first: 4, term: 1)))
    }

    @Test("It gives way to the successor's term, and the reads that wait are refused") func givesWay() {
        var fixture = Self.leader()
        fixture.stepAndSave(.transferLeadership(to: "n2"))
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        let effects = fixture.stepAndSave(
            .received(.requestVote(.test(2, lastIndex: 2, lastTerm: 1, isTransfer: true)), from: "n2"))
        #expect(effects.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
        #expect(effects.contains(.readRefused(ReadID(rawValue: 1), leaderID: nil)))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 2, leaderID: nil))
    }

    @Test("A leader whose disk is full lets the best placed voter stand (faults 43)") func diskFull() {
        var fixture = Self.leader()
        let effects = fixture.step(.diskFull(true))
        #expect(effects.toldToStand == ["n2"])
        #expect(fixture.step(.diskFull(true)).toldToStand.isEmpty)
    }
}

@Suite("Leadership transfer, the successor (thesis 3.10)") struct LeadershipSuccessorTests {
    private static let timeoutNow = Message.timeoutNow(TimeoutNow(term: 1))

    /// Follows n2 in term 1 with one entry.
    private static func follower(_ membership: Membership? = nil) -> Fixture {
        var fixture = Fixture(currentTerm: 1, membership: membership, terms: [1])
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 1, of: 1), from: "n2"))
        return fixture
    }

    @Test("It stands at once, without PreVote, with the mark that nobody need protect the leader (thesis 4.2.3)")
    func standsAtOnce() {
        var fixture = Self.follower()
        let effects = fixture.step(.received(Self.timeoutNow, from: "n2"))
        // Its vote for itself is on disk first.
        #expect(effects.messages().isEmpty)
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 2, votedFor: "n1")])
        let request = VoteRequest.test(2, lastIndex: 1, lastTerm: 1, isTransfer: true)
        #expect(fixture.save().voteRequests == ["n2": request, "n3": request])
        #expect(fixture.core.summary.role == .candidate)
    }

    @Test("An election of its own carries no such mark") func noMark() {
        var fixture = Self.follower()
        fixture.elapse()
        let effects = fixture.stepAndSave(.received(.preVoteReply(.granted(1)), from: "n3"))
        #expect(effects.voteRequests.values.allSatisfy { !$0.isLeadershipTransfer })
        #expect(effects.voteRequests.count == 2)
    }

    @Test("The mark makes a voter that hears its leader vote all the same (thesis 4.2.3)") func markOpensVoters() {
        var fixture = Self.follower()
        let unmarked = fixture.stepAndSave(.received(.requestVote(.test(2, lastIndex: 1, lastTerm: 1)), from: "n3"))
        #expect(unmarked.voteReplies == [RequestVoteReply(term: 1, isGranted: false)])
        let marked = fixture.stepAndSave(
            .received(.requestVote(.test(2, lastIndex: 1, lastTerm: 1, isTransfer: true)), from: "n3"))
        #expect(marked.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
    }

    @Test(
        "Only the leader of this term says so, and once",
        arguments: [
            (TimeoutNow(term: 0), "n2"), (TimeoutNow(term: 2), "n2"), (TimeoutNow(term: 1), "n3"),
        ] as [(TimeoutNow, NodeID)])
    func onlyTheLeader(request: TimeoutNow, sender: NodeID) {
        var fixture = Self.follower()
        fixture.stepAndSave(.received(.timeoutNow(request), from: sender))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: "n2"))
    }

    @Test("A request that comes twice starts one election") func twice() {
        var fixture = Self.follower()
        fixture.stepAndSave(.received(Self.timeoutNow, from: "n2"), .received(Self.timeoutNow, from: "n2"))
        #expect(fixture.core.currentTerm == 2)
    }

    @Test("A learner, a node without room and one that installs a snapshot don't stand (faults 43)") func whoDoesNot() {
        var learner = Self.follower(.test(["n2", "n3"], learners: ["n1"]))
        learner.stepAndSave(.received(Self.timeoutNow, from: "n2"))
        #expect(learner.core.summary.role == .follower)
        var full = Self.follower()
        full.stepAndSave(.diskFull(true), .received(Self.timeoutNow, from: "n2"))
        #expect(full.core.summary.role == .follower)
        var installing = Self.follower()
        installing.stepAndSave(.snapshotReceived(.test(5, term: 1)), .received(Self.timeoutNow, from: "n2"))
        #expect(installing.core.summary.role == .follower)
        #expect(installing.core.currentTerm == 1)
    }
}
