// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore

/// Holds what a scenario has left against what it had acknowledged.
struct Verification {
    /// What must never be.
    struct Failure: Error { let text: String }

    private let arguments: DrillArguments

    init(_ arguments: DrillArguments) { self.arguments = arguments }

    /// - Returns: the batch that the log was found at.
    func run() throws(Failure) -> UInt64 {
        do throws(StoreError) {
            // What was never said to be initialised may be begun again.
            if !self.arguments.isInitialised { try Scenario.initialiseIfNeeded(self.arguments) }
        } catch {
            throw Failure(text: "an initialisation that was cut off can't be begun again: \(error)")
        }
        let (sequence, script) = try self.find(self.opened(isClosed: false))
        try self.goOn(from: script, sequence)
        return sequence
    }

    /// The place of the script that a log is at: not before the last acknowledgement, not behind the last batch sent.
    private func find(_ log: RecoveredLog) throws(Failure) -> (UInt64, DrillScript) {
        var script = DrillScript(self.arguments)
        var sequence: UInt64 = 0
        while sequence < self.arguments.acknowledged { sequence = script.next().sequence }
        let expected = script.state
        while !script.state.isSame(as: log) {
            guard sequence < self.arguments.sent else {
                throw Failure(
                    text: "batch \(self.arguments.acknowledged) was acknowledged, and in the log after it "
                        + expected.difference(from: log))
            }
            sequence = script.next().sequence
        }
        return (sequence, script)
    }

    /// Writes the rest, and looks again.
    private func goOn(from script: DrillScript, _ sequence: UInt64) throws(Failure) {
        var script = script
        do throws(StoreError) {
            let log = try self.log()
            for _ in sequence..<max(self.arguments.batches, sequence) { try log.write([script.next()]) }
            try log.close()
        } catch {
            throw Failure(text: "the log does not go on: \(error)")
        }
        let log = try self.opened(isClosed: true)
        guard script.state.isSame(as: log) else {
            throw Failure(text: "after going on, \(script.state.difference(from: log))")
        }
    }

    private func opened(isClosed: Bool) throws(Failure) -> RecoveredLog {
        do throws(StoreError) {
            let log = try self.log()
            defer { log.abandon() }
            return log.recovered
        } catch {
            throw Failure(text: "the log does not open\(isClosed ? " again" : ""): \(error)")
        }
    }

    private func log() throws(StoreError) -> SQLiteLog {
        try SQLiteLog(
            folder: self.arguments.folder, nodeID: NodeID(rawValue: "n1"), reserveBytes: self.arguments.reserveBytes)
    }
}
