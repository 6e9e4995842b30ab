// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Leader election (Raft paper 5.2; thesis 6.2, 9.6)") struct ElectionTests {
    @Test("A node starts as a follower (5.2)") func startsAsFollower() {
        let fixture = Fixture(currentTerm: 4)
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 4, leaderID: nil))
    }

    @Test("A follower that hears nothing asks for PreVotes in no new term, and persists nothing (thesis 9.6)")
    func preVoteFirst() {
        var fixture = Fixture(currentTerm: 4)
        let effects = fixture.elapse()
        #expect(fixture.core.summary.role == .preCandidate)
        #expect(fixture.core.currentTerm == 4)
        #expect(effects.batches.isEmpty)
        #expect(effects.messages(to: "n2") == [.preVote(.test(5))])
        #expect(effects.messages(to: "n3") == [.preVote(.test(5))])
    }

    @Test("Without a majority of PreVotes the term never grows (thesis 9.6)") func preVoteHoldsTheTerm() {
        var fixture = Fixture(size: 5, currentTerm: 4)
        for _ in 0..<20 {
            fixture.elapse()
            fixture.stepAndSave(.received(.preVoteReply(.granted(4)), from: "n2"))
        }
        #expect(fixture.core.currentTerm == 4)
    }

    @Test(
        "A candidate raises its term and votes for itself in one batch; the requests wait for the disk (5.2, figure 2)")
    func candidacyIsDurableFirst() {
        var fixture = Fixture(currentTerm: 4)
        fixture.elapse()
        let effects = fixture.step(.received(.preVoteReply(.granted(4)), from: "n3"))
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 5, votedFor: "n1")])
        #expect(effects.messages().isEmpty)
        let saved = fixture.save()
        #expect(saved.messages(to: "n2") == [.requestVote(.test(5))])
    }

    @Test("A candidate wins with a majority and not before (5.2)", arguments: [(3, 1), (4, 2), (5, 2)])
    func majority(clusterSize: Int, votesOfOthers: Int) {
        var fixture = Fixture(size: clusterSize)
        fixture.elapse()
        for peer in 2...clusterSize {
            fixture.stepAndSave(.received(.preVoteReply(.granted(0)), from: NodeID(rawValue: "n\(peer)")))
        }
        for vote in 1...votesOfOthers {
            #expect(fixture.core.summary.role == .candidate)
            fixture.stepAndSave(
                .received(
                    .requestVoteReply(RequestVoteReply(term: 1, isGranted: true)),
                    from: NodeID(rawValue: "n\(vote + 1)")))
        }
        #expect(fixture.core.summary == RoleSummary(role: .leader, term: 1, leaderID: "n1"))
    }

    @Test("One voter's vote counts once, a stranger's never (5.2)") func votesCountOnce() {
        var fixture = Fixture(size: 5)
        fixture.elapse()
        for voter: NodeID in ["n2", "n2", "n2", "x9"] {
            fixture.stepAndSave(.received(.preVoteReply(.granted(0)), from: voter))
        }
        #expect(fixture.core.summary.role == .preCandidate)
        fixture.stepAndSave(.received(.preVoteReply(.granted(0)), from: "n3"))
        for voter: NodeID in ["n2", "n2", "n2", "x9"] {
            fixture.stepAndSave(
                .received(.requestVoteReply(RequestVoteReply(term: 1, isGranted: true)), from: voter))
        }
        #expect(fixture.core.summary.role == .candidate)
    }

    @Test("A vote of an earlier term doesn't count (5.1)") func staleVote() {
        var fixture = Fixture(currentTerm: 7)
        fixture.elapse()
        fixture.stepAndSave(.received(.preVoteReply(.granted(7)), from: "n2"))
        fixture.stepAndSave(.received(.requestVoteReply(RequestVoteReply(term: 7, isGranted: true)), from: "n2"))
        #expect(fixture.core.summary.role == .candidate)
    }

    @Test("A single voter elects itself, and commits only what is on its disk (faults 26)") func singleNode() {
        var fixture = Fixture(size: 1)
        fixture.advance(milliseconds: 400)
        fixture.step()
        let elected = fixture.save()
        #expect(fixture.core.summary.role == .leader)
        #expect(elected.appliedIndexes.isEmpty)
        #expect(fixture.save().appliedIndexes == [1])
        let proposed = fixture.step(.propose(ProposalID(rawValue: 1), payloads: [[1]]))
        #expect(proposed.appliedIndexes.isEmpty)
        #expect(fixture.save().appliedIndexes == [2])
    }

    @Test("A new leader appends an entry of its own and sends it at once (8; faults 17)") func leaderStartEntry() {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1])
        let effects = fixture.elect()
        #expect(fixture.core.entry(at: 3) == Entry(index: 3, term: 2, kind: .leaderStart, payload: []))
        let first = effects.appends(to: "n2").first
        #expect(first?.entries.map(\.index) == [3])
        #expect(first?.prevLogIndex == 2)
    }

    @Test("The vote is held until it is on disk (figure 2; faults 1)") func voteWaitsForTheDisk() {
        var fixture = Fixture()
        fixture.advance(milliseconds: 200)
        let effects = fixture.step(.received(.requestVote(.test(1)), from: "n2"))
        #expect(effects.voteReplies.isEmpty)
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 1, votedFor: "n2")])
        #expect(fixture.save().voteReplies == [RequestVoteReply(term: 1, isGranted: true)])
    }

    @Test("One vote a term, and the same candidate may ask again (5.2; faults 7)") func oneVotePerTerm() {
        var fixture = Fixture()
        fixture.advance(milliseconds: 200)
        fixture.stepAndSave(.received(.requestVote(.test(1)), from: "n2"))
        let other = fixture.stepAndSave(.received(.requestVote(.test(1)), from: "n3"))
        #expect(other.voteReplies == [RequestVoteReply(term: 1, isGranted: false)])
        let again = fixture.stepAndSave(.received(.requestVote(.test(1)), from: "n2"))
        #expect(again.voteReplies == [RequestVoteReply(term: 1, isGranted: true)])
    }

    @Test("A restart remembers term and vote (figure 2; faults 2, 3)") func voteSurvivesRestart() {
        var fixture = Fixture(currentTerm: 1, votedFor: "n2")
        fixture.advance(milliseconds: 200)
        let other = fixture.stepAndSave(.received(.requestVote(.test(1)), from: "n3"))
        #expect(other.voteReplies == [RequestVoteReply(term: 1, isGranted: false)])
    }

    @Test("A heartbeat of the same term doesn't clear the vote (faults 5)") func heartbeatKeepsVote() {
        var fixture = Fixture(currentTerm: 1, votedFor: "n2")
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        #expect(fixture.core.votedFor == "n2")
    }

    @Test(
        "Only a candidate whose log is at least as up to date gets a vote (5.4.1)",
        arguments: [
            (index: 3, term: 2, isGranted: true), (index: 4, term: 2, isGranted: true),
            (index: 1, term: 3, isGranted: true),
            (index: 2, term: 2, isGranted: false), (index: 9, term: 1, isGranted: false),
        ] as [(index: UInt64, term: UInt64, isGranted: Bool)])
    func upToDate(index: UInt64, term: UInt64, isGranted: Bool) {
        var fixture = Fixture(currentTerm: 2, terms: [1, 2, 2])
        fixture.advance(milliseconds: 200)
        let request = VoteRequest.test(4, lastIndex: index, lastTerm: term)
        let preVote = fixture.stepAndSave(.received(.preVote(request), from: "n2"))
        #expect(preVote.preVoteReplies.map(\.isGranted) == [isGranted])
        let vote = fixture.stepAndSave(.received(.requestVote(request), from: "n2"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 4, isGranted: isGranted)])
    }

    @Test("A follower that hears its leader grants neither PreVote nor vote, and keeps its term (thesis 4.2.3)")
    func leaderIsProtected() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.advance(milliseconds: 149)
        #expect(
            fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3")).preVoteReplies.map(\.isGranted) == [false])
        let vote = fixture.stepAndSave(.received(.requestVote(.test(2)), from: "n3"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 1, isGranted: false)])
        #expect(fixture.core.currentTerm == 1)
        fixture.advance(milliseconds: 1)
        #expect(
            fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3")).preVoteReplies.map(\.isGranted) == [true])
    }

    @Test("The leader's own mark on a candidacy lifts its protection (thesis 4.2.3)") func transferMark() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        let vote = fixture.stepAndSave(.received(.requestVote(.test(2, isTransfer: true)), from: "n3"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
    }

    @Test("A refused connection to the leader lifts its protection and starts a PreVote within milliseconds")
    func refusedLeader() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.step(.peerDisconnected("n2", isRefused: true))
        #expect(fixture.core.nextDeadline.nanoseconds(since: fixture.now) <= 12 * Fixture.millisecond)
        #expect(
            fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3")).preVoteReplies.map(\.isGranted) == [true])
        let effects = fixture.elapse()
        #expect(effects.messages(to: "n3") == [.preVote(.test(2))])
    }

    @Test("A connection that was merely lost, or another peer's, changes nothing") func lostIsNotRefused() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        let deadline = fixture.core.nextDeadline
        fixture.step(.peerDisconnected("n2", isRefused: false), .peerDisconnected("n3", isRefused: true))
        #expect(fixture.core.nextDeadline == deadline)
        #expect(
            fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3")).preVoteReplies.map(\.isGranted) == [false])
    }

    @Test("A word of the leader protects it again after a refused connection") func refusedLeaderComesBack() {
        var fixture = Fixture(currentTerm: 1)
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.step(.peerDisconnected("n2", isRefused: true))
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        #expect(
            fixture.stepAndSave(.received(.preVote(.test(2)), from: "n3")).preVoteReplies.map(\.isGranted) == [false])
    }

    @Test("A higher term makes anyone a follower (5.1)") func higherTerm() {
        var fixture = Fixture()
        fixture.elect()
        fixture.stepAndSave(
            .received(
                .appendEntriesReply(AppendEntriesReply(term: 9, outcome: .staleTerm, readRound: 0)), from: "n2"))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 9, leaderID: nil))
    }

    @Test("A candidate follows the leader of its own term (5.2)") func candidateYields() {
        var fixture = Fixture()
        fixture.elapse()
        fixture.stepAndSave(.received(.preVoteReply(.granted(0)), from: "n2"))
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n3"))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: "n3"))
    }

    @Test("A leader without answers of a majority steps down within an election timeout (thesis 6.2; faults 10)")
    func checkQuorum() {
        var fixture = Fixture()
        fixture.elect()
        let elected = fixture.now
        for _ in 0..<100 where fixture.core.summary.role == .leader { fixture.elapse() }
        #expect(fixture.core.summary.role == .follower)
        #expect(fixture.now.nanoseconds(since: elected) <= 331 * Fixture.millisecond)
        #expect(fixture.core.currentTerm == 1)
    }

    @Test("A leader that a majority answers stays (thesis 6.2)") func quorumAnswers() {
        var fixture = Fixture()
        fixture.elect()
        for _ in 0..<50 {
            fixture.elapse()
            fixture.acknowledge(1, from: "n3")
        }
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("Election timeouts are drawn from the whole range, by the seed alone (9.3)") func timeoutsAreRandom() {
        func deadlines(seed: UInt64) -> [UInt64] {
            var fixture = Fixture(seed: seed)
            return (0..<200).map { _ in
                fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
                return fixture.core.nextDeadline.nanoseconds(since: fixture.now) / Fixture.millisecond
            }
        }
        let drawn = deadlines(seed: 7)
        #expect(drawn == deadlines(seed: 7))
        #expect(drawn != deadlines(seed: 8))
        #expect(drawn.allSatisfy { (150...300).contains($0) })
        #expect(drawn.contains { $0 < 170 } && drawn.contains { $0 > 280 })
    }
}
