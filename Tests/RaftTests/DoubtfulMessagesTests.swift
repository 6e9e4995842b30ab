// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Messages that are late, slow or wrong") struct DoubtfulMessagesTests {
    private static func established() -> Fixture {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        return fixture
    }

    private static func reply(_ outcome: AppendEntriesReply.Outcome, term: Term, round: UInt64 = 0) -> Message {
        .appendEntriesReply(AppendEntriesReply(term: term, outcome: outcome, readRound: round))
    }

    @Test("A refusal of an older term's message is no echo of a round of this term (thesis 6.4; faults 18)")
    func refusalIsNoEcho() {
        var fixture = Self.established()
        let term = fixture.core.currentTerm
        fixture.stepAndSave(.received(Self.reply(.staleTerm, term: term, round: 1), from: "n2"))
        let asked = fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        #expect(asked.readsReady.isEmpty)
        #expect(fixture.stepAndSave().readsReady.isEmpty)
        let refused = fixture.stepAndSave(.received(Self.reply(.staleTerm, term: term, round: 1), from: "n3"))
        #expect(refused.readsReady.isEmpty)
        #expect(fixture.acknowledge(1, from: "n2", round: 1).readsReady == [ReadID(rawValue: 1)])
    }

    @Test("An echo of a round that has not begun hides no later one") func futureEcho() {
        var fixture = Self.established()
        fixture.acknowledge(1, from: "n2", round: 7)
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        #expect(fixture.acknowledge(1, from: "n2", round: 1).readsReady == [ReadID(rawValue: 1)])
    }

    @Test("A probe is repeated without entries, and a follower whose disk hangs answers it at once (thesis 6.2)")
    func slowDiskIsNoLoss() {
        var leader = Fixture()
        let first = leader.elect().appends(to: "n2")
        #expect(first.last?.entries.count == 1)
        let repeated = leader.elapse().appends(to: "n2")
        #expect(repeated.last?.entries.isEmpty == true)

        var follower = Fixture(currentTerm: 1)
        follower.step(.received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n2"))
        #expect(!follower.unsaved.isEmpty)
        let answer = follower.step(.received(AppendEntries.test(term: 1), from: "n2")).replies
        #expect(answer.map(\.outcome) == [.success(matchIndex: 0)])
    }

    @Test("A conflict is told while the disk still has older batches to write") func conflictAtOnce() {
        var follower = Fixture(currentTerm: 1)
        follower.step(.received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n2"))
        let answer = follower.step(.received(AppendEntries.test(term: 1, after: 5, of: 1), from: "n2")).replies
        #expect(answer.map(\.outcome) == [.conflict(rejectedIndex: 5, conflictTerm: nil, conflictIndex: 2)])
    }

    @Test("A conflict beyond the leader's log is no leader's end") func conflictBeyondLog() {
        var fixture = Self.established()
        let term = fixture.core.currentTerm
        let wrong = AppendEntriesReply.Outcome.conflict(rejectedIndex: 900, conflictTerm: nil, conflictIndex: 901)
        fixture.stepAndSave(.received(Self.reply(wrong, term: term), from: "n2"))
        fixture.elapse()
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("A term that no cluster reaches is not believed, since it would never be forgotten") func absurdTerm() {
        var fixture = Self.established()
        for message in [
            Self.reply(.staleTerm, term: Term(rawValue: .max)), AppendEntries.test(term: .max - 1),
            .requestVote(.test(.max)),
            .preVoteReply(PreVoteReply(term: Term(rawValue: .max), candidacyTerm: 0, isGranted: false)),
        ] {
            fixture.stepAndSave(.received(message, from: "n2"))
            #expect(fixture.core.currentTerm == 1)
        }
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("Entries behind the last index that there can be are no message of a leader") func indexOverflow() {
        var fixture = Fixture()
        let last = UInt64.max
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 1, after: last, of: 1, [.test(0, term: 1)]), from: "n2"))
        #expect(fixture.core.lastIndex == 0)
    }

    @Test("A payload that no peer could read back is refused before it is written") func payloadTooLong() {
        var fixture = Self.established()
        let payload = [UInt8](repeating: 0, count: Entry.maximumPayloadLength + 1)
        let effects = fixture.stepAndSave(.propose(ProposalID(rawValue: 1), payloads: [payload]))
        #expect(effects.contains(.proposalRefused(ProposalID(rawValue: 1), leaderID: "n1")))
        #expect(fixture.core.lastIndex == 1)
    }
}
