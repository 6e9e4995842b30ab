// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Glibc
import Raft
import RaftStore
import StateStore
import Transactions

/// Makes a new cluster of the folder of one node.
///
/// In this order, so that a crash at any step leaves the old folder whole, under its name or the one that it is kept under:
/// the state is brought to the end of the log in a folder beside it, a new data folder is made of that, the old one gets
/// another name, the new one gets its.
struct ClusterRecovery: Sendable {
    struct Report: Hashable, Sendable, Encodable {
        let node: String
        let data: String
        let kept: String
        let clusterID: String
        let source: String
        let index: UInt64
    }

    private let context: ClusterContext
    private let node: ClusterConfiguration.Node

    init(_ context: ClusterContext, _ node: ClusterConfiguration.Node) {
        self.context = context
        self.node = node
    }

    func run() throws(CommandFailure) -> Report {
        if let pid = self.context.process(of: self.node).pid {
            throw CommandFailure(.failure, "node \(self.node.id) runs as process \(pid); stop it first")
        }
        let work = self.node.data + ".recovering"
        do throws(StoreError) {
            try Folders.remove(work)
            try Folders.make(work)
            let (identity, backup) = try self.bringToTheEnd(in: work)
            let clusterID = try self.newID(instead: identity.clusterID)
            try DataFolder.initialise(
                path: work + "/data", clusterID: clusterID, nodeID: identity.nodeID,
                members: [Member(nodeID: identity.nodeID, storageID: .unknown)], base: backup.position
            ) { made throws(StoreError) in try backup.restore(to: work + "/data", as: made, .recovered) }
            let kept = self.keptName()
            try Folders.rename(self.node.data, to: kept)
            try Folders.rename(work + "/data", to: self.node.data)
            try Folders.remove(work)
            return Report(
                node: self.node.id, data: self.node.data, kept: kept, clusterID: clusterID.hex,
                source: identity.clusterID.hex, index: backup.appliedIndex)
        } catch {
            try? Folders.remove(work)
            throw CommandFailure(.failure, "node \(self.node.id) can't be recovered: \(error.description)")
        }
    }

    /// The node's state with everything that its log holds: a copy, since the folder itself stays as it is.
    private func bringToTheEnd(in work: String) throws(StoreError) -> (StoreIdentity, StateBackup) {
        let reader = try OfflineLogReader(path: self.node.data)
        let identity = StateIdentity(reader.identity)
        let path = work + "/state.db"
        let log = reader.recovered
        do throws(StateStoreError) {
            let original = FilePath.join(self.node.data, DataFolder.Names.state)
            if access(original, F_OK) == 0 {
                _ = try StateSnapshot.take(of: original, identity: identity, to: path)
            }
            try self.apply(log, to: path, identity)
            return (reader.identity, try StateBackup(examining: path))
        } catch {
            throw .notInitialised(path: self.node.data, detail: error.description)
        }
    }

    private func apply(_ log: RecoveredLog, to path: String, _ identity: StateIdentity) throws(StateStoreError) {
        let database = try StateDatabase.open(path: path, identity: identity)
        let state = try database.load()
        guard state.appliedIndex >= log.base.index.rawValue else {
            throw .rot(
                path: path, table: "meta", row: "1",
                reason: "it is the state at \(state.appliedIndex), and the log begins behind \(log.base.index.rawValue)"
            )
        }
        let archive = try ArchiveReader(path: path, identity: identity)
        var machine = TransactionMachine(state)
        var last = LogPosition(
            index: LogIndex(rawValue: state.appliedIndex), term: Term(rawValue: state.appliedTerm))
        for entry in log.entries where entry.index > last.index {
            if entry.kind == .command, let batch = try? CommandBatch(decoding: entry.payload) {
                _ = machine.apply(batch, at: entry.index.rawValue, archive: archive)
            } else {
                machine.advance(to: entry.index.rawValue)
            }
            last = LogPosition(index: entry.index, term: entry.term)
        }
        try database.checkpoint(
            StateCheckpoint(
                machine.takeChanges(), appliedIndex: last.index.rawValue, appliedTerm: last.term.rawValue,
                logTime: machine.logTime))
        _ = try database.sync()
    }

    private func newID(instead old: ClusterID) throws(StoreError) -> ClusterID {
        guard let named = self.context.configuration.cluster.id else {
            var generator = SystemRandomNumberGenerator()
            let drawn = ClusterIdentifier.random(using: &generator)
            return ClusterID(high: drawn.high, low: drawn.low)
        }
        let id = ClusterID(high: named.high, low: named.low)
        guard id != old else {
            throw .notInitialised(
                path: self.node.data,
                detail:
                    "the id in \(self.context.path) is the old cluster's; draw a new one with \"openssl rand -hex 16\"")
        }
        return id
    }

    /// A name beside the folder that nothing has yet.
    private func keptName() -> String {
        var number = 1
        while access("\(self.node.data).before-recover-\(number)", F_OK) == 0 { number += 1 }
        return "\(self.node.data).before-recover-\(number)"
    }
}
