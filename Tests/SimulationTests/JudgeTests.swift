// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation
import Testing

/// The judge itself is tested: each invariant is broken on purpose, and the judge must say so.
@Suite("The judge") struct JudgeTests {
    private static let names = ["n1", "n2", "n3"].map { NodeID(rawValue: $0) }

    private static func entry(_ index: UInt64, term: UInt64, _ payload: UInt8 = 0) -> Entry {
        Entry(index: LogIndex(rawValue: index), term: Term(rawValue: term), kind: .command, payload: [payload])
    }

    private static func batch(
        _ sequence: UInt64, term: UInt64, vote: String? = nil, base: LogBase? = nil, cutFrom: UInt64? = nil,
        _ entries: [Entry] = []
    ) -> Batch {
        Batch(
            sequence: sequence,
            hardState: HardState(currentTerm: Term(rawValue: term), votedFor: vote.map { NodeID(rawValue: $0) }),
            base: base, truncateFrom: cutFrom.map { LogIndex(rawValue: $0) }, entries: entries)
    }

    private static func view(
        _ role: RoleSummary.Role = .follower, term: UInt64, commit: UInt64 = 0, last: UInt64 = 0
    ) -> Judge.View {
        Judge.View(
            role: role, term: Term(rawValue: term), commitIndex: LogIndex(rawValue: commit),
            lastIndex: LogIndex(rawValue: last))
    }

    private static func acknowledgement(_ match: UInt64, term: UInt64) -> Message {
        .appendEntriesReply(
            AppendEntriesReply(
                term: Term(rawValue: term), outcome: .success(matchIndex: LogIndex(rawValue: match)), readRound: 0))
    }

    /// What the judge says of a story that breaks an invariant.
    private static func verdict(_ story: (inout Judge) throws(Violation) -> Void) -> Invariant? {
        var judge = Judge(nodes: self.names)
        do {
            try story(&judge)
        } catch {
            return error.invariant
        }
        return nil
    }

    @Test("I1: two leaders of one term") func twoLeaders() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.ends(Self.view(.leader, term: 2), node: 0)
            try judge.ends(Self.view(.leader, term: 3), node: 1)
            try judge.ends(Self.view(.leader, term: 2), node: 2)
        }
        #expect(verdict == .oneLeaderPerTerm)
    }

    @Test("I1: a node that only sends as a leader counts") func silentLeader() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.ends(Self.view(.leader, term: 2), node: 0)
            let message = Message.appendEntries(
                AppendEntries(
                    term: Term(rawValue: 2), prevLogIndex: .zero, prevLogTerm: .zero, entries: [], leaderCommit: .zero,
                    readRound: 0))
            try judge.sends(message, to: Self.names[0], node: 1)
        }
        #expect(verdict == .oneLeaderPerTerm)
    }

    @Test("I2: the same index and term behind another history") func logsDontMatch() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 2, [Self.entry(1, term: 1), Self.entry(2, term: 2)]), node: 0)
            try judge.persists(Self.batch(1, term: 2, [Self.entry(1, term: 2), Self.entry(2, term: 2)]), node: 1)
        }
        #expect(verdict == .logMatching)
    }

    @Test("I3: two nodes commit different entries at one index") func committedDiffers() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.ends(Self.view(term: 1, commit: 1, last: 1), node: 0)
            try judge.persists(Self.batch(1, term: 2, [Self.entry(1, term: 2)]), node: 1)
            try judge.ends(Self.view(term: 2, commit: 1, last: 1), node: 1)
        }
        #expect(verdict == .committedStays)
    }

    @Test("I3: a later leader lacks what was committed") func leaderLacksCommitted() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.ends(Self.view(term: 1, commit: 1, last: 1), node: 0)
            try judge.ends(Self.view(.leader, term: 2), node: 1)
        }
        #expect(verdict == .committedStays)
    }

    @Test("I3: a leader was elected before it is seen that an earlier term's entry is committed") func seenLate() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.ends(Self.view(.leader, term: 2), node: 1)
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.ends(Self.view(term: 1, commit: 1, last: 1), node: 0)
        }
        #expect(verdict == .committedStays)
    }

    @Test("I3: a committed entry is cut off") func committedIsCutOff() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 1)
            try judge.ends(Self.view(term: 1, commit: 1, last: 1), node: 0)
            try judge.persists(Self.batch(2, term: 2, cutFrom: 1), node: 1)
        }
        #expect(verdict == .committedStays)
    }

    @Test("I3: a commit index goes back") func commitGoesBack() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.ends(Self.view(term: 1, commit: 1, last: 1), node: 0)
            try judge.ends(Self.view(term: 1, commit: 0, last: 1), node: 0)
        }
        #expect(verdict == .committedStays)
    }

    @Test("I3: what is applied isn't what stands in the log") func appliesAnother() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1, 7)]), node: 0)
            try judge.applies([Self.entry(1, term: 1, 8)], node: 0, term: Term(rawValue: 1))
        }
        #expect(verdict == .committedStays)
    }

    @Test("I16: a base names other members than the entries through it", arguments: [true, false])
    func baseForgetsMembers(isRight: Bool) throws {
        let members = Membership(
            voters: Self.names.prefix(2).map { Member(nodeID: $0, storageID: StorageID(rawValue: 1)) })
        let change = Entry(
            index: LogIndex(rawValue: 1), term: Term(rawValue: 1), kind: .membership,
            payload: MembershipCodec.encode(members))
        let founders = Membership(voters: Self.names.map { Member(nodeID: $0, storageID: .unknown) })
        let base = LogBase(
            position: LogPosition(index: LogIndex(rawValue: 1), term: Term(rawValue: 1)),
            membership: isRight ? members : founders, keepsEntries: true)
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [change, Self.entry(2, term: 1)]), node: 0)
            try judge.ends(Self.view(term: 1, commit: 2, last: 2), node: 0)
            try judge.persists(Self.batch(2, term: 1, base: base), node: 0)
        }
        #expect(verdict == (isRight ? nil : .baseMembers))
    }

    @Test("I4: two states at one index") func statesDiffer() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.reaches(LogIndex(rawValue: 1), stateHash: 1, node: 0)
            try judge.reaches(LogIndex(rawValue: 1), stateHash: 2, node: 1)
        }
        #expect(verdict == .sameStateHash)
    }

    @Test("I4: an entry is applied twice") func appliedTwice() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.reaches(LogIndex(rawValue: 1), stateHash: 1, node: 0)
            try judge.reaches(LogIndex(rawValue: 1), stateHash: 1, node: 0)
        }
        #expect(verdict == .sameStateHash)
    }

    @Test("I5: two votes in a term") func votesTwice() {
        let verdict = Self.verdict { judge throws(Violation) in
            let vote = Message.requestVoteReply(RequestVoteReply(term: Term(rawValue: 2), isGranted: true))
            try judge.sends(vote, to: Self.names[1], node: 0)
            try judge.sends(vote, to: Self.names[2], node: 0)
        }
        #expect(verdict == .promisesSurvive)
    }

    @Test("I5: a vote is gone after a restart") func voteIsGone() {
        let verdict = Self.verdict { judge throws(Violation) in
            let vote = Message.requestVoteReply(RequestVoteReply(term: Term(rawValue: 2), isGranted: true))
            try judge.sends(vote, to: Self.names[1], node: 0)
            let found = HardState(currentTerm: Term(rawValue: 2), votedFor: nil)
            try judge.restarts(
                0, recovered: RecoveredLog(hardState: found, base: .zero, entries: []), appliedIndex: .zero)
        }
        #expect(verdict == .promisesSurvive)
    }

    @Test("I5: a term is gone after a restart") func termIsGone() {
        let verdict = Self.verdict { judge throws(Violation) in
            let reply = Message.preVoteReply(
                PreVoteReply(term: Term(rawValue: 2), candidacyTerm: Term(rawValue: 3), isGranted: false))
            try judge.sends(reply, to: Self.names[1], node: 0)
            try judge.restarts(0, recovered: .empty, appliedIndex: .zero)
        }
        #expect(verdict == .promisesSurvive)
    }

    @Test("I5: an acknowledged entry is gone after a restart") func acknowledgedIsGone() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.sends(Self.acknowledgement(1, term: 1), to: Self.names[1], node: 0)
            let found = HardState(currentTerm: Term(rawValue: 1), votedFor: nil)
            try judge.restarts(
                0, recovered: RecoveredLog(hardState: found, base: .zero, entries: []), appliedIndex: .zero)
        }
        #expect(verdict == .promisesSurvive)
    }

    @Test("I5: what a later leader has cut off was promised to nobody that counts") func cutOffIsNoPromise() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(
                Self.batch(1, term: 1, [Self.entry(1, term: 1), Self.entry(2, term: 1)]), node: 0)
            try judge.persists(Self.batch(2, term: 2, cutFrom: 2), node: 0)
            try judge.sends(Self.acknowledgement(2, term: 1), to: Self.names[1], node: 0)
            let found = HardState(currentTerm: Term(rawValue: 2), votedFor: nil)
            try judge.restarts(
                0,
                recovered: RecoveredLog(hardState: found, base: .zero, entries: [Self.entry(1, term: 1)]),
                appliedIndex: .zero)
        }
        #expect(verdict == nil)
    }

    @Test(
        "I5: a later leader's snapshot takes the place of what conflicts with it, and of nothing else (found at a seed)",
        arguments: [true, false])
    func snapshotTakesConflicts(isConflict: Bool) {
        let verdict = Self.verdict { judge throws(Violation) in
            let common = Self.entry(1, term: 1)
            try judge.persists(
                Self.batch(1, term: 1, [common, Self.entry(2, term: 1), Self.entry(3, term: 1)]), node: 0)
            try judge.sends(Self.acknowledgement(3, term: 1), to: Self.names[1], node: 0)
            // Two others commit something else there, or only what the first one has, too.
            let second = isConflict ? Self.entry(2, term: 2) : Self.entry(2, term: 1)
            for node in 1...2 {
                try judge.persists(Self.batch(1, term: 2, [common, second]), node: node)
                try judge.ends(Self.view(term: 2, commit: 2, last: 2), node: node)
            }
            let base = LogBase(
                position: LogPosition(index: second.index, term: second.term),
                membership: Membership(voters: Self.names.map { Member(nodeID: $0, storageID: .unknown) }),
                keepsEntries: false)
            try judge.persists(Self.batch(2, term: 2, base: base), node: 0)
            let found = HardState(currentTerm: Term(rawValue: 2), votedFor: nil)
            try judge.restarts(
                0, recovered: RecoveredLog(hardState: found, base: base.position, entries: []),
                appliedIndex: second.index)
        }
        #expect(verdict == (isConflict ? nil : .promisesSurvive))
    }

    @Test("I5: an acknowledgement goes beyond the log") func acknowledgesTooMuch() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(1, term: 1)]), node: 0)
            try judge.sends(Self.acknowledgement(2, term: 1), to: Self.names[1], node: 0)
        }
        #expect(verdict == .promisesSurvive)
    }

    @Test("I15: a read shows less than was known before it began") func staleRead() {
        let verdict = Self.verdict { judge throws(Violation) in
            judge.writeAcknowledged(at: LogIndex(rawValue: 5))
            let floor = judge.readFloor
            try judge.readAnswered(at: LogIndex(rawValue: 4), floorAtBegin: floor, node: 0)
        }
        #expect(verdict == .freshReads)
    }

    @Test("I15: a read also sees what an earlier read saw") func readsNeverGoBack() {
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.readAnswered(at: LogIndex(rawValue: 3), floorAtBegin: .zero, node: 0)
            let floor = judge.readFloor
            try judge.readAnswered(at: LogIndex(rawValue: 2), floorAtBegin: floor, node: 1)
        }
        #expect(verdict == .freshReads)
    }

    @Test("The driver's contract: batches follow each other, indexes too") func contract() {
        let skipped = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(2, term: 1), node: 0)
        }
        let gap = Self.verdict { judge throws(Violation) in
            try judge.persists(Self.batch(1, term: 1, [Self.entry(2, term: 1)]), node: 0)
        }
        let wrongEnd = Self.verdict { judge throws(Violation) in
            try judge.ends(Self.view(term: 1, last: 3), node: 0)
        }
        #expect([skipped, gap, wrongEnd] == [.driverContract, .driverContract, .driverContract])
    }
}
