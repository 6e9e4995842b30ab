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
}
