// SPDX-License-Identifier: Apache-2.0

import StateStore
import Transactions

/// A machine with its real file, its archive, and the log that it replays from.
struct StoredNode {
    private(set) var machine: TransactionMachine
    private var folder: TemporaryFolder
    private var database: StateDatabase
    private var archive: ArchiveReader
    private var underWay: StateCheckpoint?

    init() throws {
        try self.init(folder: TemporaryFolder())
    }

    private init(folder: TemporaryFolder) throws {
        self.folder = folder
        self.database = try StateDatabase.open(folder)
        self.archive = try ArchiveReader(path: folder.file(), identity: Fixture.identity)
        self.machine = TransactionMachine(try self.database.load())
    }

    mutating func apply(_ batch: CommandBatch) -> [CommandResult] {
        self.machine.apply(batch, at: self.machine.appliedIndex + 1, archive: self.archive).results
    }

    func transaction(_ gid: Gid) -> GlobalTransaction? {
        self.machine.transaction(gid) ?? self.archive.archived(gid)
    }

    /// The first call takes what has changed, the next one writes it: entries are applied between the two.
    mutating func stepCheckpoint() throws {
        if let checkpoint = self.underWay {
            try self.database.checkpoint(checkpoint)
            self.machine.evict(checkpoint.finished.map(\.gid))
            _ = self.machine.spill(checkpoint.changedLive)
            self.underWay = nil
        } else {
            self.underWay = StateCheckpoint(
                self.machine.takeChanges(), appliedIndex: self.machine.appliedIndex, appliedTerm: 1,
                logTime: self.machine.logTime)
        }
    }

    func sync() throws { _ = try self.database.sync() }

    /// The node as it comes back when its process ends now: it has applied what its file holds.
    func restarted() throws -> StoredNode {
        try StoredNode(folder: self.folder.copyOfDatabase())
    }

    func verify() throws { try self.database.verify() }
}
