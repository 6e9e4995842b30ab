// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

/// Each of these fails when one small rule of the election is left out.
@Suite("Rules of the election, one by one") struct ElectionRuleTests {
    private static func vote(_ term: Term, _ isGranted: Bool, from voter: NodeID) -> RaftInput {
        .received(.requestVoteReply(RequestVoteReply(term: term, isGranted: isGranted)), from: voter)
    }

    private static func preVote(_ term: Term, for candidacy: Term, _ isGranted: Bool, from voter: NodeID) -> RaftInput {
        .received(
            .preVoteReply(PreVoteReply(term: term, candidacyTerm: candidacy, isGranted: isGranted)), from: voter)
    }

    private static let shortestTimeout = 150 * Fixture.millisecond

    // MARK: The candidate

    @Test("A refused vote doesn't count (5.2)") func refusedVote() {
        var fixture = Fixture()
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(0, for: 1, true, from: "n2"))
        fixture.stepAndSave(Self.vote(1, false, from: "n2"), Self.vote(1, false, from: "n3"))
        #expect(fixture.core.summary.role == .candidate)
    }

    @Test("A refused PreVote doesn't count (thesis 9.6)") func refusedPreVote() {
        var fixture = Fixture(currentTerm: 4)
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(4, for: 5, false, from: "n2"), Self.preVote(4, for: 5, false, from: "n3"))
        #expect(fixture.core.summary == RoleSummary(role: .preCandidate, term: 4, leaderID: nil))
    }

    @Test("A PreVote for an earlier candidacy doesn't count (thesis 9.6)") func earlierCandidacy() {
        var fixture = Fixture(currentTerm: 4)
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(3, for: 4, true, from: "n2"))
        #expect(fixture.core.summary == RoleSummary(role: .preCandidate, term: 4, leaderID: nil))
    }

    @Test("The PreVotes of a round that failed don't count in the next (thesis 9.6)") func earlierRound() {
        var fixture = Fixture(size: 5)
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(0, for: 1, true, from: "n2"))
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(0, for: 1, true, from: "n3"))
        #expect(fixture.core.summary == RoleSummary(role: .preCandidate, term: 0, leaderID: nil))
    }

    @Test("A higher term in an answer ends a candidacy (5.1)") func higherTerm() {
        let follower = RoleSummary(role: .follower, term: 9, leaderID: nil)
        var fixture = Fixture()
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(9, for: 1, false, from: "n2"))
        #expect(fixture.core.summary == follower)
        fixture = Fixture()
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(0, for: 1, true, from: "n2"))
        fixture.stepAndSave(Self.vote(9, false, from: "n2"))
        #expect(fixture.core.summary == follower)
    }

    @Test("A candidacy is saved also when the last vote was for itself too (faults 3)") func secondCandidacy() {
        var fixture = Fixture(currentTerm: 4, votedFor: "n1")
        fixture.elapse()
        let effects = fixture.step(Self.preVote(4, for: 5, true, from: "n2"))
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 5, votedFor: "n1")])
    }

    @Test("A candidate whose disk fills up doesn't win any more (faults 43)") func diskFull() {
        var fixture = Fixture()
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(0, for: 1, true, from: "n2"))
        #expect(fixture.core.summary.role == .candidate)
        fixture.step(.diskFull(true))
        fixture.stepAndSave(Self.vote(1, true, from: "n2"))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: nil))
    }

    @Test(
        "A lone voter leads once its term and vote are on disk, or its learners might see two leaders of one term",
        arguments: [[], ["n2"]] as [[NodeID]])
    func loneVoter(learners: [NodeID]) {
        var fixture = Fixture(currentTerm: 3, membership: .test(["n1"], learners: learners), terms: [3])
        fixture.advance(milliseconds: 300)
        let stands = fixture.step()
        #expect(stands.batches.map(\.hardState) == [HardState(currentTerm: 4, votedFor: "n1")])
        #expect(stands.messages().isEmpty)
        #expect(fixture.core.summary.role == .candidate)
        #expect(fixture.step(.propose(ProposalID(rawValue: 1), payloads: [[1]])).messages().isEmpty)
        let leads = fixture.save()
        #expect(fixture.core.summary == RoleSummary(role: .leader, term: 4, leaderID: "n1"))
        #expect(leads.appends(to: "n2").map(\.prevLogIndex) == learners.map { _ in 1 })
    }

    // MARK: The voter

    @Test("A request of an earlier term gets no vote (figure 2, RequestVote, step 1)") func earlierTerm() {
        var fixture = Fixture(currentTerm: 5)
        fixture.advance(milliseconds: 200)
        let effects = fixture.stepAndSave(.received(.requestVote(.test(3)), from: "n2"))
        #expect(effects.voteReplies == [RequestVoteReply(term: 5, isGranted: false)])
        #expect(fixture.core.votedFor == nil)
    }

    @Test("A new term brings a new vote (5.2; faults 4)") func newTermNewVote() {
        var fixture = Fixture(currentTerm: 1, votedFor: "n2")
        let effects = fixture.stepAndSave(.received(.requestVote(.test(2, isTransfer: true)), from: "n3"))
        #expect(effects.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
    }

    @Test("A vote in the current term is saved (figure 2; faults 1)") func voteInCurrentTerm() {
        var fixture = Fixture(currentTerm: 1)
        let effects = fixture.step(.received(.requestVote(.test(1)), from: "n2"))
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 1, votedFor: "n2")])
        #expect(effects.voteReplies.isEmpty)
    }

    @Test("A term that a heartbeat brings is saved (figure 2; faults 3)") func termOfHeartbeat() {
        var fixture = Fixture(currentTerm: 1)
        let effects = fixture.step(.received(AppendEntries.test(term: 2), from: "n2"))
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 2, votedFor: nil)])
    }

    @Test("A granted PreVote changes neither term nor vote nor timer (thesis 9.6)") func preVotePromisesNothing() {
        var fixture = Fixture(currentTerm: 1)
        let deadline = fixture.core.nextDeadline
        fixture.advance(milliseconds: 10)
        let effects = fixture.stepAndSave(.received(.preVote(.test(2, isTransfer: true)), from: "n2"))
        #expect(effects.preVoteReplies == [.granted(1)])
        #expect(effects.batches.isEmpty)
        #expect(fixture.core.votedFor == nil)
        #expect(fixture.core.currentTerm == 1)
        #expect(fixture.core.nextDeadline == deadline)
    }

    @Test("A PreVote for a term that is reached already is refused (thesis 9.6)", arguments: [4, 5] as [UInt64])
    func preVoteForPastTerm(term: UInt64) {
        var fixture = Fixture(currentTerm: 5)
        let effects = fixture.stepAndSave(.received(.preVote(.test(term, isTransfer: true)), from: "n2"))
        #expect(effects.preVoteReplies.map(\.isGranted) == [false])
    }

    @Test(
        "A granted vote restarts the election timer, a refused one doesn't (5.2)",
        arguments: 1...20 as ClosedRange<UInt64>)
    func timerOfVoter(seed: UInt64) {
        var granting = Fixture(currentTerm: 1, seed: seed)
        granting.advance(milliseconds: 140)
        granting.stepAndSave(.received(.requestVote(.test(1)), from: "n2"))
        #expect(granting.core.votedFor == "n2")
        #expect(granting.core.nextDeadline.nanoseconds(since: granting.now) >= Self.shortestTimeout)
        var refusing = Fixture(currentTerm: 1, votedFor: "n2", seed: seed)
        let deadline = refusing.core.nextDeadline
        refusing.advance(milliseconds: 140)
        refusing.stepAndSave(.received(.requestVote(.test(1)), from: "n3"))
        #expect(refusing.core.nextDeadline == deadline)
    }

    // MARK: Whom a voter protects

    @Test("A node that comes back protects a leader that it may have heard a moment ago (thesis 4.2.3; faults 12)")
    func restartProtects() {
        var fixture = Fixture(currentTerm: 1)
        fixture.advance(milliseconds: 149)
        let early = fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3"))
        #expect(early.preVoteReplies.map(\.isGranted) == [false])
        fixture.advance(milliseconds: 1)
        let late = fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3"))
        #expect(late.preVoteReplies.map(\.isGranted) == [true])
    }

    @Test("Each word of the leader protects it anew (thesis 4.2.3)") func everyContactProtects() {
        var fixture = Fixture(currentTerm: 1)
        fixture.advance(milliseconds: 1_000)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.advance(milliseconds: 100)
        let effects = fixture.stepAndSave(.received(.requestVote(.test(2)), from: "n3"))
        #expect(effects.voteReplies == [RequestVoteReply(term: 1, isGranted: false)])
    }

    @Test("A leader votes for nobody while it leads (thesis 6.2; faults 9)") func leaderRefuses() {
        var fixture = Fixture()
        fixture.elect()
        fixture.advance(milliseconds: 200)
        let request = VoteRequest.test(2, lastIndex: 9, lastTerm: 1)
        let preVote = fixture.stepAndSave(.received(.preVote(request), from: "n3"))
        #expect(preVote.preVoteReplies.map(\.isGranted) == [false])
        let vote = fixture.stepAndSave(.received(.requestVote(request), from: "n3"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 1, isGranted: false)])
        #expect(fixture.core.summary == RoleSummary(role: .leader, term: 1, leaderID: "n1"))
    }

    @Test("That a leader's process was gone says nothing about the next term") func goneInOneTerm() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.step(.peerDisconnected("n2", isRefused: true))
        let vote = fixture.stepAndSave(.received(.requestVote(.test(2)), from: "n3"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
        let next = fixture.stepAndSave(.received(.preVote(.test(3)), from: "n2"))
        #expect(next.preVoteReplies.map(\.isGranted) == [false])
    }

    @Test("Who won because the old leader was gone protects itself like any leader (faults 9)") func successorRefuses()
    {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.step(.peerDisconnected("n2", isRefused: true))
        fixture.elapse()
        fixture.stepAndSave(Self.preVote(1, for: 2, true, from: "n3"))
        fixture.stepAndSave(Self.vote(2, true, from: "n3"))
        let effects = fixture.stepAndSave(.received(.requestVote(.test(3, lastIndex: 9, lastTerm: 2)), from: "n2"))
        #expect(effects.voteReplies == [RequestVoteReply(term: 2, isGranted: false)])
        #expect(fixture.core.summary == RoleSummary(role: .leader, term: 2, leaderID: "n1"))
    }

    @Test("While the old leader's process is gone, the next attempt comes soon") func soonAgain() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.step(.peerDisconnected("n2", isRefused: true))
        for _ in 0..<5 {
            #expect(!fixture.elapse().messages().isEmpty)
            #expect(fixture.core.nextDeadline.nanoseconds(since: fixture.now) <= 75 * Fixture.millisecond)
        }
    }

    // MARK: Stepping down

    @Test("A leader whose disk fills up refuses the reads that wait (faults 43)") func fullDiskRefusesReads() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        let effects = fixture.step(.diskFull(true))
        #expect(effects.contains(.readRefused(ReadID(rawValue: 1), leaderID: nil)))
    }

    @Test("The driver is told of a new leader and a new term, the role being the same") func newLeaderIsTold() {
        var fixture = Fixture(currentTerm: 1)
        fixture.step()
        let heard = fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        #expect(heard.contains(.roleChanged(RoleSummary(role: .follower, term: 1, leaderID: "n2"))))
        let next = fixture.stepAndSave(.received(AppendEntries.test(term: 2), from: "n3"))
        #expect(next.contains(.roleChanged(RoleSummary(role: .follower, term: 2, leaderID: "n3"))))
    }

    @Test("A leader that lost its majority votes for another one at once (faults 10)") func deposedLeaderVotes() {
        var fixture = Fixture()
        fixture.elect()
        for _ in 0..<100 where fixture.core.summary.role == .leader { fixture.elapse() }
        #expect(fixture.core.summary.role == .follower)
        let effects = fixture.stepAndSave(.received(.preVote(.test(2, lastIndex: 1, lastTerm: 1)), from: "n3"))
        #expect(effects.preVoteReplies.map(\.isGranted) == [true])
    }

    @Test("A leader that lost its majority refuses the reads that wait (faults 10, 18)") func deposedLeaderRefuses() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        fixture.stepAndSave(.read(ReadID(rawValue: 2)))
        var effects: [RaftEffect] = []
        for _ in 0..<100 where fixture.core.summary.role == .leader { effects += fixture.elapse() }
        #expect(effects.contains(.readRefused(ReadID(rawValue: 1), leaderID: nil)))
        #expect(effects.contains(.readRefused(ReadID(rawValue: 2), leaderID: nil)))
    }

    @Test("A rejection is an answer, too: who rejects is there (thesis 6.2)") func rejectionIsContact() {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1])
        fixture.elect()
        for _ in 0..<50 {
            fixture.elapse()
            let reply = AppendEntriesReply(
                term: 2, outcome: .conflict(rejectedIndex: 2, conflictTerm: nil, conflictIndex: 1), readRound: 0)
            fixture.stepAndSave(.received(.appendEntriesReply(reply), from: "n3"))
        }
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("Who steps down for a higher term waits a whole timeout (5.2)", arguments: 1...20 as ClosedRange<UInt64>)
    func timerOfDeposedLeader(seed: UInt64) {
        var fixture = Fixture(seed: seed)
        fixture.elect()
        fixture.advance(milliseconds: 140)
        let reply = AppendEntriesReply(term: 9, outcome: .staleTerm, readRound: 0)
        fixture.stepAndSave(.received(.appendEntriesReply(reply), from: "n2"))
        #expect(fixture.core.nextDeadline.nanoseconds(since: fixture.now) >= Self.shortestTimeout)
    }

    @Test("A clock that goes back moves no deadline") func clockGoesBack() {
        func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * Fixture.millisecond) }
        var core = RaftCore(
            configuration: RaftConfiguration(nodeID: "n1", voters: ["n1", "n2", "n3"]), recovered: .empty,
            appliedIndex: .zero, seed: 1, now: at(1_000))
        let heartbeat = RaftInput.received(AppendEntries.test(term: 1), from: "n2")
        _ = core.step([heartbeat], now: at(2_000))
        _ = core.step([heartbeat], now: at(500))
        #expect(core.nextDeadline >= at(2_150))
    }
}
