// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation
import Testing
import Transactions

/// The invariants of global transactions are broken on purpose, and the judge must say so.
@Suite("The judge of transactions") struct TransactionJudgeTests {
    private struct NoName: Error {}

    private static func gid(_ name: String = "t1") throws -> Gid {
        guard let gid = Gid(rawValue: name) else { throw NoName() }
        return gid
    }

    private static func branchID() throws -> BranchID {
        guard let id = BranchID(rawValue: "b1") else { throw NoName() }
        return id
    }

    private static func verdict(_ story: (inout Judge) throws(Violation) -> Void) -> Invariant? {
        var judge = Judge(nodes: ["n1", "n2", "n3"].map { NodeID(rawValue: $0) })
        do {
            try story(&judge)
        } catch {
            return error.invariant
        }
        return nil
    }

    @Test("I6: two nodes tell different outcomes") func twoOutcomes() throws {
        let gid = try Self.gid()
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.told(gid, .commit, node: 0)
            try judge.told(gid, .commit, node: 1)
            try judge.told(gid, .abort, node: 2)
        }
        #expect(verdict == .outcomeStays)
    }

    @Test("I7: a branch hears another outcome than a client", arguments: [Operation.cancel, .compensate])
    func branchHearsAnother(operation: Operation) throws {
        let (gid, branchID) = (try Self.gid(), try Self.branchID())
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.told(gid, .commit, node: 0)
            try judge.called(gid, branchID, operation)
        }
        #expect(verdict == .oneEndForBranches)
    }

    @Test("I7: one branch hears both") func branchHearsBoth() throws {
        let (gid, branchID) = (try Self.gid(), try Self.branchID())
        let verdict = Self.verdict { judge throws(Violation) in
            try judge.called(gid, branchID, .try)
            try judge.called(gid, branchID, .confirm)
            try judge.called(gid, branchID, .cancel)
        }
        #expect(verdict == .oneEndForBranches)
    }

    @Test("I8: an acknowledged transaction isn't known any more") func acknowledgedIsLost() throws {
        let gid = try Self.gid()
        let verdict = Self.verdict { judge throws(Violation) in
            judge.transactionAcknowledged(gid)
            try judge.unknown(gid, wasAcknowledged: judge.isAcknowledged(gid), node: 1)
        }
        let before = Self.verdict { judge throws(Violation) in
            try judge.unknown(gid, wasAcknowledged: judge.isAcknowledged(gid), node: 1)
        }
        #expect(verdict == .submitSurvives)
        #expect(before == nil)
    }

    @Test("Every transaction is looked at once in the end") func gids() throws {
        let (first, second) = (try Self.gid("t1"), try Self.gid("t2"))
        var judge = Judge(nodes: [NodeID(rawValue: "n1")])
        judge.transactionAcknowledged(first)
        try judge.told(second, .abort, node: 0)
        try judge.told(first, .commit, node: 0)
        judge.transactionAcknowledged(second)
        #expect(judge.gids == [first, second])
    }

    // MARK: Effects

    /// A TCC of one branch that the machine has brought to its end.
    private static func ended(_ decision: Decision) throws -> GlobalTransaction {
        let (gid, branchID) = (try self.gid(), try self.branchID())
        let targets = [Operation.try, .confirm, .cancel].map { Target(operation: $0, url: "http://p/\($0.name)") }
        let submission = Submission(
            gid: gid, kind: .tcc, timeoutMilliseconds: 1_000, branches: [BranchSpec(id: branchID, targets: targets)])
        var commands = [Command.submit(submission)]
        let operations: [Operation] = decision == .commit ? [.try, .confirm] : [.cancel]
        if decision == .abort { commands.append(.abort(gid, reason: nil)) }
        for operation in operations {
            commands.append(
                .branchResult(
                    BranchResult(gid: gid, branchID: branchID, operation: operation, verdict: .success, attempts: 1)))
        }
        var machine = TransactionMachine()
        _ = machine.apply(
            CommandBatch(logTime: LogTime(rawValue: 1), commands: commands), at: 1, archive: EmptyArchive())
        guard let transaction = machine.transaction(gid), transaction.state.isFinished else { throw NoName() }
        return transaction
    }

    private static func heard(_ operations: [Operation]) throws -> Participants {
        var participants = Participants(refusalsPerThousand: 0)
        for operation in operations {
            _ = participants.hear(operation, gid: try self.gid(), branchID: try self.branchID())
        }
        return participants
    }

    @Test(
        "I9, I10: a branch that fits its transaction's end",
        arguments: [
            (Decision.commit, [Operation.try, .confirm]), (.commit, [.try, .try, .confirm, .confirm]),
            (.abort, []), (.abort, [.cancel]), (.abort, [.try, .cancel]), (.abort, [.cancel, .try]),
        ])
    func rightEffects(decision: Decision, heard: [Operation]) throws {
        try BranchEffects.check(Self.ended(decision), participants: Self.heard(heard))
    }

    @Test(
        "I9, I10: a branch that doesn't",
        arguments: [
            (Decision.commit, []), (.commit, [.try]), (.commit, [.confirm]), (.commit, [.try, .confirm, .cancel]),
            (.abort, [.try]), (.abort, [.confirm]), (.abort, [.try, .confirm]),
        ] as [(Decision, [Operation])])
    func wrongEffects(decision: Decision, heard: [Operation]) throws {
        let transaction = try Self.ended(decision)
        let participants = try Self.heard(heard)
        let error = #expect(throws: Violation.self) { try BranchEffects.check(transaction, participants: participants) }
        #expect(error?.invariant == .effectsMatch)
    }

    @Test("The model's barrier: nothing takes effect behind an undoing") func barrier() throws {
        var participants = Participants(refusalsPerThousand: 0)
        let (gid, branchID) = (try Self.gid(), try Self.branchID())
        #expect(participants.hear(.compensate, gid: gid, branchID: branchID) == .success)
        #expect(participants.hear(.action, gid: gid, branchID: branchID) == .failure)
        #expect(!participants.branch(gid, branchID).isTaken)
    }

    @Test("The model's participants may all refuse, and say the same each time") func refusals() throws {
        var participants = Participants(refusalsPerThousand: 1_000)
        let (gid, branchID) = (try Self.gid(), try Self.branchID())
        #expect(participants.hear(.action, gid: gid, branchID: branchID) == .failure)
        #expect(participants.hear(.action, gid: gid, branchID: branchID) == .failure)
    }
}
