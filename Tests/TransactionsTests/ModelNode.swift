// SPDX-License-Identifier: Apache-2.0

import Bytes
import Transactions

/// What one entry of the log came to.
struct Outcome: Hashable {
    let results: [CommandResult]
    let effects: [TransactionEffect]
}

/// A node's machine with a modelled disk: checkpoints that are written some time after they are taken, an archive that
/// is as old as the last one written, and a restart that loses all else.
struct ModelNode {
    private struct Disk {
        var live: [Gid: [UInt8]] = [:]
        var archive = MemoryArchive()
        var logTime = LogTime.zero
        var appliedIndex: UInt64 = 0
        var sum: UInt64 = 0
    }

    private struct Checkpoint {
        let changes: StateChanges
        let logTime: LogTime
        let appliedIndex: UInt64
    }

    private(set) var machine = TransactionMachine()
    private var disk = Disk()
    private var underWay: Checkpoint?

    /// - Parameter payload: the entry's bytes; `nil` stands for an entry without commands.
    mutating func apply(_ payload: [UInt8]?) -> Outcome {
        let index = self.machine.appliedIndex + 1
        guard let payload, let batch = try? CommandBatch(decoding: payload) else {
            self.machine.advance(to: index)
            return Outcome(results: [], effects: [])
        }
        let (results, effects) = self.machine.apply(batch, at: index, archive: self.disk.archive)
        return Outcome(results: results, effects: effects)
    }

    var isCheckpointUnderWay: Bool { self.underWay != nil }

    mutating func takeCheckpoint() {
        self.underWay = Checkpoint(
            changes: self.machine.takeChanges(), logTime: self.machine.logTime, appliedIndex: self.machine.appliedIndex)
    }

    /// The checkpoint is on disk: the archive shows what has finished, and memory lets go of it.
    mutating func finishCheckpoint() throws {
        guard let checkpoint = self.underWay else { return }
        self.underWay = nil
        for transaction in checkpoint.changes.changedLive { self.disk.live[transaction.gid] = transaction.encoded() }
        for transaction in checkpoint.changes.finished {
            self.disk.live.removeValue(forKey: transaction.gid)
            self.disk.archive.transactions[transaction.gid] = try GlobalTransaction(decoding: transaction.encoded())
        }
        self.disk.logTime = checkpoint.logTime
        self.disk.sum = checkpoint.changes.sum
        self.disk.appliedIndex = checkpoint.appliedIndex
        self.machine.evict(checkpoint.changes.finished.map(\.gid))
    }

    /// The process ends and starts again from its disk.
    /// - Returns: the index of the last entry whose effect the disk holds.
    mutating func restart() throws -> UInt64 {
        self.underWay = nil
        let live = try self.disk.live.values.map { try GlobalTransaction(decoding: $0) }
        self.machine = TransactionMachine(
            restoring: live, logTime: self.disk.logTime, appliedIndex: self.disk.appliedIndex,
            sum: self.disk.sum)
        return self.disk.appliedIndex
    }

    /// The transaction, wherever it is.
    func transaction(_ gid: Gid) -> GlobalTransaction? {
        self.machine.transaction(gid) ?? self.disk.archive.archived(gid)
    }
}
