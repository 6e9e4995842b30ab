// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Log compaction (Raft paper, section 7)") struct CompactionTests {
    /// Ten entries of 24 or 25 bytes, 241 together. What is kept is 100 bytes: entries 6 to 10.
    private static let ten = [UInt64](repeating: 1, count: 10)

    private static func fixture(terms: [UInt64] = Self.ten, applied: UInt64? = nil, retained: Int = 100) -> Fixture {
        Fixture(currentTerm: 1, terms: terms, applied: applied) { $0.retainedLogBytes = retained }
    }

    private static func heartbeat(after index: UInt64, of term: UInt64 = 1, commit: UInt64) -> RaftInput {
        .received(AppendEntries.test(term: 1, after: index, of: term, commit: commit), from: "n2")
    }

    // MARK: What goes and what stays

    @Test("The log lets go of what the state on disk holds, but for the latest entries") func letsGo() {
        var fixture = Self.fixture(applied: 10)
        let batches = fixture.step().batches
        #expect(batches.map(\.base) == [LogBase(position: .test(5, term: 1), membership: .three, keepsEntries: true)])
        #expect(batches.allSatisfy { $0.entries.isEmpty && $0.truncateFrom == nil })
        #expect(fixture.core.base == .test(5, term: 1))
        #expect(fixture.core.entry(at: 5) == nil)
        #expect(fixture.core.entry(at: 6) == .test(6, term: 1))
        #expect(fixture.core.lastIndex == 10)
        fixture.save()
        #expect(fixture.step().batches.isEmpty)
    }

    @Test("Nothing goes that the state on disk doesn't hold (faults 34)") func stateFirst() {
        var fixture = Self.fixture()
        fixture.stepAndSave(Self.heartbeat(after: 10, commit: 10))
        #expect(fixture.core.base == .zero)
        fixture.stepAndSave(.compact(through: 3))
        #expect(fixture.core.base == .test(3, term: 1))
        fixture.stepAndSave(.compact(through: 2))
        #expect(fixture.core.base == .test(3, term: 1))
        fixture.stepAndSave(.compact(through: 10))
        #expect(fixture.core.base == .test(5, term: 1))
    }

    @Test("What is on disk once stays there, though an older word of it comes late") func lateWord() {
        var fixture = Self.fixture()
        fixture.stepAndSave(.compact(through: 10), .compact(through: 2))
        fixture.stepAndSave(Self.heartbeat(after: 10, commit: 10))
        fixture.stepAndSave()
        #expect(fixture.core.base == .test(5, term: 1))
    }

    @Test("Nothing goes that isn't applied, whatever is said to be on disk (faults 34)") func appliedFirst() {
        var fixture = Self.fixture()
        fixture.stepAndSave(Self.heartbeat(after: 10, commit: 2))
        fixture.stepAndSave(.compact(through: 10))
        #expect(fixture.core.base == .test(2, term: 1))
    }

    @Test("A node that joined makes no base of its folder's word for who took part, but of its log's (faults 33)")
    func joinedNode() {
        let folder = Membership.test(["n2", "n3", "n4"])
        let named = Membership.test(["n1", "n2", "n3", "n4"])
        var fixture = Fixture(
            currentTerm: 1, membership: folder, terms: [UInt64](repeating: 1, count: 8),
            more: [Entry.test(9, term: 1, named)] + (10...20).map { Entry.test($0, term: 1) }, applied: 20
        ) { $0.retainedLogBytes = 300 }
        #expect(fixture.step().batches.allSatisfy { $0.base == nil })
        #expect(fixture.core.base == .zero)
        fixture.save()
        fixture.stepAndSave(
            .received(
                AppendEntries.test(term: 1, after: 20, of: 1, (21...40).map { Entry.test($0, term: 1) }, commit: 40),
                from: "n2"))
        #expect(fixture.core.base.index >= 9)
        let batches = fixture.stepAndSave(.compact(through: 40)).batches
        #expect(batches.compactMap(\.base?.membership) == [named])
    }

    @Test("Nothing goes before the log itself is on disk (faults 20)") func ownLogFirst() {
        var fixture = Self.fixture(terms: [])
        let entries = (1...10 as ClosedRange<UInt64>).map { Entry.test($0, term: 1) }
        fixture.step(.received(AppendEntries.test(term: 1, entries, commit: 10), from: "n2"))
        fixture.step(.compact(through: 10))
        #expect(fixture.core.base == .zero)
        fixture.save()
        #expect(fixture.core.base == .test(5, term: 1))
    }

    @Test("A quarter more than what is kept is let be, so that not every entry moves the base") func slack() {
        // 241 bytes: a quarter more than 192 is 240, a quarter more than 193 is 241.
        var fixture = Self.fixture(applied: 10, retained: 193)
        #expect(fixture.step().batches.isEmpty)
        fixture = Self.fixture(applied: 10, retained: 192)
        #expect(fixture.step().batches.map(\.base?.position.index) == [2])
    }

    @Test("What goes at once is bounded, and one entry may always go") func steps() {
        var fixture = Fixture { $0.retainedLogBytes = 1 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        let sizes = [3 << 20, 1 << 19, 1 << 19, 4 << 20, 1 << 20]
        for size in sizes { fixture.propose(bytes: size) }
        fixture.acknowledge(6, from: "n2")
        fixture.acknowledge(6, from: "n3")
        var bases: [UInt64] = []
        fixture.step(.compact(through: 6))
        bases.append(fixture.core.base.index.rawValue)
        for _ in 0..<3 {
            fixture.step()
            bases.append(fixture.core.base.index.rawValue)
        }
        // Through 3: 3.5 MiB and the heads of three entries. Then half a MiB, then one of 4 MiB by itself.
        #expect(bases == [3, 4, 5, 5])
    }

    @Test("What was let go of counts no more, nor does what was cut off") func bytes() {
        var fixture = Self.fixture(applied: 10)
        fixture.stepAndSave()
        #expect(fixture.core.base.index == 5)
        // 121 bytes are left. Two more entries of 25 bytes are 171: two of the old ones go.
        fixture.stepAndSave(
            .received(
                AppendEntries.test(term: 1, after: 10, of: 1, [.test(11, term: 1), .test(12, term: 1)], commit: 12),
                from: "n2"))
        #expect(fixture.core.base.index == 7)
    }

    @Test("What was cut off counts no more") func bytesCutOff() {
        func base(tail: [Entry]) -> LogPosition {
            var fixture = Self.fixture()
            fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 10, of: 1, tail), from: "n2"))
            fixture.stepAndSave(
                .received(AppendEntries.test(term: 2, after: 10, of: 1, [.test(11, term: 2)], commit: 11), from: "n3"))
            fixture.stepAndSave(.compact(through: 11))
            return fixture.core.base
        }
        #expect(base(tail: []) == .test(6, term: 1))
        #expect(base(tail: [.test(11, term: 1), .test(12, term: 1)]) == .test(6, term: 1))
    }

    // MARK: The base

    @Test("The membership at the base goes with it, later ones stay with their entries (section 6 and 7; faults 33)")
    func membershipAtTheBase() {
        let five = Membership.test(["n1", "n2", "n3"], learners: ["n4", "n5"])
        let four = Membership.test(["n1", "n2", "n3"], learners: ["n4"])
        var fixture = Fixture(
            currentTerm: 1, terms: [1, 1],
            more: [.test(3, term: 1, four), .test(4, term: 1), .test(5, term: 1), .test(6, term: 1, five)], applied: 4
        ) { $0.retainedLogBytes = 50 }
        #expect(
            fixture.step().batches.map(\.base) == [
                LogBase(position: .test(4, term: 1), membership: four, keepsEntries: true)
            ])
        #expect(fixture.core.membership == five)
        // The entry of the later one is cut off: what counted at the base counts again.
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 2, after: 5, of: 1, [.test(6, term: 2)]), from: "n2"))
        #expect(fixture.core.membership == four)
    }

    @Test("A node starts from its base: with the term and the members that count there") func recoveredBase() {
        let learner = Membership.test(["n1", "n2", "n3"], learners: ["n4"])
        var fixture = Fixture(currentTerm: 4, base: .test(50, term: 3), membership: learner)
        #expect(fixture.core.membership == learner)
        #expect(fixture.core.commitIndex == 50)
        #expect(fixture.core.durableIndex == 50)
        #expect(fixture.step().memberships == [learner])
        fixture.advance(milliseconds: 200)
        let shorter = fixture.stepAndSave(.received(.preVote(.test(5, lastIndex: 49, lastTerm: 3)), from: "n2"))
        #expect(shorter.preVoteReplies.map(\.isGranted) == [false])
        let equal = fixture.stepAndSave(.received(.preVote(.test(5, lastIndex: 50, lastTerm: 3)), from: "n2"))
        #expect(equal.preVoteReplies.map(\.isGranted) == [true])
    }

    @Test("The latest membership in the recovered log counts, committed or not (section 6)") func recoveredMembership()
    {
        let joint = Membership.test(["n1", "n2", "n4"], outgoing: ["n1", "n2", "n3"])
        let fixture = Fixture(currentTerm: 1, terms: [1], more: [.test(2, term: 1, joint)])
        #expect(fixture.core.membership == joint)
        #expect(!fixture.core.isMembershipSettled)
    }

    @Test("The base is matched by its term, and never cut (5.3)") func matchAtTheBase() {
        var fixture = Fixture(currentTerm: 4, base: .test(50, term: 3), terms: [3])
        let effects = fixture.stepAndSave(
            .received(AppendEntries.test(term: 5, after: 50, of: 3, [.test(51, term: 5)]), from: "n2"))
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 51)])
        #expect(effects.batches.map(\.truncateFrom) == [51])
    }

    @Test("A conflict above the base points at or above the entry behind it (end of 5.3)") func conflictAboveBase() {
        var fixture = Fixture(currentTerm: 4, base: .test(50, term: 3), terms: [3, 3, 3])
        let effects = fixture.stepAndSave(.received(AppendEntries.test(term: 5, after: 53, of: 4), from: "n2"))
        #expect(
            effects.replies.map(\.outcome) == [.conflict(rejectedIndex: 53, conflictTerm: 3, conflictIndex: 51)])
    }

    // MARK: What a leader keeps for others

    /// A leader with eleven committed entries, 262 bytes, of which only n2 has all.
    private static func leader(retained: Int = 100) -> Fixture {
        var fixture = Self.fixture(retained: retained)
        fixture.elect()
        fixture.acknowledge(11, from: "n2")
        return fixture
    }

    @Test("A leader keeps what a follower that answers still needs (faults 30, 36)") func keepsForFollowers() {
        var fixture = Self.leader()
        fixture.acknowledge(3, from: "n3")
        fixture.stepAndSave(.compact(through: 11))
        #expect(fixture.core.base.index == 3)
        fixture.acknowledge(4, from: "n3")
        #expect(fixture.core.base.index == 4)
        fixture.acknowledge(11, from: "n3")
        #expect(fixture.core.base.index == 6)
    }

    @Test("A learner is a follower, too") func keepsForLearners() {
        var fixture = Fixture(
            currentTerm: 1, membership: .test(["n1", "n2"], learners: ["n3"]), terms: Self.ten
        ) { $0.retainedLogBytes = 100 }
        fixture.elect()
        fixture.acknowledge(11, from: "n2")
        fixture.acknowledge(3, from: "n3")
        fixture.stepAndSave(.compact(through: 11))
        #expect(fixture.core.base.index == 3)
    }

    @Test("Nobody waits for a follower that is silent for an election timeout") func silentFollower() {
        var fixture = Self.leader()
        fixture.acknowledge(3, from: "n3")
        fixture.stepAndSave(.compact(through: 11))
        fixture.advance(milliseconds: 300)
        fixture.acknowledge(11, from: "n2")
        #expect(fixture.core.base.index == 3)
        fixture.advance(milliseconds: 1)
        fixture.acknowledge(11, from: "n2")
        #expect(fixture.core.base.index == 6)
    }

    @Test("Nor for one that holds up four times what is kept") func notWithoutEnd() {
        var fixture = Self.leader()
        fixture.acknowledge(3, from: "n3")
        fixture.stepAndSave(.compact(through: 11))
        #expect(fixture.core.base.index == 3)
        // 190 bytes are left; ten more entries of 22 bytes make 410.
        fixture.propose(10)
        fixture.acknowledge(21, from: "n2")
        #expect(fixture.core.base.index > 3)
    }

    @Test("A follower compacts without asking, as its leader may be behind its own state") func followerAlone() {
        var fixture = Self.fixture()
        fixture.stepAndSave(Self.heartbeat(after: 10, commit: 10))
        fixture.stepAndSave(.compact(through: 10))
        #expect(fixture.core.base.index == 5)
    }
}
