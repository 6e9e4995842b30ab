// SPDX-License-Identifier: Apache-2.0

import SQLite

/// One reading of the whole archive, a page at a time, in the order in which look-ups go: so that a row which rot has
/// changed, or made impossible to find, shows.
///
/// Every page is a read of its own, and nothing is held between them: checkpoints and the WAL go on. What is archived
/// meanwhile has a later index and isn't counted; nothing else ever leaves or enters the archive.
struct ArchivePass: ~Copyable {
    private let recovery: StateRecovery
    private let queries: ArchiveQueries
    /// How far the state had come, and how many rows it had, when the pass began.
    private let appliedIndex: UInt64
    private let expected: UInt64
    private var last = ""
    private(set) var count: UInt64 = 0
    private let database: Database

    static let rowsPerPage = 256

    init(path: String, identity: StateIdentity) throws(StateStoreError) {
        let recovery = StateRecovery(path: path, identity: identity)
        let database = try Self.connect(path)
        let meta = try Schema.meta(in: database, recovery: recovery)
        self.queries = try Self.queries(in: database, path: path)
        self.recovery = recovery
        self.appliedIndex = meta.appliedIndex
        self.expected = meta.archivedCount
        self.database = database
    }

    private static func connect(_ path: String) throws(StateStoreError) -> Database {
        do {
            let database = try Database(path: path, access: .readOnly, busyTimeoutMilliseconds: 5_000)
            try database.set(.trustedSchema, false)
            try database.set(.noCheckpointOnClose, true)
            return database
        } catch {
            throw StateStoreError(error, path: path, table: "archive")
        }
    }

    private static func queries(
        in database: borrowing Database, path: String
    ) throws(StateStoreError) -> ArchiveQueries {
        do {
            return try ArchiveQueries(in: database)
        } catch {
            throw StateStoreError(error, path: path, table: "archive")
        }
    }

    /// Reads and checks one page.
    /// - Returns: whether there may be more.
    /// - Throws: `rot`, with the first thing that is wrong.
    mutating func step() throws(StateStoreError) -> Bool {
        let page = try self.queries.rows(after: self.last, limit: Self.rowsPerPage, recovery: self.recovery)
        for row in page {
            try self.recovery.check(row, appliedIndex: .max)
            if row.finishedIndex <= self.appliedIndex { self.count += 1 }
        }
        if let gid = page.last?.gid {
            self.last = gid
            return true
        }
        guard self.count == self.expected else {
            throw .rot(
                path: self.recovery.path, table: "archive", row: "*",
                reason: "\(self.count) rows where \(self.expected) were written")
        }
        return false
    }
}
