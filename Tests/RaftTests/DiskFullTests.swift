// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("A full disk (faults 43)") struct DiskFullTests {
    @Test("A leader that can't write hands over") func leaderStepsDown() {
        var fixture = Fixture()
        fixture.elect()
        let effects = fixture.step(.diskFull(true))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: nil))
        #expect(effects.contains(.roleChanged(RoleSummary(role: .follower, term: 1, leaderID: nil))))
    }

    @Test("It votes for another one at once") func itVotes() {
        var fixture = Fixture()
        fixture.elect()
        fixture.step(.diskFull(true))
        let replies = fixture.stepAndSave(
            .received(.preVote(.test(2, lastIndex: 1, lastTerm: 1)), from: "n3")
        ).preVoteReplies
        #expect(replies.map(\.isGranted) == [true])
    }

    @Test("It doesn't stand for election until there is room") func noCandidacy() {
        var fixture = Fixture()
        fixture.step(.diskFull(true))
        for _ in 0..<10 {
            #expect(fixture.elapse().messages().isEmpty)
            #expect(fixture.core.summary.role == .follower)
        }
        fixture.step(.diskFull(false))
        #expect(!fixture.elapse().messages().isEmpty)
    }

    @Test("A candidate gives up") func candidateGivesUp() {
        var fixture = Fixture()
        fixture.elapse()
        fixture.step(.diskFull(true))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 0, leaderID: nil))
    }

    @Test("A follower takes no entries, so that the room left is for its vote, and says that it heard")
    func followerTakesNothing() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 1, of: 1), from: "n2"))
        fixture.step(.diskFull(true))
        let refused = fixture.step(
            .received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1)]), from: "n2"))
        #expect(refused.batches.isEmpty)
        #expect(refused.replies.map(\.outcome) == [.staleTerm])
        #expect(refused.replies.map(\.term) == [1])
        // What it has may still become committed.
        let heard = fixture.step(.received(AppendEntries.test(term: 1, after: 1, of: 1, commit: 1), from: "n2"))
        #expect(heard.appliedIndexes == [1])
        fixture.step(.diskFull(false))
        let taken = fixture.stepAndSave(
            .received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1)]), from: "n2"))
        #expect(taken.replies.map(\.outcome) == [.success(matchIndex: 2)])
    }

    @Test("A leader keeps a follower without room, and fills it up when there is room again") func leaderGoesOn() {
        var fixture = Fixture()
        fixture.elect()
        let heard = RaftInput.received(
            .appendEntriesReply(AppendEntriesReply(term: 1, outcome: .staleTerm, readRound: 0)), from: "n2")
        for _ in 0..<50 {
            fixture.elapse()
            let effects = fixture.stepAndSave(heard)
            let sent = effects.appends(to: "n2").flatMap(\.entries)
            #expect(sent.isEmpty)
        }
        #expect(fixture.core.summary.role == .leader)
        let filled = fixture.acknowledge(0, from: "n2")
        #expect(filled.appends(to: "n2").last?.entries.count == 1)
    }
}
