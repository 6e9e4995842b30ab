// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

/// The logs of figure 7, and the leader's of term 8.
private enum Figure7 {
    static let leaderTerms: [UInt64] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
    static let followers: [[UInt64]] = [
        [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4], [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], [1, 1, 1, 4, 4, 4, 4], [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ]
}

@Suite("Log replication, the follower (Raft paper 5.3)") struct FollowerTests {
    @Test("An acknowledgement waits for the disk (figure 2; faults 20)") func acknowledgementWaits() {
        var fixture = Fixture()
        let effects = fixture.step(
            .received(AppendEntries.test(term: 1, [.test(1, term: 1), .test(2, term: 1)]), from: "n2"))
        #expect(effects.replies.isEmpty)
        #expect(effects.batches.count == 1)
        #expect(fixture.save().replies.map(\.outcome) == [.success(matchIndex: 2)])
    }

    @Test("Term, vote and entries of one turn are one batch (faults 2)") func oneBatchPerTurn() {
        var fixture = Fixture()
        let effects = fixture.step(
            .received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n2"),
            .received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1)]), from: "n2"))
        #expect(
            effects.batches == [
                Batch(
                    sequence: 1, hardState: HardState(currentTerm: 1, votedFor: nil), truncateFrom: nil,
                    entries: [.test(1, term: 1), .test(2, term: 1)])
            ])
        #expect(fixture.save().replies.map(\.outcome) == [.success(matchIndex: 2)])
    }

    @Test("A heartbeat is answered at once, with what is on disk and no more") func heartbeatTellsTheDisk() {
        var fixture = Fixture()
        fixture.stepAndSave(.received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n2"))
        fixture.step(.received(AppendEntries.test(term: 1, after: 1, of: 1, [.test(2, term: 1)]), from: "n2"))
        let effects = fixture.step(.received(AppendEntries.test(term: 1, after: 2, of: 1), from: "n2"))
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 1)])
        #expect(fixture.save().replies.map(\.outcome) == [.success(matchIndex: 2)])
    }

    @Test("A leader of an earlier term is refused with the term (5.1)") func staleLeader() {
        var fixture = Fixture(currentTerm: 3)
        let effects = fixture.stepAndSave(.received(AppendEntries.test(term: 2), from: "n2"))
        #expect(effects.replies == [AppendEntriesReply(term: 3, outcome: .staleTerm, readRound: 0)])
    }

    @Test(
        "What doesn't follow on is refused with a hint that skips a whole term (end of 5.3)",
        arguments: [
            // The log is 1 1 4 4: too short, another term at the end, another term in the middle.
            (6, 4, nil, 5), (4, 5, 4, 3), (2, 3, 1, 1),
        ] as [(UInt64, UInt64, UInt64?, UInt64)])
    func conflictHint(previous: UInt64, previousTerm: UInt64, conflictTerm: UInt64?, conflictIndex: UInt64) {
        var fixture = Fixture(currentTerm: 4, terms: [1, 1, 4, 4])
        let effects = fixture.stepAndSave(
            .received(AppendEntries.test(term: 6, after: previous, of: previousTerm), from: "n2"))
        #expect(
            effects.replies.map(\.outcome) == [
                .conflict(
                    rejectedIndex: LogIndex(rawValue: previous), conflictTerm: conflictTerm.map(Term.init(rawValue:)),
                    conflictIndex: LogIndex(rawValue: conflictIndex))
            ])
    }

    @Test("Every log of figure 7 comes to match the leader's, on disk too", arguments: Figure7.followers)
    func figure7(terms: [UInt64]) {
        var fixture = Fixture(currentTerm: 7, terms: terms)
        var disk = terms
        var next = Figure7.leaderTerms.count + 1
        var rounds = 0
        while rounds < 12 {
            rounds += 1
            let entries = Figure7.leaderTerms[(next - 1)...].enumerated().map {
                Entry.test(UInt64(next + $0.offset), term: $0.element)
            }
            let message = AppendEntries.test(
                term: 8, after: UInt64(next - 1), of: next == 1 ? 0 : Figure7.leaderTerms[next - 2], entries)
            let effects = fixture.stepAndSave(.received(message, from: "n2"))
            for batch in effects.batches {
                if let cut = batch.truncateFrom { disk.removeSubrange((Int(cut.rawValue) - 1)...) }
                disk += batch.entries.map(\.term.rawValue)
            }
            guard case .conflict(_, _, let hint) = effects.replies.first?.outcome else { break }
            next = Int(hint.rawValue)
        }
        // A log that merely is longer than the leader's (c and d) keeps its tail until an entry conflicts with it.
        #expect(Array(disk.prefix(10)) == Figure7.leaderTerms)
        #expect(fixture.core.lastIndex.rawValue == UInt64(disk.count))
    }

    @Test("A conflicting tail is cut on disk and in memory, in one batch with what replaces it (5.3)") func truncation()
    {
        var fixture = Fixture(currentTerm: 2, terms: [1, 2, 2])
        let effects = fixture.step(
            .received(AppendEntries.test(term: 3, after: 1, of: 1, [.test(2, term: 3)]), from: "n2"))
        #expect(effects.batches.map(\.truncateFrom) == [2])
        #expect(effects.batches.map(\.entries) == [[.test(2, term: 3)]])
        #expect(fixture.core.lastIndex == 2)
        #expect(fixture.core.durableIndex == 1)
        fixture.save()
        #expect(fixture.core.durableIndex == 2)
    }

    @Test("An old or repeated message cuts nothing (faults 22)") func duplicateCutsNothing() {
        var fixture = Fixture()
        let three = AppendEntries.test(term: 1, [.test(1, term: 1), .test(2, term: 1), .test(3, term: 1)])
        fixture.stepAndSave(.received(three, from: "n2"))
        let effects = fixture.stepAndSave(.received(AppendEntries.test(term: 1, [.test(1, term: 1)]), from: "n2"))
        #expect(effects.batches.isEmpty)
        #expect(fixture.core.lastIndex == 3)
        #expect(effects.replies.map(\.outcome) == [.success(matchIndex: 1)])
    }

    @Test("Entries that were cut off and come back count as durable only when they are on disk again (faults 20)")
    func appendABA() {
        var fixture = Fixture(currentTerm: 2, terms: [1])
        // Entry 2 of term 2 is under way to the disk, is cut off by term 3, and comes back by the leader of term 4.
        fixture.step(.received(AppendEntries.test(term: 2, after: 1, of: 1, [.test(2, term: 2)]), from: "n2"))
        fixture.step(.received(AppendEntries.test(term: 3, after: 1, of: 1, [.test(2, term: 3)]), from: "n3"))
        fixture.step(.received(AppendEntries.test(term: 4, after: 1, of: 1, [.test(2, term: 2)]), from: "n2"))
        fixture.step(.persisted(through: 1))
        #expect(fixture.core.durableIndex == 1)
        fixture.step(.persisted(through: 2))
        #expect(fixture.core.durableIndex == 1)
        let effects = fixture.step(.persisted(through: 3))
        #expect(fixture.core.durableIndex == 2)
        #expect(effects.replies.map(\.term) == [4])
    }

    @Test("commitIndex never passes what the message proves to match (figure 2, step 5)") func commitIsBounded() {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1, 1])
        fixture.stepAndSave(.received(AppendEntries.test(term: 2, after: 1, of: 1, commit: 3), from: "n2"))
        #expect(fixture.core.commitIndex == 1)
    }

    @Test("Committed entries are applied once, in order, also after a restart (faults 23)") func appliedOnce() {
        var fixture = Fixture(currentTerm: 1, terms: [1, 1, 1, 1], applied: 2)
        let first = fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 4, of: 1, commit: 3), from: "n2"))
        #expect(first.appliedIndexes == [3])
        let again = fixture.stepAndSave(.received(AppendEntries.test(term: 1, after: 4, of: 1, commit: 4), from: "n2"))
        #expect(again.appliedIndexes == [4])
    }

    @Test("Entries that don't follow each other are dropped whole") func malformed() {
        var fixture = Fixture()
        let gap = AppendEntries.test(term: 1, [.test(1, term: 1), .test(3, term: 1)])
        let future = AppendEntries.test(term: 1, [.test(1, term: 2)])
        let backwards = AppendEntries.test(term: 3, [.test(1, term: 2), .test(2, term: 1)])
        for message in [gap, future, backwards] {
            let effects = fixture.stepAndSave(.received(message, from: "n2"))
            #expect(effects.batches.isEmpty && effects.messages().isEmpty)
        }
        #expect(fixture.core.lastIndex == 0)
    }
}

@Suite("Log replication, the leader (Raft paper 5.3, 5.4)") struct LeaderTests {
    @Test("An entry is committed when a majority has it on disk, the leader's own disk included (5.3)")
    func commitNeedsMajority() {
        var fixture = Fixture(size: 5)
        fixture.elect()
        #expect(fixture.acknowledge(1, from: "n2").appliedIndexes.isEmpty)
        #expect(fixture.acknowledge(1, from: "n3").appliedIndexes == [1])
    }

    @Test("A leader's own entry counts for it only when its disk has it (faults 20)") func ownDiskCounts() {
        var fixture = Fixture(size: 5)
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.acknowledge(1, from: "n3")
        fixture.step(.propose(ProposalID(rawValue: 1), payloads: [[7]]))
        func reply(_ index: LogIndex) -> Message {
            .appendEntriesReply(AppendEntriesReply(term: 1, outcome: .success(matchIndex: index), readRound: 0))
        }
        let two = fixture.step(.received(reply(2), from: "n2"), .received(reply(2), from: "n3"))
        #expect(two.appliedIndexes.isEmpty)
        #expect(fixture.save().appliedIndexes == [2])
    }

    @Test("A majority of others commits although the leader's disk is late") func lateLeaderDisk() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.step(.propose(ProposalID(rawValue: 1), payloads: [[7]]))
        let reply = Message.appendEntriesReply(
            AppendEntriesReply(term: 1, outcome: .success(matchIndex: 2), readRound: 0))
        let effects = fixture.step(.received(reply, from: "n2"), .received(reply, from: "n3"))
        #expect(effects.appliedIndexes == [2])
    }

    @Test("An entry of an earlier term is not committed by counting (5.4.2, figure 8; faults 16)") func figure8() {
        var fixture = Fixture(size: 5, currentTerm: 3, terms: [1, 2])
        fixture.elect()
        fixture.acknowledge(2, from: "n2")
        #expect(fixture.acknowledge(2, from: "n3").appliedIndexes.isEmpty)
        #expect(fixture.core.commitIndex == 0)
        fixture.acknowledge(3, from: "n2")
        #expect(fixture.acknowledge(3, from: "n3").appliedIndexes == [1, 2, 3])
    }

    @Test("Entries go out before the leader's own sync, and without waiting for answers (pipeline)") func pipeline() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        for value in 1...3 {
            let effects = fixture.step(.propose(ProposalID(rawValue: UInt64(value)), payloads: [[UInt8(value)]]))
            #expect(
                effects.appends(to: "n2").flatMap(\.entries).map(\.index) == [LogIndex(rawValue: UInt64(value + 1))])
            // n3 hasn't answered yet: it is still being probed.
            #expect(effects.appends(to: "n3").isEmpty)
        }
    }

    @Test("Proposals of one turn are one batch and one message for each peer (group commit)") func groupCommit() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        let effects = fixture.step(
            .propose(ProposalID(rawValue: 1), payloads: [[1], [2]]), .propose(ProposalID(rawValue: 2), payloads: [[3]]))
        #expect(effects.batches.map { $0.entries.count } == [3])
        #expect(effects.appends(to: "n2").map { $0.entries.count } == [3])
        #expect(effects.contains(.proposalAppended(ProposalID(rawValue: 2), first: 4, term: 1)))
    }

    @Test("The window bounds what is under way to a peer") func window() {
        var fixture = Fixture { $0.maximumInflightMessages = 3 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        var sent = 0
        for value in 1...6 {
            sent +=
                fixture.step(.propose(ProposalID(rawValue: UInt64(value)), payloads: [[1]])).appends(to: "n2")
                .filter { !$0.entries.isEmpty }.count
        }
        #expect(sent == 3)
        #expect(fixture.acknowledge(4, from: "n2").appends(to: "n2").flatMap(\.entries).map(\.index) == [5, 6, 7])
    }

    @Test("A message holds at most the configured bytes, and always one entry") func messageBytes() {
        var fixture = Fixture { $0.maximumMessageBytes = 10 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        let payloads = [[UInt8]](repeating: [1, 2, 3, 4], count: 5) + [[UInt8](repeating: 9, count: 50)]
        let effects = fixture.step(.propose(ProposalID(rawValue: 1), payloads: payloads))
        #expect(effects.appends(to: "n2").map { $0.entries.count } == [2, 2, 1, 1])
    }

    @Test("A rejection moves nextIndex back by a whole term, and old rejections move nothing (end of 5.3)")
    func fastBackOff() {
        var fixture = Fixture(currentTerm: 7, terms: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6])
        fixture.elect()
        func reject(_ index: UInt64, term: UInt64?, at hint: UInt64) -> RaftInput {
            .received(
                .appendEntriesReply(
                    AppendEntriesReply(
                        term: 8,
                        outcome: .conflict(
                            rejectedIndex: LogIndex(rawValue: index), conflictTerm: term.map(Term.init(rawValue:)),
                            conflictIndex: LogIndex(rawValue: hint)), readRound: 0)), from: "n2")
        }
        // The follower's log is that of figure 7 (f): 1 1 1 2 2 2 3 3 3 3 3.
        let first = fixture.stepAndSave(reject(10, term: 3, at: 7))
        #expect(first.appends(to: "n2").map(\.prevLogIndex) == [6])
        #expect(fixture.stepAndSave(reject(10, term: 3, at: 7)).appends(to: "n2").isEmpty)
        let second = fixture.stepAndSave(reject(6, term: 2, at: 4))
        #expect(second.appends(to: "n2").map(\.prevLogIndex) == [3])
        fixture.acknowledge(11, from: "n2")
        #expect(fixture.stepAndSave(reject(3, term: nil, at: 1)).appends(to: "n2").isEmpty)
    }

    @Test("A lost message shows at the next heartbeat and is sent again") func lostMessage() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(.propose(ProposalID(rawValue: 1), payloads: [[7]]))
        // The message got lost; the heartbeat behind it is refused.
        let heartbeat = fixture.elapse().appends(to: "n2")
        #expect(heartbeat.map(\.prevLogIndex) == [2])
        let reply = AppendEntriesReply(
            term: 1, outcome: .conflict(rejectedIndex: 2, conflictTerm: nil, conflictIndex: 2), readRound: 0)
        let effects = fixture.stepAndSave(.received(.appendEntriesReply(reply), from: "n2"))
        #expect(effects.appends(to: "n2").flatMap(\.entries).map(\.index) == [2])
    }

    @Test("A new connection begins again behind what is known to match") func reconnect() {
        var fixture = Fixture()
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        fixture.stepAndSave(.propose(ProposalID(rawValue: 1), payloads: [[7]]))
        let effects = fixture.stepAndSave(.peerConnected("n2"))
        #expect(effects.appends(to: "n2").flatMap(\.entries).map(\.index) == [2])
    }

    @Test("Followers hear of a new commit index without waiting for the heartbeat") func commitNews() {
        var fixture = Fixture()
        fixture.elect()
        let effects = fixture.acknowledge(1, from: "n2")
        #expect(effects.appends(to: "n2").map(\.leaderCommit) == [1])
    }

    @Test("A node that doesn't lead refuses proposals and says who leads") func followerRefuses() {
        var fixture = Fixture()
        fixture.stepAndSave(.received(AppendEntries.test(term: 1), from: "n2"))
        let effects = fixture.step(.propose(ProposalID(rawValue: 4), payloads: [[1]]))
        #expect(effects == [.proposalRefused(ProposalID(rawValue: 4), leaderID: "n2")])
    }

    @Test("Uncommitted bytes are bounded, and room returns with commitment") func uncommittedBytes() {
        var fixture = Fixture { $0.maximumUncommittedBytes = 10 }
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        func isRefused(_ effects: [RaftEffect]) -> Bool {
            effects.contains { if case .proposalRefused = $0 { true } else { false } }
        }
        let big = [UInt8](repeating: 1, count: 8)
        #expect(!isRefused(fixture.stepAndSave(.propose(ProposalID(rawValue: 1), payloads: [big]))))
        #expect(isRefused(fixture.stepAndSave(.propose(ProposalID(rawValue: 2), payloads: [big]))))
        fixture.acknowledge(2, from: "n2")
        #expect(!isRefused(fixture.stepAndSave(.propose(ProposalID(rawValue: 3), payloads: [big]))))
    }

    @Test("A leader is established when an entry of its own term is applied, after that entry was given out")
    func established() {
        var fixture = Fixture(currentTerm: 1, terms: [1])
        fixture.elect()
        let effects = fixture.acknowledge(2, from: "n2")
        let apply = effects.firstIndex { if case .apply = $0 { true } else { false } }
        let established = effects.firstIndex(of: .leaderEstablished(term: 2))
        #expect(apply != nil && established != nil)
        if let apply, let established { #expect(apply < established) }
    }
}
