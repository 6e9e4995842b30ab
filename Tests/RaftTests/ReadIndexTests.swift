// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Linearizable reads (Raft paper 8; thesis 6.4)") struct ReadIndexTests {
    private static func established() -> Fixture {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        return fixture
    }

    @Test("A read is ready when a majority echoes a round begun after it came") func echo() {
        var fixture = Self.established()
        let asked = fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        #expect(asked.readsReady.isEmpty)
        let round = asked.appends(to: "n2").last?.readRound
        #expect(round == 1)
        #expect(fixture.acknowledge(1, from: "n2", round: 0).readsReady.isEmpty)
        let effects = fixture.acknowledge(1, from: "n2", round: 1)
        #expect(effects.contains(.readReady(ReadID(rawValue: 1), index: 1)))
    }

    @Test("An echo of an earlier round proves nothing for a later read (faults 18)") func laterRead() {
        var fixture = Self.established()
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        fixture.stepAndSave(.read(ReadID(rawValue: 2)))
        let first = fixture.acknowledge(1, from: "n2", round: 1)
        #expect(first.readsReady == [ReadID(rawValue: 1)])
        #expect(first.appends(to: "n3").last?.readRound == 2)
        #expect(fixture.acknowledge(1, from: "n3", round: 1).readsReady.isEmpty)
        #expect(fixture.acknowledge(1, from: "n3", round: 2).readsReady == [ReadID(rawValue: 2)])
    }

    @Test("Reads that wait share a round") func coalesced() {
        var fixture = Self.established()
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        fixture.stepAndSave(.read(ReadID(rawValue: 2)), .read(ReadID(rawValue: 3)))
        fixture.acknowledge(1, from: "n2", round: 1)
        #expect(fixture.acknowledge(1, from: "n2", round: 2).readsReady == [2, 3].map(ReadID.init(rawValue:)))
    }

    @Test("A new leader serves no read before an entry of its term is committed (8; faults 17)") func waitsForOwnEntry()
    {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        fixture.elect()
        let asked = fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        #expect(asked.appends(to: "n2").allSatisfy { $0.readRound == 0 })
        fixture.acknowledge(2, from: "n2")
        let effects = fixture.acknowledge(2, from: "n2", round: 1)
        #expect(effects.contains(.readReady(ReadID(rawValue: 1), index: 2)))
    }

    @Test("A leader that is deposed refuses the reads that wait (faults 18, 48)") func deposed() {
        var fixture = Self.established()
        fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        fixture.step(.read(ReadID(rawValue: 2)))
        let effects = fixture.stepAndSave(.received(AppendEntries.test(term: 2, after: 1, of: 1), from: "n3"))
        #expect(effects.contains(.readRefused(ReadID(rawValue: 1), leaderID: "n3")))
        #expect(effects.contains(.readRefused(ReadID(rawValue: 2), leaderID: "n3")))
        #expect(effects.readsReady.isEmpty)
    }

    @Test("The echo comes back with every answer, a rejection included") func followerEchoes() {
        var fixture = Fixture()
        let effects = fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 5, of: 1, round: 9), from: "n2"))
        #expect(effects.replies.map(\.readRound) == [9])
    }

    @Test("A single node reads at once") func singleNode() {
        var fixture = Fixture(size: 1)
        fixture.elapse()
        #expect(fixture.stepAndSave(.read(ReadID(rawValue: 1))).readsReady == [ReadID(rawValue: 1)])
    }

    @Test("A follower refuses and says who leads") func followerRefuses() {
        var fixture = Fixture()
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        #expect(fixture.step(.read(ReadID(rawValue: 1))) == [.readRefused(ReadID(rawValue: 1), leaderID: "n2")])
    }
}
