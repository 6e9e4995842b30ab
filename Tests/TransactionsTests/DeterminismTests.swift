// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("The same entries give the same state, whatever each node keeps in memory (I4, bug 24)")
struct DeterminismTests {
    private static let transactions = 8
    private static let entries = 160

    /// A node that never writes or restarts, and two that do, each at moments of its own.
    @Test("Nodes that checkpoint, evict and restart at random agree with one that doesn't", arguments: 0..<40)
    func agreement(seed: UInt64) throws {
        var commands = RandomCommands(seed: seed, transactions: Self.transactions)
        var moments = SeededGenerator(seed: seed &+ 1_000_000)
        var log: [[UInt8]?] = []
        var outcomes: [Outcome] = []
        var steady = ModelNode()
        var others = [ModelNode(), ModelNode()]
        for _ in 0..<Self.entries {
            log.append(Self.payload(&commands, steady.machine))
            outcomes.append(steady.apply(log.last ?? nil))
            for position in others.indices {
                #expect(others[position].apply(log.last ?? nil) == outcomes.last)
                try Self.disturb(&others[position], &moments, log: log, outcomes: outcomes)
                Self.compare(others[position], steady)
            }
        }
        let finished = (0..<Self.transactions).filter { number in
            steady.transaction(.test("t-\(number)"))?.state.isFinished == true
        }
        #expect(!finished.isEmpty, "a run in which nothing ends shows nothing")
    }

    @Test("The same seed gives the same run")
    func sameSeed() {
        func run() -> (hash: UInt64, outcomes: [Outcome]) {
            var commands = RandomCommands(seed: 7, transactions: Self.transactions)
            var node = ModelNode()
            let outcomes = (0..<Self.entries).map { _ in node.apply(Self.payload(&commands, node.machine)) }
            return (node.machine.digested(), outcomes)
        }
        let first = run()
        let second = run()
        #expect(first.hash == second.hash)
        #expect(first.outcomes == second.outcomes)
    }

    /// Mostly commands; now and then an entry without any, or one that no version of this program can read.
    private static func payload(_ commands: inout RandomCommands, _ machine: TransactionMachine) -> [UInt8]? {
        let batch = commands.batch(machine)
        if commands.chance(3) { return nil }
        if commands.chance(3) { return [99, 1, 2, 3] }
        return batch.encoded()
    }

    private static func disturb(
        _ node: inout ModelNode, _ random: inout SeededGenerator, log: [[UInt8]?], outcomes: [Outcome]
    ) throws {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1, 2:
            if !node.isCheckpointUnderWay { node.takeCheckpoint() }
        case 3, 4, 5: try node.finishCheckpoint()
        case 6:
            let appliedIndex = try node.restart()
            for position in Int(appliedIndex)..<log.count {
                #expect(node.apply(log[position]) == outcomes[position], "replayed entry \(position + 1)")
            }
        case _: break
        }
    }

    private static func compare(_ node: ModelNode, _ other: ModelNode) {
        #expect(node.machine.digested() == other.machine.digested())
        #expect(node.machine.liveCount == other.machine.liveCount)
        #expect(node.machine.liveBytes == other.machine.liveBytes)
        #expect(node.machine.logTime == other.machine.logTime)
        #expect(node.machine.deadlines.map(\.gid) == other.machine.deadlines.map(\.gid))
        for number in 0..<Self.transactions {
            let gid = Gid.test("t-\(number)")
            #expect(node.transaction(gid) == other.transaction(gid))
            #expect(node.machine.dueCalls(of: gid) == other.machine.dueCalls(of: gid))
            let isConsistent = node.transaction(gid)?.isConsistent ?? true
            #expect(isConsistent)
        }
    }
}
