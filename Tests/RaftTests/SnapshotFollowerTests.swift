// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Snapshots, the follower (Raft paper, section 7, figure 13)") struct SnapshotFollowerTests {
    private static let offer = SnapshotOffer.test(10, term: 2)

    /// Follows n2 in term 3; two entries of term 1, of which one is committed.
    private static func follower(terms: [UInt64] = [1, 1], applied: UInt64 = 1) -> Fixture {
        Fixture(currentTerm: 3, terms: terms, applied: applied)
    }

    private static func offered(_ offer: SnapshotOffer = Self.offer, term: UInt64 = 3, round: UInt64 = 0) -> RaftInput {
        .received(InstallSnapshot.test(term: term, offer, round: round), from: "n2")
    }

    /// As above, with the snapshot received and its installation begun.
    private static func installing(terms: [UInt64] = [1, 1]) -> Fixture {
        var fixture = Self.follower(terms: terms)
        fixture.stepAndSave(Self.offered())
        fixture.stepAndSave(.snapshotReceived(Self.offer))
        return fixture
    }

    // MARK: The offer

    @Test("What is offered is fetched from who offers it, and the leader hears so at once") func fetched() {
        var fixture = Self.follower()
        let effects = fixture.step(Self.offered(round: 4))
        #expect(effects.contains(.fetchSnapshot(Self.offer, from: "n2")))
        #expect(effects.replies == [AppendEntriesReply(term: 3, outcome: .installing, readRound: 4)])
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 3, leaderID: "n2"))
    }

    @Test("Another leader's offer takes its place") func anotherLeader() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        let other = SnapshotOffer.test(12, term: 4)
        let effects = fixture.stepAndSave(.received(InstallSnapshot.test(term: 4, other), from: "n3"))
        #expect(effects.contains(.fetchSnapshot(other, from: "n3")))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 4, leaderID: "n3"))
    }

    @Test("A term that an offer brings is on disk before it is answered (figure 2; faults 1)") func newTerm() {
        var fixture = Self.follower()
        let effects = fixture.step(Self.offered(term: 4))
        #expect(effects.batches.map(\.hardState) == [HardState(currentTerm: 4, votedFor: nil)])
        #expect(effects.messages().isEmpty)
        #expect(fixture.save().replies.map(\.outcome) == [.installing])
    }

    @Test("An offer of an earlier term is refused (figure 13, step 1)") func earlierTerm() {
        var fixture = Self.follower()
        let effects = fixture.stepAndSave(Self.offered(term: 2, round: 6))
        #expect(effects.replies == [AppendEntriesReply(term: 3, outcome: .staleTerm, readRound: 6)])
        #expect(fixture.core.summary.leaderID == nil)
        #expect(!effects.contains(.fetchSnapshot(Self.offer, from: "n2")))
    }

    @Test("An offer is a word of the leader, which is protected as by a heartbeat (thesis 4.2.3)") func protects() {
        var fixture = Self.follower()
        fixture.advance(milliseconds: 1_000)
        fixture.stepAndSave(Self.offered())
        #expect(fixture.core.nextDeadline.nanoseconds(since: fixture.now) >= 150 * Fixture.millisecond)
        fixture.advance(milliseconds: 100)
        let vote = fixture.stepAndSave(.received(.requestVote(.test(4, lastIndex: 20, lastTerm: 3)), from: "n3"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 3, isGranted: false)])
    }

    @Test("A leader that was gone is back when it offers one") func leaderIsBack() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        fixture.step(.peerDisconnected("n2", isRefused: true))
        fixture.stepAndSave(Self.offered())
        let vote = fixture.stepAndSave(.received(.preVote(.test(4, lastIndex: 20, lastTerm: 3)), from: "n3"))
        #expect(vote.preVoteReplies.map(\.isGranted) == [false])
    }

    @Test("A candidate that is offered one in its own term follows (5.2)") func candidate() {
        var fixture = Self.follower()
        fixture.elapse()
        fixture.stepAndSave(.received(.preVoteReply(.granted(3)), from: "n2"))
        #expect(fixture.core.summary.role == .candidate)
        fixture.stepAndSave(Self.offered(term: 4))
        #expect(fixture.core.summary == RoleSummary(role: .follower, term: 4, leaderID: "n2"))
    }

    @Test(
        "One at or below what is committed is not fetched: what is committed is the leader's too (section 7)",
        arguments: [3, 4] as [UInt64])
    func belowCommitted(index: UInt64) {
        var fixture = Self.follower(terms: [1, 1, 1, 1, 1], applied: 4)
        let effects = fixture.stepAndSave(Self.offered(.test(index, term: 1), round: 2))
        #expect(effects.replies == [AppendEntriesReply(term: 3, outcome: .success(matchIndex: 4), readRound: 2)])
        #expect(!effects.contains(.fetchSnapshot(.test(index, term: 1), from: "n2")))
    }

    @Test("One whose last entry the log holds says that it is committed, and isn't fetched (figure 13, step 6)")
    func logHoldsIt() {
        var fixture = Self.follower(terms: [1, 1, 1, 1, 1], applied: 2)
        let effects = fixture.stepAndSave(Self.offered(.test(4, term: 1)))
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 4)])
        #expect(!effects.contains(.fetchSnapshot(.test(4, term: 1), from: "n2")))
        #expect(effects.appliedIndexes == [3, 4])
        // Of another term it is another entry.
        #expect(
            fixture.stepAndSave(Self.offered(.test(5, term: 2))).contains(
                .fetchSnapshot(.test(5, term: 2), from: "n2")))
        #expect(fixture.core.commitIndex == 4)
    }

    @Test("Nor is the end of such a log acknowledged before it is on disk (faults 20)") func logHoldsItInMemory() {
        var fixture = Self.follower()
        let entries = (3...5 as ClosedRange<UInt64>).map { Entry.test($0, term: 3) }
        fixture.step(.received(AppendEntries.test(term: 3, after: 2, of: 1, entries), from: "n2"))
        #expect(fixture.step(Self.offered(.test(4, term: 3))).replies.map(\.outcome) == [.success(matchIndex: 2)])
    }

    @Test("An offer that no leader of its term could make is dropped") func impossibleOffer() {
        var fixture = Self.follower()
        let effects = fixture.stepAndSave(Self.offered(.test(10, term: 4)))
        #expect(effects.messages().isEmpty)
        #expect(!effects.contains(.fetchSnapshot(.test(10, term: 4), from: "n2")))
    }

    @Test("Nor is one below the follower's own base") func belowTheBase() {
        var fixture = Fixture(currentTerm: 3, base: .test(20, term: 2))
        let effects = fixture.stepAndSave(Self.offered())
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 20)])
    }

    @Test("The acknowledgement of what is committed doesn't name what isn't on disk (faults 20)") func onDiskOnly() {
        var fixture = Self.follower()
        let entries = (3...5 as ClosedRange<UInt64>).map { Entry.test($0, term: 3) }
        fixture.step(.received(AppendEntries.test(term: 3, after: 2, of: 1, entries, commit: 5), from: "n2"))
        #expect(fixture.core.commitIndex == 5)
        let effects = fixture.step(Self.offered(.test(5, term: 3)))
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 2)])
    }

    @Test("A full disk fetches nothing, and says that it heard (faults 43)") func diskFull() {
        var fixture = Self.follower()
        fixture.step(.diskFull(true))
        let effects = fixture.stepAndSave(Self.offered())
        #expect(effects.replies.map(\.outcome) == [.staleTerm])
        #expect(!effects.contains(.fetchSnapshot(Self.offer, from: "n2")))
        fixture.step(.diskFull(false))
        #expect(fixture.stepAndSave(Self.offered()).contains(.fetchSnapshot(Self.offer, from: "n2")))
    }

    // MARK: While it is installed

    @Test("A received snapshot is installed once, though it comes twice") func installedOnce() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        let effects = fixture.stepAndSave(.snapshotReceived(Self.offer), .snapshotReceived(Self.offer))
        #expect(effects.filter { $0 == .installSnapshot(Self.offer) }.count == 1)
        #expect(!fixture.stepAndSave(Self.offered()).contains(.fetchSnapshot(Self.offer, from: "n2")))
    }

    @Test("While one is installed, another one waits (faults 35)") func anotherOneWaits() {
        var fixture = Self.installing()
        let second = SnapshotOffer.test(15, term: 3)
        let effects = fixture.stepAndSave(Self.offered(second), .snapshotReceived(second))
        #expect(!effects.contains(.installSnapshot(second)))
        #expect(!effects.contains(.fetchSnapshot(second, from: "n2")))
        fixture.stepAndSave(.snapshotInstalled(Self.offer))
        #expect(fixture.stepAndSave(Self.offered(second)).contains(.fetchSnapshot(second, from: "n2")))
        #expect(fixture.stepAndSave(.snapshotReceived(second)).contains(.installSnapshot(second)))
        fixture.stepAndSave(.snapshotInstalled(second))
        #expect(fixture.core.base == .test(15, term: 3))
        #expect(fixture.core.commitIndex == 15)
    }

    @Test("Of two snapshots the older one is of no use behind the newer (faults 35)") func olderBehindNewer() {
        var fixture = Self.installing()
        fixture.stepAndSave(.snapshotInstalled(Self.offer))
        for index in [8, 10] as [UInt64] {
            let effects = fixture.stepAndSave(.snapshotReceived(.test(index, term: 2)))
            #expect(effects.isEmpty)
        }
        #expect(fixture.core.base == .test(10, term: 2))
    }

    @Test("What was committed meanwhile makes a received snapshot useless (section 7)") func committedMeanwhile() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        let entries = (3...10 as ClosedRange<UInt64>).map { Entry.test($0, term: 2) }
        fixture.stepAndSave(.received(AppendEntries.test(term: 3, after: 2, of: 1, entries, commit: 10), from: "n2"))
        #expect(!fixture.stepAndSave(.snapshotReceived(Self.offer)).contains(.installSnapshot(Self.offer)))
    }

    @Test("A leader installs nothing: its log is the one that counts") func leaderInstallsNothing() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        fixture.elect()
        #expect(fixture.stepAndSave(.snapshotReceived(Self.offer)).isEmpty)
    }

    @Test("Meanwhile nothing is applied and the log doesn't change; the leader hears why") func logStands() {
        var fixture = Self.installing(terms: [1, 1, 2])
        let append = RaftInput.received(
            AppendEntries.test(term: 3, after: 2, of: 1, [.test(3, term: 3)], commit: 3, round: 5), from: "n2")
        let effects = fixture.stepAndSave(append)
        #expect(effects.replies == [AppendEntriesReply(term: 3, outcome: .installing, readRound: 5)])
        #expect(effects.batches.isEmpty)
        #expect(effects.appliedIndexes.isEmpty)
        #expect(fixture.core.commitIndex == 1)
        #expect(fixture.core.lastIndex == 3)
    }

    @Test("What was committed before it began is not applied any more either") func nothingApplied() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        let effects = fixture.stepAndSave(
            .snapshotReceived(Self.offer),
            .received(AppendEntries.test(term: 3, after: 2, of: 1, commit: 2), from: "n2"))
        #expect(effects.contains(.installSnapshot(Self.offer)))
        #expect(effects.appliedIndexes.isEmpty)
        var other = Self.follower()
        other.stepAndSave(Self.offered())
        let late = other.stepAndSave(
            .received(AppendEntries.test(term: 3, after: 2, of: 1, commit: 2), from: "n2"),
            .snapshotReceived(Self.offer))
        #expect(late.appliedIndexes.isEmpty)
        let installed = other.stepAndSave(.snapshotInstalled(Self.offer))
        #expect(installed.appliedIndexes.isEmpty)
    }

    @Test("The log isn't compacted meanwhile") func notCompacted() {
        var fixture = Fixture(currentTerm: 3, terms: [1, 1, 1, 1]) { $0.retainedLogBytes = 1 }
        fixture.stepAndSave(.received(AppendEntries.test(term: 3, after: 4, of: 1, commit: 4), from: "n2"))
        fixture.stepAndSave(.snapshotReceived(Self.offer))
        fixture.stepAndSave(.compact(through: 4))
        #expect(fixture.core.base == .zero)
    }

    @Test("It goes on voting meanwhile, for whom its log allows (5.4.1)") func votes() {
        var fixture = Self.installing()
        fixture.advance(milliseconds: 300)
        let vote = fixture.stepAndSave(.received(.requestVote(.test(4, lastIndex: 12, lastTerm: 3)), from: "n3"))
        #expect(vote.voteReplies == [RequestVoteReply(term: 4, isGranted: true)])
    }

    @Test("It doesn't stand for election meanwhile, and gives up if it does already (5.4.1)") func doesNotStand() {
        var fixture = Self.installing()
        for _ in 0..<5 { #expect(fixture.elapse().messages().isEmpty) }
        #expect(fixture.core.currentTerm == 3)
        fixture.stepAndSave(.snapshotInstalled(Self.offer))
        #expect(!fixture.elapse().messages().isEmpty)

        var candidate = Self.follower()
        candidate.stepAndSave(Self.offered())
        candidate.elapse()
        candidate.stepAndSave(.received(.preVoteReply(.granted(3)), from: "n3"))
        #expect(candidate.core.summary.role == .candidate)
        #expect(candidate.stepAndSave(.snapshotReceived(Self.offer)).contains(.installSnapshot(Self.offer)))
        candidate.stepAndSave(.received(.requestVoteReply(RequestVoteReply(term: 4, isGranted: true)), from: "n3"))
        #expect(candidate.core.summary == RoleSummary(role: .follower, term: 4, leaderID: nil))
    }

    // MARK: When it is installed

    @Test(
        "A log that doesn't hold the snapshot's last entry goes, all of it (figure 13, step 7; faults 31)",
        arguments: [[1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 3]] as [[UInt64]])
    func logGoes(terms: [UInt64]) {
        var fixture = Self.installing(terms: terms)
        let effects = fixture.step(.snapshotInstalled(Self.offer))
        #expect(
            effects.batches.map(\.base) == [
                LogBase(position: .test(10, term: 2), membership: .three, keepsEntries: false)
            ])
        #expect(effects.batches.allSatisfy { $0.truncateFrom == nil && $0.entries.isEmpty })
        #expect(effects.batches.map(\.hardState.currentTerm) == [3])
        #expect(fixture.core.base == .test(10, term: 2))
        #expect(fixture.core.lastIndex == 10)
        #expect(fixture.core.commitIndex == 10)
        #expect(effects.appliedIndexes.isEmpty)
    }

    @Test("It counts as on disk when the log's new beginning is (faults 20)") func countsWhenOnDisk() {
        var fixture = Self.installing()
        fixture.step(.snapshotInstalled(Self.offer))
        #expect(fixture.core.durableIndex == 0)
        let offer = fixture.step(Self.offered())
        #expect(offer.replies.map(\.outcome) == [.success(matchIndex: 0)])
        let append = fixture.step(
            .received(AppendEntries.test(term: 3, after: 10, of: 2, [.test(11, term: 3)]), from: "n2"))
        #expect(append.replies.isEmpty)
        let saved = fixture.save()
        #expect(saved.replies.map(\.outcome) == [.success(matchIndex: 11)])
        #expect(fixture.core.durableIndex == 11)
        #expect(fixture.stepAndSave(Self.offered()).replies.map(\.outcome) == [.success(matchIndex: 10)])
    }

    @Test("Entries follow it in the very turn that installs it, in one batch") func oneBatch() {
        var fixture = Self.installing()
        let effects = fixture.step(
            .snapshotInstalled(Self.offer),
            .received(
                AppendEntries.test(term: 3, after: 10, of: 2, [.test(11, term: 3)], commit: 11), from: "n2"))
        #expect(effects.batches.map(\.base?.position.index) == [10])
        #expect(effects.batches.map(\.entries) == [[.test(11, term: 3)]])
        #expect(effects.batches.map(\.truncateFrom) == [nil])
        #expect(effects.appliedIndexes == [11])
    }

    @Test("Batches under way when the log went say nothing of what is on disk afterwards (faults 20)") func underWay() {
        var fixture = Self.follower()
        let entries = (3...12 as ClosedRange<UInt64>).map { Entry.test($0, term: 3) }
        fixture.step(.received(AppendEntries.test(term: 3, after: 2, of: 1, entries), from: "n2"))
        fixture.step(.snapshotReceived(Self.offer))
        // Entry 10 is of term 3 here, of term 2 in the snapshot: these twelve can't be the leader's any more.
        fixture.step(.snapshotInstalled(Self.offer))
        fixture.step(.persisted(through: 1))
        #expect(fixture.core.durableIndex == 0)
        fixture.step(.persisted(through: 2))
        #expect(fixture.core.durableIndex == 10)
    }

    @Test("A log that holds the snapshot's last entry keeps what stands behind it (figure 13, step 6)") func tailStays()
    {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        let entries = (3...10 as ClosedRange<UInt64>).map { Entry.test($0, term: 2) } + [.test(11, term: 3)]
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 3, after: 2, of: 1, entries, commit: 4), from: "n2"),
            .snapshotReceived(Self.offer))
        let effects = fixture.stepAndSave(.snapshotInstalled(Self.offer))
        // The prefix goes in its time.
        #expect(effects.batches.isEmpty && fixture.core.base == .zero)
        #expect(fixture.core.entry(at: 11) == .test(11, term: 3))
        #expect(fixture.core.durableIndex == 11)
        #expect(fixture.core.commitIndex == 10)
        let next = fixture.stepAndSave(
            .received(AppendEntries.test(term: 3, after: 11, of: 3, commit: 11), from: "n2"))
        #expect(next.appliedIndexes == [11])
    }

    @Test("Its membership counts from then on, and is on disk with the log's beginning (section 7; faults 33)")
    func membershipCounts() {
        let four = Membership.test(["n1", "n2", "n3", "n4"])
        let stale = Membership.test(["n1", "n2", "n3"], learners: ["n9"])
        var fixture = Fixture(currentTerm: 3, terms: [1], more: [.test(2, term: 1, stale)], applied: 1)
        #expect(fixture.core.membership == stale)
        let offer = SnapshotOffer.test(10, term: 2, four)
        fixture.stepAndSave(Self.offered(offer))
        fixture.stepAndSave(.snapshotReceived(offer))
        #expect(fixture.core.membership == stale)
        let effects = fixture.stepAndSave(.snapshotInstalled(offer))
        #expect(effects.memberships == [four])
        #expect(effects.batches.map(\.base?.membership) == [four])
        #expect(fixture.core.isMembershipSettled)
        #expect(fixture.elapse().messages(to: "n4").count == 1)
    }

    @Test("When the log stays, its own entries say who takes part, in memory and on disk (faults 33)")
    func membershipOfTheLog() {
        let four = Membership.test(["n2", "n3", "n4"])
        let offer = SnapshotOffer.test(3, term: 2, four)
        var fixture = Fixture(currentTerm: 3, membership: .test(["n2", "n3"]))
        fixture.stepAndSave(Self.offered(offer))
        let entries = [Entry.test(1, term: 2), .test(2, term: 2, four), .test(3, term: 2)]
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 3, entries), from: "n2"), .snapshotReceived(offer))
        let effects = fixture.stepAndSave(.snapshotInstalled(offer))
        #expect(effects.batches.isEmpty)
        #expect(fixture.core.membership == four && fixture.core.base == .zero)
        #expect(fixture.core.commitIndex == 3)
    }

    @Test("A membership behind the snapshot stays with the entries that stay (section 6)") func laterMembershipStays() {
        let four = Membership.test(["n1", "n2", "n3", "n4"])
        var fixture = Self.follower()
        let entries = (3...10 as ClosedRange<UInt64>).map { Entry.test($0, term: 2) } + [.test(11, term: 3, four)]
        fixture.stepAndSave(
            .received(AppendEntries.test(term: 3, after: 2, of: 1, entries), from: "n2"), .snapshotReceived(Self.offer))
        fixture.stepAndSave(.snapshotInstalled(Self.offer))
        #expect(fixture.core.membership == four)
    }

    @Test("What it holds may be let go of at once: the state on disk is the snapshot") func stateIsDurable() {
        var fixture = Self.follower()
        fixture.stepAndSave(Self.offered())
        fixture.stepAndSave(.snapshotReceived(Self.offer))
        fixture.stepAndSave(.snapshotInstalled(Self.offer))
        fixture.stepAndSave(.compact(through: 4))
        #expect(fixture.core.base == .test(10, term: 2))
    }
}
