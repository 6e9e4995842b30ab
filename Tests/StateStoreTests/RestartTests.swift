// SPDX-License-Identifier: Apache-2.0

import StateStore
import Testing
import Transactions

@Suite("A node that is ended and started again goes on where it was") struct RestartTests {
    private static let gids = (0..<10).map { Gid.test($0) }

    /// Submissions of two contents for each gid, answers to what is due, answers that come late, aborts and deadlines.
    private static func command(_ machine: TransactionMachine, _ random: inout SeededGenerator) -> Command {
        let gid = Self.gids[Int.random(in: 0..<Self.gids.count, using: &random)]
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1, 2:
            let isOther = Int.random(in: 0..<5, using: &random) == 0
            let targets = [Operation.action, .compensate].map {
                Target(operation: $0, url: "http://bank.example/\($0.name)")
            }
            return .submit(
                Submission(
                    gid: gid, kind: .saga, timeoutMilliseconds: isOther ? 2_000 : 1_000,
                    branches: [
                        BranchSpec(
                            id: .test, targets: targets, payload: [UInt8](repeating: 1, count: isOther ? 0 : 900))
                    ]))
        case 3: return .abort(gid, reason: "by chance")
        case 4: return .deadlineReached(gid)
        case _:
            let operation = machine.dueCalls(of: gid).first?.operation ?? .action
            return .branchResult(
                BranchResult(
                    gid: gid, branchID: .test, operation: operation,
                    verdict: Int.random(in: 0..<5, using: &random) == 0 ? .failure : .success, attempts: 1))
        }
    }

    @Test("Results and states are those of a node that never ended and kept all in memory", arguments: 0..<6)
    func restarts(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var steady = TransactionMachine()
        var node = try StoredNode()
        var log: [CommandBatch] = []
        var results: [[CommandResult]] = []
        for number in UInt64(1)...120 {
            let commands = (0..<Int.random(in: 1...3, using: &random)).map { _ in Self.command(steady, &random) }
            log.append(CommandBatch(logTime: LogTime(rawValue: 100 * number), commands: commands))
            results.append(steady.apply(log[log.count - 1], at: number, archive: EmptyArchive()).results)
            #expect(node.apply(log[log.count - 1]) == results.last)
            switch Int.random(in: 0..<12, using: &random) {
            case 0...5: try node.stepCheckpoint()
            case 6: try node.sync()
            case 7:
                node = try node.restarted()
                for position in Int(node.machine.appliedIndex)..<log.count {
                    #expect(node.apply(log[position]) == results[position], "replayed entry \(position + 1)")
                }
            case _: break
            }
            #expect(node.machine.digested() == steady.digested())
            for gid in Self.gids { #expect(node.transaction(gid) == steady.transaction(gid)) }
        }
        try node.verify()
        #expect(Self.gids.contains { steady.transaction($0)?.state == .committed })
        #expect(Self.gids.contains { steady.transaction($0)?.state == .aborted })
    }
}
