// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore
import StateStore
import Transactions

/// Runs the script of a node's life, and says what is safe. Elections, replication, checkpoints of the log, prefix deletion,
/// snapshot, install, membership, and transactions that begin, are decided and end: each as the node's own parts write it.
struct NodeScenario {
    private let arguments: DrillArguments

    init(_ arguments: DrillArguments) { self.arguments = arguments }

    func run() throws(DrillNode.Trouble) {
        do throws(StoreError) {
            try Scenario.initialiseIfNeeded(self.arguments)
        } catch {
            throw .disk("\(error)")
        }
        say("initialised")
        try self.live(through: self.arguments.batches / 2, isClosed: true)
        try self.live(through: self.arguments.batches, isClosed: false)
        say("done")
    }

    /// One life of the process: from what the folder holds to a batch of the script.
    private func live(through last: UInt64, isClosed: Bool) throws(DrillNode.Trouble) {
        var node = try DrillNode(self.arguments)
        var (script, sequence) = try Self.place(of: node, self.arguments, from: 0, through: self.arguments.batches)
        node.replay()
        say("found \(sequence)")
        while sequence < last {
            sequence = try Self.step(&node, &script) { say($0) }
        }
        if isClosed { try node.close() }
    }

    /// The place of the script that the folder's log is at.
    static func place(
        of node: DrillNode, _ arguments: DrillArguments, from first: UInt64, through last: UInt64
    ) throws(DrillNode.Trouble) -> (NodeScript, UInt64) {
        var script = NodeScript(arguments)
        var sequence: UInt64 = 0
        while sequence < first { sequence = script.next().batch.sequence }
        let expected = script.log
        while !script.log.isSame(as: node.recovered) {
            guard sequence < last else {
                throw .wrong(
                    DrillNode.Failure(
                        text: "behind batch \(first), in the log: \(expected.difference(from: node.recovered))"))
            }
            sequence = script.next().batch.sequence
        }
        return (script, sequence)
    }

    /// What a node does for one batch: what the batch needs before, the log, then the applied state.
    static func step(
        _ node: inout DrillNode, _ script: inout NodeScript, _ say: (String) -> Void
    ) throws(DrillNode.Trouble) -> UInt64 {
        let step = script.next()
        if let index = step.needsSynced, node.syncedThrough < index.rawValue {
            try node.checkpoint()
            say("synced \(try node.sync())")
        }
        // Said first: a start finishes an install that has begun, and writes the batch itself.
        say("sent \(step.batch.sequence)")
        if let offer = step.snapshot { try node.install(offer, of: script.machine) }
        try node.write(step.batch)
        say("acked \(step.batch.sequence)")
        for entry in step.batch.entries { node.apply(entry) }
        if step.checkpoints { try node.checkpoint() }
        if step.syncs { say("synced \(try node.sync())") }
        return step.batch.sequence
    }
}

/// Holds what such a life has left against what was said to be safe.
struct NodeVerification {
    private let arguments: DrillArguments

    init(_ arguments: DrillArguments) { self.arguments = arguments }

    /// - Returns: the batch that the log was found at.
    func run() throws(DrillNode.Failure) -> UInt64 {
        do throws(DrillNode.Trouble) {
            if !self.arguments.isInitialised {
                do throws(StoreError) {
                    try Scenario.initialiseIfNeeded(self.arguments)
                } catch {
                    throw .disk("an initialisation that was cut off can't be begun again: \(error)")
                }
            }
            let sequence = try self.look(through: self.arguments.sent, synced: self.arguments.synced, goesOn: true)
            _ = try self.look(through: self.arguments.batches, synced: 0, goesOn: false)
            return sequence
        } catch {
            switch error {
            case .wrong(let failure): throw failure
            case .disk(let reason): throw DrillNode.Failure(text: "the folder doesn't open or go on: \(reason)")
            }
        }
    }

    private func look(through last: UInt64, synced: UInt64, goesOn: Bool) throws(DrillNode.Trouble) -> UInt64 {
        var node = try DrillNode(self.arguments)
        var (script, sequence) = try NodeScenario.place(
            of: node, self.arguments, from: goesOn ? self.arguments.acknowledged : last,
            through: max(last, self.arguments.acknowledged))
        let found = sequence
        try self.compare(node, script, "as found")
        guard node.found.index.rawValue >= synced else {
            throw .wrong(DrillNode.Failure(text: "the state was safe through \(synced), and is at \(node.found.index)"))
        }
        node.replay()
        try self.compare(node, script, "replayed")
        guard goesOn else { return found }
        while sequence < self.arguments.batches {
            sequence = try NodeScenario.step(&node, &script) { _ in }
        }
        try self.compare(node, script, "gone on")
        try node.close()
        return found
    }

    private func compare(_ node: DrillNode, _ script: NodeScript, _ when: String) throws(DrillNode.Trouble) {
        var machine = node.machine
        let index = LogIndex(rawValue: machine.appliedIndex)
        guard let expected = script.digests[index] else {
            throw .wrong(DrillNode.Failure(text: "\(when), the state is at \(index), which the log never reached"))
        }
        guard machine.digest() == expected else {
            throw .wrong(DrillNode.Failure(text: "\(when), the state at \(index) is another one"))
        }
    }
}
