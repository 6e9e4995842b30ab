// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("A disk that hangs (faults 46)") struct HungDiskTests {
    /// Leads term 1 with its own entry on every disk; an entry behind it waits for its own disk.
    private static func waiting() -> Fixture {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.acknowledge(1, from: "n3")
        fixture.step(.propose(ProposalID(rawValue: 1), payloads: [[7]]))
        return fixture
    }

    private static func heard(_ index: UInt64, from peer: NodeID) -> RaftInput {
        .received(
            .appendEntriesReply(
                AppendEntriesReply(
                    term: 1, outcome: .success(matchIndex: LogIndex(rawValue: index)), readRound: 0)), from: peer)
    }

    /// The others answer every 50 ms for so long; gives what the core wanted on the way.
    private static func pass(milliseconds: UInt64, _ fixture: inout Fixture, matching index: UInt64) -> [RaftEffect] {
        var effects: [RaftEffect] = []
        for _ in 0..<(milliseconds / 50) {
            fixture.advance(milliseconds: 50)
            effects += fixture.step(Self.heard(index, from: "n2"), Self.heard(1, from: "n3"))
        }
        return effects
    }

    @Test("A leader whose disk hangs lets a voter lead that has on disk what it hasn't") func handsOver() {
        var fixture = Self.waiting()
        let before = Self.pass(milliseconds: 300, &fixture, matching: 2)
        #expect(before.toldToStand.isEmpty)
        #expect(fixture.core.summary.role == .leader)
        let after = Self.pass(milliseconds: 50, &fixture, matching: 2)
        #expect(after.toldToStand == ["n2"])
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: nil))
    }

    private static func staysLeader(milliseconds: UInt64, _ fixture: inout Fixture, matching index: UInt64) {
        let effects = Self.pass(milliseconds: milliseconds, &fixture, matching: index)
        #expect(effects.toldToStand.isEmpty)
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("Where the others' disks are as slow it stays") func allSlow() {
        var fixture = Self.waiting()
        Self.staysLeader(milliseconds: 2_000, &fixture, matching: 1)
    }

    @Test("A disk that is late, and then isn't, deposes nobody") func lateOnly() {
        var fixture = Self.waiting()
        _ = Self.pass(milliseconds: 250, &fixture, matching: 2)
        fixture.save()
        Self.staysLeader(milliseconds: 1_000, &fixture, matching: 2)
    }

    @Test("It doesn't stand for election before its disk has written") func noCandidacy() {
        var fixture = Self.waiting()
        _ = Self.pass(milliseconds: 350, &fixture, matching: 2)
        for _ in 0..<10 {
            fixture.advance(milliseconds: 500)
            #expect(fixture.step().messages().isEmpty)
            #expect(fixture.core.summary.role == .follower)
        }
        fixture.save()
        #expect(!fixture.elapse().messages().isEmpty)
    }

    @Test("Told to stand by its leader, a node whose disk hangs doesn't") func noSuccessor() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 1, of: 1), from: "n2"))
        fixture.step(.received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1)]), from: "n2"))
        fixture.advance(milliseconds: 310)
        fixture.step(.received(AppendEntries.test(term: 1, after: 1, of: 1), from: "n2"))
        fixture.step(.received(.timeoutNow(TimeoutNow(term: 1)), from: "n2"))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 1, leaderID: "n2"))
    }
}
