// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("A log that has lost entries to rot gets them back from the others") struct RepairTests {
    /// Follows nobody yet, in term 3. Its log ends at 4; it has acknowledged more.
    private static func rotten() -> Fixture { Fixture(currentTerm: 3, terms: [1, 1, 3, 3], losses: 2) }

    private static func append(
        after index: UInt64 = 4, _ entries: [Entry] = [], commit: UInt64 = 0, repair: RepairTarget? = nil
    ) -> RaftInput {
        .received(
            AppendEntries.test(term: 3, after: index, of: 3, entries, commit: commit, repair: repair), from: "n2")
    }

    private static func ask(_ term: UInt64) -> RaftInput {
        .received(.requestVote(.test(term, lastIndex: 99, lastTerm: term - 1, isTransfer: true)), from: "n3")
    }

    // MARK: The node

    @Test("It votes for nobody, doesn't stand, and can't be told to")
    func noVote() {
        var fixture = Self.rotten()
        fixture.elapse()
        #expect(fixture.core.summary.role == .follower)
        fixture.stepAndSave(Self.append())
        fixture.stepAndSave(.received(.timeoutNow(TimeoutNow(term: 3)), from: "n2"))
        #expect(fixture.core.summary.role == .follower)
        let preVote = fixture.stepAndSave(
            .received(.preVote(.test(4, lastIndex: 99, lastTerm: 3, isTransfer: true)), from: "n3"))
        #expect(
            preVote.messages().contains { if case .preVoteReply(let reply) = $0 { !reply.isGranted } else { false } })
        #expect(fixture.stepAndSave(Self.ask(4)).voteReplies == [RequestVoteReply(term: 4, isGranted: false)])
        #expect(fixture.core.votedFor == nil)
    }

    @Test("It takes entries, and its answers name the loss")
    func takesEntries() {
        var fixture = Self.rotten()
        let replies = fixture.stepAndSave(Self.append([.test(5, term: 3)], commit: 5)).replies
        #expect(
            replies == [
                AppendEntriesReply(
                    term: 3, outcome: .success(matchIndex: 5), readRound: 0, losses: 2, isRepairing: true)
            ])
        // All that it knows to be committed isn't enough: it must be told how far it has to come.
        #expect(fixture.core.isRepairing)
    }

    @Test("Its vote is back once everything through the target is committed and on its disk, and not before")
    func repaired() {
        var fixture = Self.rotten()
        fixture.stepAndSave(Self.append([.test(5, term: 3)], commit: 5, repair: RepairTarget(loss: 2, index: 6)))
        #expect(fixture.core.isRepairing)
        let unsaved = fixture.step(Self.append(after: 5, [.test(6, term: 3)], commit: 6))
        #expect(fixture.core.isRepairing && !unsaved.contains { if case .logRepaired = $0 { true } else { false } })
        let effects = fixture.save() + fixture.save()
        #expect(effects.contains(.logRepaired(through: 6)))
        #expect(!fixture.core.isRepairing)
        #expect(effects.batches.last?.hardState.isRepairing == false && effects.batches.last?.hardState.losses == 2)
        // Its first vote leaves only behind that.
        let vote = fixture.step(Self.ask(4))
        #expect(vote.voteReplies.isEmpty)
        #expect(fixture.save().voteReplies == [RequestVoteReply(term: 4, isGranted: true)])
    }

    @Test("A target of an earlier loss is of no use")
    func oldTarget() {
        var fixture = Self.rotten()
        fixture.stepAndSave(Self.append([.test(5, term: 3)], commit: 5, repair: RepairTarget(loss: 1, index: 5)))
        fixture.stepAndSave(Self.append(after: 5, commit: 5))
        #expect(fixture.core.isRepairing)
    }

    @Test("A target below what it has is reached at once, in a later term too")
    func laterTerm() {
        var fixture = Self.rotten()
        fixture.stepAndSave(Self.append([.test(5, term: 3)], commit: 4, repair: RepairTarget(loss: 2, index: 5)))
        fixture.stepAndSave(.received(AppendEntries.test(term: 4, after: 5, of: 3, commit: 5), from: "n3"))
        #expect(!fixture.core.isRepairing)
    }

    // MARK: Its leader

    /// Leads term 2 of three nodes with a log that ends at 4; all have acknowledged it.
    private static func leader() -> Fixture {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1, 1])
        fixture.elect()
        for peer in ["n2", "n3"] as [NodeID] { fixture.acknowledge(4, from: peer) }
        return fixture
    }

    private static func targets(_ effects: [RaftEffect], to peer: NodeID = "n3") -> [RepairTarget] {
        effects.appends(to: peer).compactMap(\.repair)
    }

    @Test("What the follower acknowledged before the loss doesn't count any more")
    func forgotten() {
        var fixture = Self.leader()
        fixture.propose(2)
        fixture.acknowledge(2, from: "n3", losses: 1, isRepairing: true)
        #expect(fixture.core.matchIndexes["n3"] == 2)
        // What comes late, of before the loss, would commit what only this node has.
        fixture.acknowledge(6, from: "n3")
        #expect(fixture.core.matchIndexes["n3"] == 2 && fixture.core.commitIndex == 4)
        fixture.acknowledge(6, from: "n3", losses: 1, isRepairing: true)
        #expect(fixture.core.commitIndex == 6)
        // A second loss is another one.
        fixture.propose()
        fixture.acknowledge(3, from: "n3", losses: 2, isRepairing: true)
        #expect(fixture.core.matchIndexes["n3"] == 3)
    }

    @Test("The target is what was committed when the leader heard of the loss, told until the log is whole")
    func target() {
        var fixture = Self.leader()
        let effects = fixture.acknowledge(2, from: "n3", losses: 1, isRepairing: true)
        #expect(Set(Self.targets(effects)) == [RepairTarget(loss: 1, index: 4)])
        // What is committed since doesn't move it.
        fixture.propose()
        fixture.acknowledge(5, from: "n3", losses: 1, isRepairing: true)
        #expect(fixture.core.commitIndex == 5)
        #expect(Set(Self.targets(fixture.elapse())) == [RepairTarget(loss: 1, index: 4)])
        fixture.acknowledge(5, from: "n3", losses: 1)
        #expect(Self.targets(fixture.elapse()).isEmpty)
        // Another loss has a target of its own.
        let again = fixture.acknowledge(3, from: "n3", losses: 2, isRepairing: true) + fixture.elapse()
        #expect(Set(Self.targets(again)) == [RepairTarget(loss: 2, index: 5)])
    }

    @Test("A leader without a committed entry of its own term names no target: it can't know what is committed")
    func beforeOwnEntry() {
        var fixture = Fixture(size: 5, currentTerm: 1, terms: [1, 1, 1])
        fixture.elect()
        let effects =
            fixture.acknowledge(2, from: "n3", losses: 1, isRepairing: true) + fixture.acknowledge(3, from: "n2")
            + fixture.acknowledge(3, from: "n4") + fixture.elapse()
        #expect(fixture.core.commitIndex == 0 && Self.targets(effects).isEmpty)
        let told = fixture.acknowledge(4, from: "n2") + fixture.acknowledge(4, from: "n4") + fixture.elapse()
        #expect(fixture.core.commitIndex == 4)
        #expect(Set(Self.targets(told)) == [RepairTarget(loss: 1, index: 4)])
    }

    @Test("Where its vote would be needed for a majority the members aren't changed, and nobody hands over to it")
    func needed() {
        var fixture = Self.leader()
        fixture.acknowledge(4, from: "n3", losses: 1, isRepairing: true)
        let effects = fixture.change(.change(promote: [], remove: ["n2"]))
        #expect(effects.contains { if case .membershipRefused(_, .majoritySilent) = $0 { true } else { false } })
        #expect(fixture.stepAndSave(.transferLeadership(to: "n3")).toldToStand.isEmpty)
        fixture.acknowledge(4, from: "n3", losses: 1)
        let allowed = fixture.change(.change(promote: [], remove: ["n2"]))
        #expect(!allowed.contains { if case .membershipRefused = $0 { true } else { false } })
    }

    @Test("It is no successor")
    func successor() {
        var fixture = Self.leader()
        fixture.propose()
        fixture.acknowledge(5, from: "n3", losses: 1, isRepairing: true)
        fixture.acknowledge(5, from: "n2")
        #expect(fixture.stepAndSave(.transferLeadership(to: nil)).toldToStand == ["n2"])
    }
}
