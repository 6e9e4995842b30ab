// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import Raft
import StateStore

/// Backups: a copy of the applied state for a client, taken while the node goes on.
extension NodeDriver {
    /// A backup that a client waits for.
    struct Backup {
        /// What it must at least hold.
        let index: LogIndex
        let reply: ClientRequest.Reply<BackupSource>
        var isUnderWay = false
    }

    /// One at a time: each costs as much room on the disk as the state itself.
    func backUp(_ reply: @escaping ClientRequest.Reply<BackupSource>) {
        guard self.backup == nil, self.sentBackup == nil else {
            return reply(.failure(.refused(reason: "this node is taking or sending another backup")))
        }
        self.backup = Backup(index: self.applier.applied.index, reply: reply)
        self.goOnBackingUp()
    }

    /// Takes the copy once the state's file holds what is applied.
    func goOnBackingUp() {
        guard let backup = self.backup, !backup.isUnderWay, !self.applier.isFrozen else { return }
        guard !self.isDiskFull else {
            self.backup = nil
            return backup.reply(.failure(.refused(reason: "this node's disk is full")))
        }
        guard self.applier.written >= backup.index else {
            self.applier.prepareCheckpoint()
            return self.scheduleTurn()
        }
        self.backup?.isUnderWay = true
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.snapshots.takeBackup { [loop] result in loop.execute { bound.value.backedUp(result) } }
    }

    private func backedUp(_ result: Result<BackupSource, StateStoreError>) {
        guard let backup = self.backup else { return }
        self.backup = nil
        switch result {
        case .success(let source):
            self.logger.info(
                "Took a backup",
                metadata: [LogKey.index: "\(source.snapshot.appliedIndex)", LogKey.bytes: "\(source.snapshot.length)"])
            self.sentBackup = source
            backup.reply(.success(source))
        case .failure(let error):
            self.logger.warning("A backup can't be taken", metadata: [LogKey.reason: "\(error)"])
            backup.reply(.failure(.failed(reason: "\(error)")))
        }
    }
}
