// SPDX-License-Identifier: Apache-2.0

package import Bytes
import SQLite

/// A copy of the applied state, taken while the node goes on: a SQLite file of its own (Raft paper, section 7).
package struct StateSnapshot: Hashable, Sendable {
    package let path: String
    /// The last entry whose effect it holds.
    package let appliedIndex: UInt64
    package let appliedTerm: UInt64
    /// Bytes of the file, and their CRC32C.
    package let length: UInt64
    package let checksum: UInt32

    /// Copies the state as the last checkpoint left it, by a connection of its own. Checkpoints go on meanwhile.
    /// - Parameter copy: the file to make; what has that name is replaced. None is left if it can't be made: a disk that is
    ///   full for it would stay so.
    package static func take(
        of path: String, identity: StateIdentity, to copy: String
    ) throws(StateStoreError) -> StateSnapshot {
        do {
            return try self.copyState(of: path, identity: identity, to: copy)
        } catch {
            try? self.remove(copy)
            throw error
        }
    }

    private static func copyState(
        of path: String, identity: StateIdentity, to copy: String
    ) throws(StateStoreError) -> StateSnapshot {
        let recovery = StateRecovery(path: path, identity: identity)
        try self.remove(copy)
        try DataFolder.createPrivateFile(copy)
        let database: Database
        do {
            database = try Self.reader(of: path)
        } catch {
            throw StateStoreError(error, path: path, table: "?")
        }
        let meta = try Schema.meta(in: database, recovery: recovery)
        do {
            try database.backup(to: copy)
            try database.rollback()
        } catch {
            throw StateStoreError(error, path: copy, table: "?")
        }
        let file = try SnapshotFile(reading: copy)
        let sum = try file.sum()
        return StateSnapshot(
            path: copy, appliedIndex: meta.appliedIndex, appliedTerm: meta.appliedTerm, length: sum.length,
            checksum: sum.checksum)
    }

    /// Removes a copy with everything that SQLite may have put beside it.
    package static func remove(_ copy: String) throws(StateStoreError) {
        for suffix in ["-wal", "-shm", "-journal", ""] { try SnapshotFile.remove(copy + suffix) }
    }

    /// What it reads and what is copied from it are the same state.
    private static func reader(of path: String) throws(SQLiteError) -> Database {
        let database = try Database(path: path, access: .readOnly, busyTimeoutMilliseconds: 5_000)
        try database.set(.trustedSchema, false)
        try database.set(.noCheckpointOnClose, true)
        try database.begin(.deferred)
        return database
    }

    /// Makes a fetched copy this node's own, and reads all of it: nothing in it is believed before.
    ///
    /// The file is on the disk when this returns.
    /// - Throws: `rot` or `wrongIdentity` for a file that isn't what was promised: of another cluster, of another index,
    ///   damaged; `newerFormat` for that of a cluster whose format this program doesn't know.
    package static func adopt(
        _ path: String, identity: StateIdentity, known: FormatLevel = .newest, appliedIndex: UInt64, appliedTerm: UInt64
    ) throws(StateStoreError) {
        try self.rename(path, for: identity, appliedIndex: appliedIndex, appliedTerm: appliedTerm)
        let database = try StateDatabase.open(path: path, identity: identity, known: known)
        try database.verify()
        _ = try database.sync()
        try SnapshotFile(reading: path).sync()
    }

    /// Writes this node's name into the copy, in the place of the one that took it, if it is what was promised.
    private static func rename(
        _ path: String, for identity: StateIdentity, appliedIndex: UInt64, appliedTerm: UInt64
    ) throws(StateStoreError) {
        try self.rewriteMeta(of: path) { meta throws(StateStoreError) in
            guard meta.clusterID == identity.clusterID else {
                throw .wrongIdentity(path: path, expected: identity, found: meta.identity)
            }
            guard meta.appliedIndex == appliedIndex, meta.appliedTerm == appliedTerm else {
                throw .rot(
                    path: path, table: "meta", row: "1",
                    reason: "it is the state at \(meta.appliedIndex), promised was \(appliedIndex)")
            }
            meta.nodeID = identity.nodeID
            meta.storageID = identity.storageID
        }
    }

    /// Changes the row that says whose state a file holds. Whoever took it is believed about its own name, and about nothing
    /// else.
    static func rewriteMeta(
        of path: String, _ change: (inout StateRecovery.MetaRow) throws(StateStoreError) -> Void
    ) throws(StateStoreError) {
        do {
            let database = try Database(path: path, access: .readWrite)
            try database.set(.defensive, true)
            try database.set(.trustedSchema, false)
            var meta = try Schema.anyMeta(in: database, path: path)
            try change(&meta)
            meta.checksum = meta.expectedChecksum
            let update = try Statement(
                "UPDATE meta SET cluster = ?1, node = ?2, storage = ?3, notes = ?4, crc = ?5 WHERE id = 1", in: database
            )
            try update.bind(meta.clusterID, at: 1)
            try update.bind(meta.nodeID, at: 2)
            try update.bind(Int64(bitPattern: meta.storageID), at: 3)
            try update.bind(meta.notes, at: 4)
            try update.bind(meta.checksum, at: 5)
            try update.run()
        } catch let error as SQLiteError {
            throw StateStoreError(error, path: path, table: "meta")
        } catch let error as StateStoreError {
            throw error
        } catch {
            fatalError("nothing else is thrown: \(error)")
        }
    }
}
