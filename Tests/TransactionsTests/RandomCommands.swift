// SPDX-License-Identifier: Apache-2.0

import Transactions

/// Makes commands such as clients and executors might send, sensible ones and others. The same seed gives the same ones.
struct RandomCommands {
    var random: SeededGenerator
    private let gids: [Gid]
    private var clock: UInt64 = 1_000_000

    init(seed: UInt64, transactions: Int) {
        self.random = SeededGenerator(seed: seed)
        self.gids = (0..<transactions).map { Gid.test("t-\($0)") }
    }

    /// One entry's commands, given how things stand.
    mutating func batch(_ machine: TransactionMachine) -> CommandBatch {
        // Some leaders' clocks are behind, and time passes in steps and in leaps.
        self.clock += self.number(0...400)
        let time = self.chance(10) ? self.clock - self.number(0...900_000) : self.clock
        let commands = (0..<self.number(1...4)).map { _ in self.command(machine) }
        return CommandBatch(logTime: LogTime(rawValue: time), commands: commands)
    }

    private mutating func command(_ machine: TransactionMachine) -> Command {
        let gid = self.pick(self.gids)
        switch self.number(0..<20) {
        case 0, 1: return .submit(self.submission(gid))
        case 2: return .begin(Beginning(gid: gid, kind: self.kind(gid), timeoutMilliseconds: 3_000))
        case 3, 4: return .registerBranch(gid, self.branch(self.kind(gid), isBegun: !self.chance(5)))
        case 5: return .commit(gid)
        case 6: return .abort(gid, reason: self.chance(50) ? "reason \(self.number(0..<9))" : nil)
        case 7: return .deadlineReached(gid)
        case 8: return self.attempts(machine, gid)
        case _: return self.result(machine, gid)
        }
    }

    /// Mostly the same content for the same gid.
    private mutating func submission(_ gid: Gid) -> Submission {
        let kind = self.kind(gid)
        let count = 1 + gid.rawValue.utf8.reduce(0) { $0 + Int($1) } % 4 + (self.chance(10) ? 1 : 0)
        return Submission(
            gid: gid, kind: kind, isConcurrent: kind == .saga && count % 2 == 0, timeoutMilliseconds: 3_000,
            branches: (0..<count).map { kind == .saga ? .saga("b\($0)") : .tcc("b\($0)") })
    }

    private mutating func branch(_ kind: TransactionKind, isBegun: Bool) -> BranchSpec {
        let id = "b\(self.number(0..<4))"
        return kind == .saga ? .saga(id) : isBegun ? .begunTCC(id) : .tcc(id)
    }

    private func kind(_ gid: Gid) -> TransactionKind {
        (gid.rawValue.utf8.last ?? 0) % 2 == 0 ? .saga : .tcc
    }

    /// Mostly an answer to a call that is due.
    private mutating func result(_ machine: TransactionMachine, _ gid: Gid) -> Command {
        let (branchID, operation) = self.call(machine, gid)
        let isRefused = self.chance(operation.isRefusable ? 8 : 20)
        return .branchResult(
            BranchResult(
                gid: gid, branchID: branchID, operation: operation, verdict: isRefused ? .failure : .success,
                attempts: UInt32(self.number(1..<5)), detail: isRefused && self.chance(50) ? "refused" : nil))
    }

    private mutating func attempts(_ machine: TransactionMachine, _ gid: Gid) -> Command {
        let (branchID, operation) = self.call(machine, gid)
        return .attemptsFailed(
            FailedAttempts(
                gid: gid, branchID: branchID, operation: operation, attempts: UInt32(self.number(1..<9)),
                lastError: "timeout"))
    }

    private mutating func call(_ machine: TransactionMachine, _ gid: Gid) -> (BranchID, Transactions.Operation) {
        let due = machine.dueCalls(of: gid)
        if !due.isEmpty, !self.chance(15) {
            let call = self.pick(due)
            return (call.branchID, call.operation)
        }
        return (.test("b\(self.number(0..<5))"), self.pick(Transactions.Operation.allCases))
    }

    // MARK: Draws

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self.random) < percent }

    mutating func number<Value: FixedWidthInteger>(_ range: Range<Value>) -> Value {
        Value.random(in: range, using: &self.random)
    }

    mutating func number<Value: FixedWidthInteger>(_ range: ClosedRange<Value>) -> Value {
        Value.random(in: range, using: &self.random)
    }

    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: values.indices, using: &self.random)]
    }
}
