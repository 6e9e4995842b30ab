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
/// another name, the new one gets its. Between these two steps the node has no folder; the next run takes the second one.
struct ClusterRecovery: Sendable {
    struct Report: Hashable, Sendable, Encodable {
        let node: String
        let data: String
        let kept: String
        let clusterID: String
        let source: String
        let index: UInt64
        /// The last entry that is known to have been committed.
        let certain: UInt64
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
        do throws(StoreError) {
            if let report = try self.finishEarlierRun() { return report }
            // It holds the folder's lock until the folder has its new name.
            let reader = try OfflineLogReader(path: self.node.data)
            defer { withExtendedLifetime(reader) {} }
            return try self.recover(reader)
        } catch {
            throw CommandFailure(.failure, "node \(self.node.id) can't be recovered: \(error.description)")
        }
    }

    /// The folder that the new one is made in.
    private var work: String { Self.work(for: self.node) }
    private var made: String { FilePath.join(self.work, "data") }

    private static func work(for node: ClusterConfiguration.Node) -> String { node.data + ".recovering" }

    /// Whether an earlier run has given the old folder another name, and was cut off before the new one got the node's.
    static func isCutOff(_ node: ClusterConfiguration.Node) -> Bool {
        guard access(node.data, F_OK) != 0, let kept = Folders.note(in: Self.noteOfKept(node)) else { return false }
        return access(kept, F_OK) == 0 && access(FilePath.join(Self.work(for: node), "data"), F_OK) == 0
    }

    /// Says which name the old folder gets; written before it does.
    private static func noteOfKept(_ node: ClusterConfiguration.Node) -> String {
        FilePath.join(Self.work(for: node), "kept-as")
    }

    private func finishEarlierRun() throws(StoreError) -> Report? {
        guard Self.isCutOff(self.node), case .initialised(let identity, _, _) = try DataFolder.inspect(path: self.made)
        else { return nil }
        let mark: RestoreMark
        do throws(StateStoreError) {
            let path = FilePath.join(self.made, DataFolder.Names.state)
            let found = try StateDatabase.open(path: path, identity: StateIdentity(identity)).load().notes.mark
            guard let found else { throw .rot(path: path, table: "meta", row: "1", reason: "it has no mark") }
            mark = found
        } catch {
            throw .notInitialised(path: self.made, detail: error.description)
        }
        try Folders.rename(self.made, to: self.node.data)
        try Folders.remove(self.work)
        return self.report(identity.clusterID, mark, kept: self.keptName(isNew: false))
    }

    private func recover(_ reader: OfflineLogReader) throws(StoreError) -> Report {
        if let index = DataFolder.removedAt(path: self.node.data) {
            throw .notInitialised(
                path: self.node.data,
                detail: "the node was removed from its cluster at entry \(index), and doesn't know what came after that"
            )
        }
        guard !reader.hardState.isRepairing else {
            throw .notInitialised(
                path: self.node.data,
                detail: """
                    its log has lost entries to rot and not got them back; it ends at \(reader.lastIndex). Recover another node; \
                    if there is none, a state.db.damaged in the folder may reach further: clusterctl restore takes it
                    """)
        }
        do throws(StoreError) {
            try Folders.remove(self.work)
            try Folders.make(self.work)
            let (backup, certain) = try self.bringToTheEnd(reader)
            let clusterID = try self.newID(instead: reader.identity.clusterID)
            let nodeID = reader.identity.nodeID
            try DataFolder.initialise(
                path: self.made, clusterID: clusterID, nodeID: nodeID,
                members: [Member(nodeID: nodeID, storageID: .unknown)], base: backup.position,
                founding: backup.digest
            ) { identity throws(StoreError) in
                try backup.restore(to: self.made, as: identity, .recovered, certain: certain)
            }
            let kept = self.keptName(isNew: true)
            try Folders.note(kept, in: Self.noteOfKept(self.node))
            try Folders.rename(self.node.data, to: kept)
            try Folders.rename(self.made, to: self.node.data)
            try Folders.remove(self.work)
            let mark = RestoreMark(
                source: reader.identity.clusterID.bytes, index: backup.appliedIndex, certain: certain.index)
            return self.report(clusterID, mark, kept: kept)
        } catch {
            // The new folder is whole once the old one has another name: the next run finishes the work.
            if !Self.isCutOff(self.node) { try? Folders.remove(self.work) }
            throw error
        }
    }

    private func report(_ clusterID: ClusterID, _ mark: RestoreMark, kept: String) -> Report {
        Report(
            node: self.node.id, data: self.node.data, kept: kept, clusterID: clusterID.hex,
            source: mark.source.hexadecimal, index: mark.index, certain: mark.certain)
    }

    /// The node's state with everything that its log holds: a copy, since the folder itself stays as it is.
    /// - Returns: that, and through which entry it is certainly what a majority had.
    private func bringToTheEnd(_ reader: OfflineLogReader) throws(StoreError) -> (StateBackup, StateBackup.Certain) {
        let identity = StateIdentity(reader.identity)
        let path = FilePath.join(self.work, DataFolder.Names.state)
        do throws(StateStoreError) {
            let original = FilePath.join(self.node.data, DataFolder.Names.state)
            if access(original, F_OK) == 0 {
                _ = try StateSnapshot.take(of: original, identity: identity, to: path)
            }
            let certain = try self.apply(reader.recovered, to: path, identity)
            return (try StateBackup(examining: path), certain)
        } catch {
            throw .notInitialised(path: self.node.data, detail: error.description)
        }
    }

    /// Only what was committed is ever applied. Of entries behind that it isn't known, but a majority may have had them: what
    /// they decided stays, and is held.
    /// - Returns: through which entry the state went before, with the mark that stood there.
    private func apply(
        _ stored: RecoveredLog, to path: String, _ identity: StateIdentity
    ) throws(StateStoreError) -> StateBackup.Certain {
        let database = try StateDatabase.open(path: path, identity: identity)
        try database.verify()
        let state = try database.load()
        var last = LogPosition(
            index: LogIndex(rawValue: state.appliedIndex), term: Term(rawValue: state.appliedTerm))
        let log = try self.log(stored, behind: last, path: path)
        let archive = try ArchiveReader(path: path, identity: identity)
        var machine = TransactionMachine(state)
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
        return StateBackup.Certain(index: state.appliedIndex, mark: state.notes.mark)
    }

    /// The log whose entries follow the state.
    private func log(
        _ log: RecoveredLog, behind applied: LogPosition, path: String
    ) throws(StateStoreError) -> RecoveredLog {
        let place = "it is the state at entry \(applied.index)"
        switch log.fit(of: applied, marker: try SnapshotMarker.read(folder: self.node.data)) {
        case .held: return log
        case .installing(let offer): return log.finishing(offer)
        case .tooOld:
            throw .rot(
                path: path, table: "meta", row: "1", reason: "\(place), and the log begins behind \(log.base.index)")
        case .foreign:
            throw .rot(
                path: path, table: "meta", row: "1",
                reason: "\(place) of term \(applied.term), which isn't in the log: one of the two was lost or exchanged"
            )
        }
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

    /// The name beside the folder that the old one is kept under: the first that nothing has, or the last that something has.
    private func keptName(isNew: Bool) -> String {
        func name(_ number: Int) -> String { "\(self.node.data).before-recover-\(number)" }
        var number = 1
        while access(name(number), F_OK) == 0 { number += 1 }
        return name(isNew ? number : number - 1)
    }
}
