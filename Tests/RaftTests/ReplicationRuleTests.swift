// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

/// Each of these fails when one small rule of the follower is left out.
@Suite("Rules of the follower, one by one") struct FollowerRuleTests {
    @Test("Nothing tells of a new term before it is on disk, a heartbeat's answer included (figure 2; faults 1, 20)")
    func heartbeatOfNewTerm() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        let heartbeat = RaftInput.received(AppendEntries.test(term: 2, after: 1, of: 1), from: "n2")
        #expect(fixture.step(heartbeat).messages().isEmpty)
        #expect(fixture.step(heartbeat).messages().isEmpty)
        #expect(fixture.save().replies.map(\.term) == [2])
    }

    @Test("The answer to a PreVote doesn't name a term that isn't on disk (faults 1)") func preVoteReplyWaits() {
        var fixture = Fixture(currentTerm: 1)
        fixture.step(.received(AppendEntries.test(term: 2), from: "n2"))
        #expect(fixture.step(.received(.preVote(.test(9)), from: "n3")).preVoteReplies.isEmpty)
        #expect(fixture.save().preVoteReplies.map(\.term) == [2])
    }

    @Test("Nor does an answer of the very turn that brought the term (faults 1)") func sameTurn() {
        var fixture = Fixture(currentTerm: 1)
        let effects = fixture.step(
            .received(AppendEntries.test(term: 2, [.test(1, term: 2)]), from: "n2"),
            .received(AppendEntries.test(term: 2, after: 1, of: 2), from: "n2"),
            .received(.preVote(.test(9)), from: "n3"))
        #expect(effects.messages().isEmpty)
        #expect(fixture.save().messages(to: "n3").count == 1)
    }

    @Test("A refusal doesn't name a term that isn't on disk (faults 1)") func staleTermWaits() {
        var fixture = Fixture(currentTerm: 1)
        fixture.step(.received(AppendEntries.test(term: 5), from: "n2"))
        #expect(fixture.step(.received(AppendEntries.test(term: 4), from: "n3")).messages().isEmpty)
        #expect(
            fixture.save().messages(to: "n3") == [
                .appendEntriesReply(AppendEntriesReply(term: 5, outcome: .staleTerm, readRound: 0))
            ])
    }

    @Test("What was cut off before it reached the disk is not acknowledged any more (faults 20)") func cutOffMeanwhile()
    {
        var fixture = Fixture(currentTerm: 2, terms: [1])
        fixture.step(.received(AppendEntries.test(term: 2, after: 1, of: 1, [.test(2, term: 2)]), from: "n2"))
        fixture.step(.received(AppendEntries.test(term: 3, after: 1, of: 1, [.test(2, term: 3)]), from: "n3"))
        #expect(fixture.step(.persisted(through: 1)).messages().isEmpty)
    }

    @Test("A repeated message behind a longer one doesn't hide its acknowledgement") func longestAcknowledgement() {
        var fixture = Fixture()
        fixture.step(
            .received(
                AppendEntries.test(term: 1, [.test(1, term: 1), .test(2, term: 1), .test(3, term: 1)]), from: "n2"),
            .received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n2"))
        #expect(fixture.save().replies.map(\.outcome).contains(.success(matchIndex: 3)))
    }

    @Test("An acknowledgement of more entries doesn't hide the echo of a later round") func latestEcho() {
        var fixture = Fixture()
        fixture.step(
            .received(AppendEntries.test(term: 1, [.test(1, term: 1)], round: 5), from: "n2"),
            .received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1)], round: 4), from: "n2"))
        #expect(fixture.save().replies.map(\.readRound).contains(5))
    }

    @Test("The very last entry on disk is cut when it conflicts (5.3; faults 21)") func lastEntryConflicts() {
        var fixture = Fixture(currentTerm: 2, terms: [1, 2])
        let effects = fixture.step(
            .received(AppendEntries.test(term: 3, after: 1, of: 1, [.test(2, term: 3)]), from: "n2"))
        #expect(effects.batches.map(\.truncateFrom) == [2])
    }

    @Test("commitIndex never goes back (figure 2; faults 22)") func commitStays() {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1, 1])
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 3, of: 1, commit: 3), from: "n2"))
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 3, of: 1, commit: 1), from: "n2"))
        #expect(fixture.core.commitIndex == 3)
    }

    @Test("A message that begins below the base is acknowledged through what is committed, not beyond")
    func belowTheBase() {
        let start = Instant(nanoseconds: 1_000 * Fixture.millisecond)
        var core = RaftCore(
            configuration: RaftConfiguration(nodeID: "n1", voters: ["n1", "n2", "n3"]),
            recovered: RecoveredLog(
                hardState: HardState(currentTerm: 2, votedFor: nil), base: LogPosition(index: 5, term: 1),
                entries: [.test(6, term: 1), .test(7, term: 1)]),
            appliedIndex: 5, seed: 1, now: start)
        let effects = core.step(
            [.received(AppendEntries.test(term: 2, after: 3, of: 1, [.test(4, term: 1)]), from: "n2")], now: start)
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 5)])
    }
}

/// Each of these fails when one small rule of the leader is left out.
@Suite("Rules of the leader, one by one") struct LeaderRuleTests {
    private static func rejection(
        term: Term, at rejected: LogIndex, conflictTerm: Term?, hint: LogIndex
    ) -> RaftInput {
        .received(
            .appendEntriesReply(
                AppendEntriesReply(
                    term: term,
                    outcome: .conflict(rejectedIndex: rejected, conflictTerm: conflictTerm, conflictIndex: hint),
                    readRound: 0)), from: "n2")
    }

    private static func isRefused(_ effects: [RaftEffect]) -> Bool {
        effects.contains { if case .proposalRefused = $0 { true } else { false } }
    }

    private static func propose(_ id: UInt64, bytes: Int = 1, count: Int = 1) -> RaftInput {
        .propose(
            ProposalID(rawValue: id), payloads: Array(repeating: [UInt8](repeating: 1, count: bytes), count: count))
    }

    private static func withEntries(_ effects: [RaftEffect]) -> [[UInt64]] {
        effects.appends(to: "n2").map { $0.entries.map(\.index.rawValue) }.filter { !$0.isEmpty }
    }

    // MARK: Commitment

    @Test("Half of an even number of voters is no majority (5.3)") func evenNumber() {
        var fixture = Fixture(size: 4)
        fixture.elapse()
        for voter: NodeID in ["n2", "n3"] { fixture.stepAndSave(.received(.preVoteReply(.granted(0)), from: voter)) }
        for voter: NodeID in ["n2", "n3"] {
            fixture.stepAndSave(.received(.requestVoteReply(RequestVoteReply(term: 1, isGranted: true)), from: voter))
        }
        fixture.acknowledge(1, from: "n2")
        #expect(fixture.core.commitIndex == 0)
        fixture.acknowledge(1, from: "n3")
        #expect(fixture.core.commitIndex == 1)
    }

    @Test("An acknowledgement of an earlier term counts for nothing (5.1; faults 20)") func earlierTerm() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        fixture.elect()
        let reply = AppendEntriesReply(term: 1, outcome: .success(matchIndex: 2), readRound: 0)
        fixture.stepAndSave(.received(.appendEntriesReply(reply), from: "n2"))
        #expect(fixture.core.commitIndex == 0)
        #expect(fixture.core.matchIndexes["n2"] == 0)
    }

    @Test("An acknowledgement of more than the leader has counts for nothing") func beyondTheLog() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(99, from: "n2")
        #expect(fixture.core.matchIndexes["n2"] == 0)
        fixture.stepAndSave(Self.propose(1))
        #expect(fixture.core.commitIndex == 0)
    }

    @Test("A late acknowledgement doesn't move matchIndex back (figure 2; faults 22)") func lateAcknowledgement() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(Self.propose(1))
        fixture.acknowledge(2, from: "n2")
        fixture.acknowledge(1, from: "n2")
        #expect(fixture.core.matchIndexes["n2"] == 2)
    }

    @Test("A leader isn't established by what others committed before it (8; faults 17)") func notEstablished() {
        var fixture = Fixture(currentTerm: 1, terms: [1], applied: 1)
        let elected = fixture.elect()
        #expect(!elected.contains(.leaderEstablished(term: 2)))
        #expect(fixture.acknowledge(2, from: "n2").contains(.leaderEstablished(term: 2)))
        #expect(!fixture.acknowledge(2, from: "n3").contains(.leaderEstablished(term: 2)))
    }

    @Test("A proposal is told where its first entry stands (faults 28)") func firstOfProposal() {
        var fixture = Fixture()
        fixture.elect()
        let effects = fixture.step(Self.propose(1, count: 2), Self.propose(2, count: 3))
        #expect(effects.contains(.proposalAppended(ProposalID(rawValue: 1), first: 2, term: 1)))
        #expect(effects.contains(.proposalAppended(ProposalID(rawValue: 2), first: 4, term: 1)))
    }

    // MARK: nextIndex

    @Test("A late rejection doesn't move nextIndex below what is known to match (5.3; faults 21)") func lateRejection()
    {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(Self.propose(1, count: 4))
        fixture.acknowledge(3, from: "n2")
        let effects = fixture.stepAndSave(Self.rejection(term: 1, at: 5, conflictTerm: nil, hint: 1))
        #expect(effects.appends(to: "n2").map(\.prevLogIndex) == [3])
    }

    @Test("A leader that knows the conflicting term goes on behind its own last entry of it (end of 5.3)")
    func knownConflictTerm() {
        var fixture = Fixture(currentTerm: 3, terms: [1, 1, 2, 2, 2])
        fixture.elect()
        let effects = fixture.stepAndSave(Self.rejection(term: 4, at: 5, conflictTerm: 1, hint: 1))
        #expect(effects.appends(to: "n2").map(\.prevLogIndex) == [2])
    }

    @Test("An acknowledgement doesn't send again what is under way") func nothingTwice() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        for id in 1...3 as ClosedRange<UInt64> { fixture.stepAndSave(Self.propose(id)) }
        #expect(Self.withEntries(fixture.acknowledge(2, from: "n2")).isEmpty)
        #expect(Self.withEntries(fixture.stepAndSave(Self.propose(4))) == [[5]])
    }

    @Test("A probe without an answer is asked again with the heartbeat (5.3)")
    func lostProbe() {
        var fixture = Fixture()
        #expect(Self.withEntries(fixture.elect()) == [[1]])
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(Self.propose(1))
        fixture.stepAndSave(.peerConnected("n2"))
        #expect(fixture.elapse().appends(to: "n2").map(\.prevLogIndex) == [1])
    }

    // MARK: Bounds

    @Test("An acknowledgement frees its own place in the window and no other") func onePlace() {
        var fixture = Fixture { $0.maximumInflightMessages = 3 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        for id in 1...4 as ClosedRange<UInt64> { fixture.stepAndSave(Self.propose(id)) }
        #expect(Self.withEntries(fixture.acknowledge(2, from: "n2")) == [[5]])
        #expect(Self.withEntries(fixture.stepAndSave(Self.propose(5))).isEmpty)
    }

    @Test("An acknowledgement of the last message frees the whole window") func allPlaces() {
        var fixture = Fixture { $0.maximumInflightMessages = 3 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        for id in 1...3 as ClosedRange<UInt64> { fixture.stepAndSave(Self.propose(id)) }
        fixture.acknowledge(4, from: "n2")
        for id in 4...6 as ClosedRange<UInt64> {
            #expect(Self.withEntries(fixture.stepAndSave(Self.propose(id))) == [[id + 1]])
        }
    }

    @Test("A new connection begins with an empty window") func windowOfNewConnection() {
        // An entry a message, in a probe as well.
        var fixture = Fixture {
            $0.maximumInflightMessages = 2
            $0.maximumMessageBytes = 40 << 10
        }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        #expect(Self.withEntries(fixture.stepAndSave(Self.propose(1, bytes: 40 << 10, count: 3))) == [[2], [3]])
        #expect(Self.withEntries(fixture.stepAndSave(.peerConnected("n2"))) == [[2]])
        #expect(Self.withEntries(fixture.acknowledge(2, from: "n2")) == [[3], [4]])
    }

    @Test("What a leader inherited gives its own proposals no room") func inheritedBytes() {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1, 1, 1, 1]) { $0.maximumUncommittedBytes = 10 }
        fixture.elect()
        fixture.acknowledge(6, from: "n2")
        #expect(fixture.core.commitIndex == 6)
        #expect(!Self.isRefused(fixture.stepAndSave(Self.propose(1, bytes: 8))))
        #expect(Self.isRefused(fixture.stepAndSave(Self.propose(2, bytes: 8))))
    }

    @Test("A proposal above the bound is taken when nothing else waits") func oneBigProposal() {
        var fixture = Fixture { $0.maximumUncommittedBytes = 10 }
        fixture.elect()
        #expect(!Self.isRefused(fixture.stepAndSave(Self.propose(1, bytes: 50))))
        #expect(Self.isRefused(fixture.stepAndSave(Self.propose(2, bytes: 1))))
    }

    // MARK: Reads

    @Test("A read needs the echoes of a majority, and a late answer takes none back (thesis 6.4; faults 18)")
    func majorityOfEchoes() {
        var fixture = Fixture(size: 5)
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.acknowledge(1, from: "n3")
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        #expect(fixture.acknowledge(1, from: "n2", round: 1).readsReady.isEmpty)
        #expect(fixture.acknowledge(1, from: "n2", round: 0).readsReady.isEmpty)
        #expect(fixture.acknowledge(1, from: "n3", round: 1).readsReady == [ReadID(rawValue: 1)])
    }
}
