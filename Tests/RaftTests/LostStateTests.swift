// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("A node whose applied state is lost, and whose log is whole") struct LostStateTests {
    /// Follows n2 in term 3. Its log begins behind 5 and ends at 7.
    private static func follower() -> Fixture {
        Fixture(currentTerm: 3, base: .test(5, term: 1), terms: [1, 1], lacksState: true)
    }

    private static func append(after index: UInt64 = 7, _ entries: [Entry] = [], commit: UInt64 = 0) -> RaftInput {
        .received(AppendEntries.test(term: 3, after: index, of: 1, entries, commit: commit), from: "n2")
    }

    private static func offered(_ index: UInt64, term: UInt64 = 1) -> RaftInput {
        .received(InstallSnapshot.test(term: 3, .test(index, term: term)), from: "n2")
    }

    private static func applied(_ effects: [RaftEffect]) -> [LogIndex] {
        effects.flatMap { effect -> [LogIndex] in
            guard case .apply(let entries) = effect else { return [] }
            return entries.map(\.index)
        }
    }

    // MARK: The follower

    @Test("It takes entries and acknowledges what is on its disk, says what it needs, and applies nothing")
    func takesEntries() {
        var fixture = Self.follower()
        let unsaved = fixture.step(Self.append([.test(8, term: 3), .test(9, term: 3)], commit: 8))
        #expect(unsaved.replies.isEmpty)
        let effects = fixture.save()
        #expect(
            effects.replies == [
                AppendEntriesReply(term: 3, outcome: .success(matchIndex: 9), readRound: 0, needsStateFrom: 5)
            ])
        #expect(fixture.core.lastIndex == 9 && fixture.core.commitIndex == 8)
        #expect(Self.applied(effects).isEmpty)
        // It doesn't stand, whatever its log has.
        fixture.elapse()
        #expect(fixture.core.summary.role == .follower)
    }

    @Test("A snapshot of what it has committed already is news to it; one below its log is not")
    func offers() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.append([.test(8, term: 3)], commit: 8))
        let low = fixture.stepAndSave(Self.offered(4))
        #expect(!low.contains { if case .fetchSnapshot = $0 { true } else { false } })
        #expect(low.replies.map(\.needsStateFrom) == [5])
        for index in [5, 7, 8] as [UInt64] {
            var fixture = fixture
            let offer = SnapshotOffer.test(index, term: index == 8 ? 3 : 1)
            let effects = fixture.stepAndSave(Self.offered(index, term: index == 8 ? 3 : 1))
            #expect(effects.contains(.fetchSnapshot(offer, from: "n2")))
            #expect(effects.replies.map(\.outcome) == [.installing])
        }
    }

    @Test("What it acknowledged behind the snapshot stays, and is applied from there on")
    func installed() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered(7))
        fixture.stepAndSave(Self.append([.test(8, term: 3), .test(9, term: 3)], commit: 9))
        let offer = SnapshotOffer.test(7, term: 1)
        #expect(fixture.stepAndSave(.snapshotReceived(offer)).contains(.installSnapshot(offer)))
        // No entries while the file takes its place.
        #expect(
            fixture.stepAndSave(Self.append(after: 9, [.test(10, term: 3)])).replies.map(\.outcome) == [.installing])
        let effects = fixture.stepAndSave(.snapshotInstalled(offer))
        #expect(Self.applied(effects) == [8, 9])
        #expect(fixture.core.lastIndex == 9 && fixture.core.base == .test(5, term: 1))
        #expect(effects.batches.compactMap(\.base).isEmpty)
        let answer = fixture.stepAndSave(Self.append(after: 9)).replies
        #expect(answer.map(\.needsStateFrom) == [nil])
    }

    // MARK: The leader

    /// Leads term 2 with a log that begins behind 5 and ends at 11.
    private static func leader() -> Fixture {
        var fixture = Fixture(currentTerm: 1, base: .test(5, term: 1), terms: [1, 1, 1, 1, 1], applied: 10)
        fixture.elect()
        return fixture
    }

    @Test("A leader counts what such a follower acknowledges, and offers it a snapshot beside the entries")
    func counts() {
        var fixture = Self.leader()
        let asked = fixture.acknowledge(11, from: "n3", needsStateFrom: 8) + fixture.elapse()
        #expect(fixture.core.commitIndex == 11)
        #expect(asked.count { $0 == .takeSnapshot } == 1)
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        let proposed = fixture.propose()
        #expect(proposed.appends(to: "n3").flatMap(\.entries).map(\.index) == [12])
        fixture.acknowledge(12, from: "n3", needsStateFrom: 8)
        #expect(fixture.core.commitIndex == 12)
        #expect(fixture.elapse().offers(to: "n3") == [.test(11, term: 2)])
        // Whoever has its state again is offered none.
        fixture.acknowledge(12, from: "n3")
        #expect(fixture.elapse().offers(to: "n3").isEmpty)
    }

    @Test("A snapshot that is too old for it is taken anew; it is no successor")
    func tooOld() {
        var fixture = Self.leader()
        fixture.acknowledge(11, from: "n3", needsStateFrom: 8)
        fixture.elapse()
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.propose()
        fixture.acknowledge(12, from: "n2")
        let effects = fixture.acknowledge(12, from: "n3", needsStateFrom: 12) + fixture.elapse()
        #expect(effects.contains(.takeSnapshot) && effects.offers(to: "n3").isEmpty)
        fixture.acknowledge(12, from: "n2")
        fixture.acknowledge(12, from: "n3", needsStateFrom: 12)
        #expect(fixture.stepAndSave(.transferLeadership(to: nil)).toldToStand == ["n2"])
    }
}
