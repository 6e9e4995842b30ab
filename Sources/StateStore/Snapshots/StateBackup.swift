// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// A backup: a copy of the applied state as one node had it, in a SQLite file of its own. Every row carries its checksum, and
/// the first table says how many there are.
package struct StateBackup: Hashable, Sendable {
    /// The last entry that is known to have been committed, and the mark that stood there.
    package struct Certain: Hashable, Sendable {
        package let index: UInt64
        package let mark: RestoreMark?

        package init(index: UInt64, mark: RestoreMark?) {
            self.index = index
            self.mark = mark
        }
    }

    package let path: String
    /// Whose state it is.
    package let identity: StateIdentity
    /// The last entry whose effect it holds.
    package let appliedIndex: UInt64
    package let appliedTerm: UInt64
    package let logTime: LogTime
    package let liveCount: UInt64
    package let archivedCount: UInt64
    package let notes: ClusterNotes
    /// Of all that: nodes that begin with equal states have equal ones.
    package let digest: UInt64

    /// Reads and checks all of a file, and changes nothing.
    /// - Throws: `rot` with the first thing that is wrong; `unsupportedFormat`; `cannotOpen`.
    package init(examining path: String) throws(StateStoreError) {
        let database = try StateDatabase.openBackup(path: path)
        try database.verify()
        let state = try database.load()
        self.path = path
        self.identity = database.recovery.identity
        self.appliedIndex = state.appliedIndex
        self.appliedTerm = state.appliedTerm
        self.logTime = state.logTime
        self.liveCount = UInt64(state.live.count)
        self.archivedCount = state.archivedCount
        self.notes = state.notes
        var machine = TransactionMachine(state)
        self.digest = machine.digest()
    }

    /// Makes it the applied state of another cluster's node: a copy under that node's name, with the mark of a restore. All of
    /// it is read again, and it is on the disk when this returns.
    /// - Parameters:
    ///   - target: the file to make; there must be none.
    ///   - kind: `.restored` or `.recovered`.
    ///   - certain: what is known to have been committed, see `RestoreMark`; nil: all that it holds.
    package func restore(
        to target: String, as identity: StateIdentity, _ kind: AuditRecord.Kind, certain: Certain? = nil
    ) throws(StateStoreError) {
        let source = try SnapshotFile(reading: self.path)
        let copy = try SnapshotFile(creating: target)
        var offset: UInt64 = 0
        while true {
            let piece = try source.read(SnapshotFile.pieceLength, at: offset)
            try copy.write(piece, at: offset)
            offset += UInt64(piece.count)
            if piece.count < SnapshotFile.pieceLength { break }
        }
        let notes = self.notes.restored(
            kind, from: self.identity.clusterID, at: self.appliedIndex,
            certain: certain?.index ?? self.appliedIndex, earlier: certain == nil ? self.notes.mark : certain?.mark,
            time: self.logTime)
        try StateSnapshot.rewriteMeta(of: target) { meta throws(StateStoreError) in
            meta.clusterID = identity.clusterID
            meta.nodeID = identity.nodeID
            meta.storageID = identity.storageID
            meta.notes = notes.encoded()
        }
        let database = try StateDatabase.open(path: target, identity: identity)
        try database.verify()
        _ = try database.sync()
        try copy.sync()
        try DataFolder.syncFolder(of: target)
    }
}
