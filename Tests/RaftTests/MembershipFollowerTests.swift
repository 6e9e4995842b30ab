// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Changes of who takes part, the follower (Raft paper, section 6)") struct MembershipFollowerTests {
    private static let joint = Membership.test(["n1", "n2", "n4"], outgoing: ["n1", "n2", "n3"])

    @Test("A membership counts when its entry is in the log, before it is on disk or committed") func countsAtOnce() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        let effects = fixture.step(
            .received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1, Self.joint)]), from: "n2"))
        #expect(effects.memberships == [Self.joint])
        #expect(fixture.core.membership == Self.joint)
    }

    @Test("If its entry is cut off, the one before it counts again") func cutOff() {
        var fixture = Fixture(currentTerm: 1, terms: [1], more: [.test(2, term: 1, Self.joint)])
        let effects = fixture.stepAndSave(
            .received(AppendEntries.test(term: 2, after: 1, of: 1, [.test(2, term: 2)]), from: "n3"))
        #expect(fixture.core.membership == .three)
        #expect(effects.memberships == [.three])
        // It is the old voters that elect from then on.
        fixture.elect(by: ["n3"])
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("An entry that comes again counts once") func repeated() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        let message = RaftInput.received(
            AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1, Self.joint)]), from: "n2")
        fixture.stepAndSave(message)
        fixture.stepAndSave(message)
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 2, after: 1, of: 1, [.test(2, term: 2)]), from: "n3"))
        #expect(fixture.core.membership == .three)
    }

    @Test("A membership that this node can't read is no message of its leader (faults 25, 39)") func unreadable() {
        var fixture = Fixture(currentTerm: 1)
        let entry = Entry(index: 1, term: 1, kind: .membership, payload: [9])
        let effects = fixture.stepAndSave(.received(AppendEntries.test(term: 1, [entry]), from: "n2"))
        #expect(effects.batches.isEmpty)
        #expect(fixture.core.lastIndex == 0)
    }

    @Test("Nor does a node start from one") func unreadableAtStart() {
        let entry = Entry(index: 1, term: 1, kind: .membership, payload: [9])
        let stored = StoredLog(
            hardState: .init(
                isIntact: true, hardState: HardState(currentTerm: 1, votedFor: nil), base: .zero, lastIndex: 1),
            batches: [.init(isIntact: true, first: 1, last: 1, entries: [entry])])
        #expect(throws: Rot.membershipUnreadable(at: 1)) { try Recovery.recover(stored) }
    }

    @Test("The membership at the base comes back with the log") func membershipAtBase() throws {
        let stored = StoredLog(
            hardState: .init(
                isIntact: true, hardState: HardState(currentTerm: 1, votedFor: nil), base: .test(5, term: 1),
                lastIndex: 5), batches: [], membership: Self.joint)
        #expect(try Recovery.recover(stored).membership == Self.joint)
    }

    @Test("A learner follows and never stands (thesis 4.2.1)") func learnerNeverStands() {
        var fixture = Fixture(currentTerm: 1, membership: .test(["n2", "n3"], learners: ["n1"]))
        for _ in 0..<5 {
            let effects = fixture.elapse()
            #expect(effects.messages().isEmpty)
        }
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        fixture.step(.peerDisconnected("n2", isRefused: true))
        #expect(fixture.elapse().messages().isEmpty)
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: nil))
    }

    @Test("A learner votes when it is asked: it may have been promoted and not know yet (thesis 4.2.3; faults 13)")
    func learnerVotes() {
        var fixture = Fixture(currentTerm: 1, membership: .test(["n2", "n3"], learners: ["n1"]))
        fixture.advance(milliseconds: 300)
        let effects = fixture.stepAndSave(
            .received(.preVote(.test(2)), from: "n3"), .received(.requestVote(.test(2)), from: "n3"))
        #expect(effects.preVoteReplies.map(\.isGranted) == [true])
        #expect(effects.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
    }

    @Test("A voter votes for one that it doesn't know yet, and follows it (section 6)") func unknownCandidate() {
        var fixture = Fixture(currentTerm: 1)
        fixture.advance(milliseconds: 300)
        let vote = fixture.stepAndSave(.received(.requestVote(.test(2)), from: "n9"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 2, isGranted: true)])
        let append = fixture.stepAndSave(.received(AppendEntries.test(term: 2, [.test(1, term: 2)]), from: "n9"))
        #expect(append.replies.map(\.outcome) == [.success(matchIndex: 1)])
        #expect(fixture.core.summary.leaderID == "n9")
    }

    @Test("A node that joins has an empty log and a membership without itself, and comes up by a snapshot")
    func joining() {
        let before = Membership.test(["n2", "n3"])
        let after = Membership.test(["n2", "n3"], learners: ["n1"])
        var fixture = Fixture(membership: before)
        for _ in 0..<3 { #expect(fixture.elapse().messages().isEmpty) }
        let probe = fixture.stepAndSave(.received(AppendEntries.test(term: 4, after: 30, of: 4), from: "n2"))
        #expect(probe.replies.map(\.outcome) == [.conflict(rejectedIndex: 30, conflictTerm: nil, conflictIndex: 1)])
        // The snapshot was taken before the node was added.
        let offer = SnapshotOffer.test(20, term: 3, before)
        fixture.stepAndSave(.received(InstallSnapshot.test(term: 4, offer), from: "n2"))
        fixture.stepAndSave(.snapshotReceived(offer))
        fixture.stepAndSave(.snapshotInstalled(offer))
        #expect(fixture.core.membership == before)
        let effects = fixture.stepAndSave(
            .received(
                AppendEntries.test(term: 4, after: 20, of: 3, [.test(21, term: 4, after)], commit: 21), from: "n2"))
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 21)])
        #expect(effects.memberships == [after])
        #expect(effects.appliedIndexes == [21])
        let voter = Membership.test(["n1", "n2", "n3"], outgoing: ["n2", "n3"])
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 4, after: 21, of: 4, [.test(22, term: 4, voter)]), from: "n2"))
        #expect(!fixture.elapse().messages().isEmpty)
        #expect(fixture.core.summary.role == .preCandidate)
    }
}
