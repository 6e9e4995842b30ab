// SPDX-License-Identifier: Apache-2.0

import Locks
import SQLite
package import Transactions

/// The archive as the machine sees it: a connection of its own that only reads, and never moves the WAL.
///
/// It sees a transaction from the moment on in which the writer says that the checkpoint is done. Open it after the
/// `StateDatabase`, and close it before: let go of it. A look-up of a gid that isn't there costs microseconds. Lists cost
/// more and hold up look-ups: give them a reader of their own.
package final class ArchiveReader: ArchiveView, Sendable {
    private struct Connection: ~Copyable {
        let queries: ArchiveQueries
        let live: LiveQuery
        let database: Database
    }

    /// A read waits only while the WAL is being begun anew, and that takes microseconds.
    private static let busyTimeoutMilliseconds: Int32 = 5_000

    private let connection: Locked<Connection>
    private let path: String
    private let recovery: StateRecovery
    private let onFailure: @Sendable (StateStoreError) -> Never

    /// - Parameter onFailure: called when `archived` meets a row that can't be read or believed. The machine can't go on
    ///   without it: a wrong "there is none" would make this node differ from the others.
    package init(
        path: String, identity: StateIdentity,
        onFailure: @escaping @Sendable (StateStoreError) -> Never = { fatalError($0.description) }
    ) throws(StateStoreError) {
        let recovery = StateRecovery(path: path, identity: identity)
        self.connection = Locked(try Self.open(path: path, recovery: recovery))
        self.path = path
        self.recovery = recovery
        self.onFailure = onFailure
    }

    /// Another file has taken the place of the one that was read until now.
    package func reopen() throws(StateStoreError) {
        try self.connection.withLock { connection throws(StateStoreError) in
            connection = try Self.open(path: self.path, recovery: self.recovery)
        }
    }

    private static func open(path: String, recovery: StateRecovery) throws(StateStoreError) -> Connection {
        let database: Database
        do {
            database = try Self.connect(path: path)
        } catch {
            throw StateStoreError(error, path: path, table: "?")
        }
        _ = try Schema.meta(in: database, recovery: recovery)
        do {
            return Connection(
                queries: try ArchiveQueries(in: database), live: try LiveQuery(in: database), database: database)
        } catch {
            throw StateStoreError(error, path: path, table: "archive")
        }
    }

    private static func connect(path: String) throws(SQLiteError) -> Database {
        let database = try Database(
            path: path, access: .readOnly, busyTimeoutMilliseconds: Self.busyTimeoutMilliseconds)
        try database.set(.trustedSchema, false)
        try database.set(.noCheckpointOnClose, true)
        return database
    }

    package func archived(_ gid: Gid) -> GlobalTransaction? {
        do {
            return try self.lookup(gid)
        } catch {
            self.onFailure(error)
        }
    }

    /// The payload of a live transaction's branch that memory has let go of; nil if the transaction isn't live any more.
    package func payload(of gid: Gid, branch: BranchID) throws(StateStoreError) -> [UInt8]? {
        try self.connection.withLock { connection throws(StateStoreError) in
            try connection.live.lookup(gid, recovery: self.recovery)
        }?.branches.first { $0.id == branch }?.spec.payload.bytes
    }

    /// As `archived`, for callers that can go on without an answer.
    package func lookup(_ gid: Gid) throws(StateStoreError) -> GlobalTransaction? {
        try self.connection.withLock { connection throws(StateStoreError) in
            try connection.queries.lookup(gid, recovery: self.recovery)
        }
    }

    /// Finished transactions in the order of their gids.
    /// - Parameters:
    ///   - state: `nil` for all; a state that isn't an end gives none.
    ///   - after: the last gid of the page before.
    package func list(
        state: TransactionState? = nil, after: Gid? = nil, limit: Int
    ) throws(StateStoreError) -> [GlobalTransaction] {
        try self.connection.withLock { connection throws(StateStoreError) in
            try connection.queries.list(state: state, after: after, limit: limit, recovery: self.recovery)
        }
    }

    /// Finished transactions in the archive.
    package func archivedCount() throws(StateStoreError) -> UInt64 {
        try self.connection.withLock { connection throws(StateStoreError) in
            try Schema.meta(in: connection.database, recovery: self.recovery).archivedCount
        }
    }
}
