// SPDX-License-Identifier: Apache-2.0

internal import Raft
internal import SQLite

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// The one connection to `raft.db`, with its schema, its settings and its prepared statements.
final class LogDatabase {
    let path: String
    private let database: Database
    private let beginStatement: Statement
    private let commitStatement: Statement
    private let insertBatch: Statement
    private let rewriteBatch: Statement
    private let deleteBatches: Statement
    private let deletePrefix: Statement
    private let writeHardState: Statement
    private let writeMembership: Statement

    /// "VRDF", so that `file` and a person know the database.
    private static let applicationID: Int64 = 0x5652_4446
    /// As `createSchema` writes it.
    static let formatVersion: Int64 = 3

    /// Opens a log that has been judged. The lock on the folder must be held.
    convenience init(folder: String) throws(StoreError) {
        try self.init(Self.openFile(folder: folder, access: .readWrite))
    }

    private init(_ database: consuming Database) throws(StoreError) {
        let path = database.path
        do throws(SQLiteError) {
            self.beginStatement = try Statement("BEGIN IMMEDIATE", in: database)
            self.commitStatement = try Statement("COMMIT", in: database)
            self.insertBatch = try Statement(
                """
                INSERT INTO batches (id, grp, first, last, term, checksum, entries) \
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                """, in: database)
            self.rewriteBatch = try Statement(
                "UPDATE batches SET last = ?2, term = ?3, checksum = ?4, entries = ?5 WHERE id = ?1", in: database)
            self.deleteBatches = try Statement("DELETE FROM batches WHERE id >= ?1 AND grp = ?2", in: database)
            self.deletePrefix = try Statement("DELETE FROM batches WHERE id <= ?1 AND grp = ?2", in: database)
            self.writeHardState = try Statement(
                "UPDATE hard_state SET record = ?2 WHERE grp = ?1", in: database)
            self.writeMembership = try Statement("UPDATE membership SET record = ?2 WHERE grp = ?1", in: database)
        } catch {
            // The schema is ours, so a table or column that isn't there is damage.
            guard error.primaryCode == 1 else { throw StoreError(error, path: path) }
            throw .corrupt(path: path, detail: error.description)
        }
        self.database = database
        self.path = path
    }

    /// Opens the file with the settings that the log's safety rests on.
    private static func openFile(folder: String, access: Database.Access) throws(StoreError) -> Database {
        let path = folder + "/" + DataFolder.Names.database
        do throws(SQLiteError) {
            let database = try Database(path: path, access: access)
            // One connection for ever: the index of the WAL then lives in memory, and no second process can join in.
            try database.execute("PRAGMA locking_mode=EXCLUSIVE")
            try database.execute("PRAGMA page_size=4096")
            try database.enterWALMode()
            // A commit returns only when the WAL is synced.
            try database.execute("PRAGMA synchronous=FULL")
            // Checkpoints are the writer's alone, and a close leaves the WAL as it is.
            try database.execute("PRAGMA wal_autocheckpoint=0")
            try database.set(.noCheckpointOnClose, true)
            // A transaction's frames reach the WAL at its commit and not before.
            try database.execute("PRAGMA cache_spill=OFF")
            try database.execute("PRAGMA secure_delete=OFF")
            try database.execute("PRAGMA temp_store=MEMORY")
            try database.set(.trustedSchema, false)
            try self.checkSettings(database)
            return database
        } catch {
            if error.isBusy { throw .locked(path: folder, pid: try FolderLock.holder(folder: folder) ?? 0) }
            throw StoreError(error, path: path)
        }
    }

    /// A pragma that wasn't obeyed gives no error, so what matters is read back.
    private static func checkSettings(_ database: borrowing Database) throws(SQLiteError) {
        let synchronous = try database.firstInteger("PRAGMA synchronous")
        let locking = try database.firstText("PRAGMA locking_mode")
        let pageSize = try database.firstInteger("PRAGMA page_size")
        guard synchronous == 2, locking == "exclusive", pageSize == Int64(WALInspection.pageSize) else {
            throw SQLiteError(
                code: 11,
                message:
                    "synchronous \(synchronous ?? -1), locking mode \(locking ?? "?"), page size \(pageSize ?? -1)",
                sql: "PRAGMA")
        }
    }

    // MARK: A new log

    /// Writes the files of an empty log and syncs them. The folder itself is for the caller to sync.
    /// - Parameters:
    ///   - base: what its first entry will follow.
    ///   - founding: see `MembershipRecord`.
    static func create(
        folder: String, identity: StoreIdentity, members: [Member], base: LogPosition, founding: UInt64?
    ) throws(StoreError) {
        let path = folder + "/" + DataFolder.Names.database
        // SQLite gives the WAL the permissions of this file.
        _ = try File(path, flags: O_RDWR | O_CREAT | O_EXCL)
        let membership = MembershipRecord(Membership(voters: members), identity: identity, founding: founding)
            .encoded()
        let record = HardStateRecord(
            group: .zero, commitCounter: 1, hardState: HardState(currentTerm: base.term, votedFor: nil), base: base,
            baseChain: 0, lastIndex: base.index,
            lastChain: 0, membershipChecksum: Checksum.of(membership), identity: identity)
        do {
            let database = try self.openFile(folder: folder, access: .create)
            do throws(SQLiteError) {
                try database.transaction { () throws(SQLiteError) in
                    try self.createSchema(database)
                    let insertState = try Statement("INSERT INTO hard_state VALUES (?1, ?2)", in: database)
                    try insertState.bind(Int64(GroupID.zero.rawValue), at: 1)
                    try insertState.run(blob: record.encoded(), at: 2)
                    let insertMembers = try Statement("INSERT INTO membership VALUES (?1, ?2)", in: database)
                    try insertMembers.bind(Int64(GroupID.zero.rawValue), at: 1)
                    try insertMembers.run(blob: membership, at: 2)
                }
                try database.checkpoint(.full)
            } catch {
                throw StoreError(error, path: path)
            }
        }
        try FileSystem.syncFile(path)
        try MarkFile.create(folder: folder, identity: identity, commitCounter: record.commitCounter)
    }

    /// `hard_state` comes first and keeps a page to itself: every transaction writes it.
    /// `batches.id` only grows along the log, so that rows are added at the tree's right edge.
    private static func createSchema(_ database: borrowing Database) throws(SQLiteError) {
        try database.execute("CREATE TABLE hard_state (grp INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        try database.execute("CREATE TABLE membership (grp INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        try database.execute(
            """
            CREATE TABLE batches (id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, first INTEGER NOT NULL, \
            last INTEGER NOT NULL, term INTEGER NOT NULL, checksum INTEGER NOT NULL, entries BLOB NOT NULL)
            """)
        try database.execute("PRAGMA application_id=0x56524446; PRAGMA user_version=3")
    }

    // MARK: Reading

    func checkFormat() throws(StoreError) {
        let application = try self.run { () throws(SQLiteError) in
            try self.database.firstInteger("PRAGMA application_id")
        }
        guard application == Self.applicationID else {
            throw .corrupt(path: self.path, detail: "its header doesn't name it a log of this program")
        }
        let version = try self.run { () throws(SQLiteError) in try self.database.firstInteger("PRAGMA user_version") }
        guard version == Self.formatVersion else {
            throw .unsupportedFormat(path: self.path, found: version ?? 0, supported: Self.formatVersion)
        }
    }

    /// Looks at the tree itself: pages that are in two places, rows out of order, a damaged list of free pages. The
    /// next write could otherwise go over a page that is in use.
    func checkStructure() throws(StoreError) {
        let answer = try self.run { () throws(SQLiteError) in
            try self.database.firstText("PRAGMA quick_check(1)")
        }
        guard answer == "ok" else { throw .corrupt(path: self.path, detail: answer ?? "it can't be checked") }
    }

    func readHardState(group: GroupID) throws(StoreError) -> [UInt8]? {
        try self.run { () throws(SQLiteError) in
            let select = try Statement("SELECT record FROM hard_state WHERE grp = ?1", in: self.database)
            try select.bind(Int64(group.rawValue), at: 1)
            return try select.step() ? select.blob(column: 0) : nil
        }
    }

    func readMembership(group: GroupID) throws(StoreError) -> [UInt8]? {
        try self.run { () throws(SQLiteError) in
            let select = try Statement("SELECT record FROM membership WHERE grp = ?1", in: self.database)
            try select.bind(Int64(group.rawValue), at: 1)
            return try select.step() ? select.blob(column: 0) : nil
        }
    }

    /// Gives each row of the group, in the order of the log, to `body`.
    func readBatches(group: GroupID, _ body: (BatchRow, [UInt8]) -> Void) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            let select = try Statement(
                "SELECT id, grp, first, last, term, checksum, entries FROM batches ORDER BY id", in: self.database)
            while try select.step() {
                guard select.integer(column: 1) == Int64(group.rawValue) else { continue }
                let row = BatchRow(
                    id: select.integer(column: 0), group: group,
                    first: LogIndex(rawValue: UInt64(bitPattern: select.integer(column: 2))),
                    last: LogIndex(rawValue: UInt64(bitPattern: select.integer(column: 3))),
                    term: Term(rawValue: UInt64(bitPattern: select.integer(column: 4))),
                    checksum: UInt32(truncatingIfNeeded: select.integer(column: 5)))
                body(row, select.blob(column: 6))
            }
        }
    }

    /// The bytes of one row's entries.
    func readEntries(ofRow id: Int64) throws(StoreError) -> [UInt8] {
        let bytes = try self.run { () throws(SQLiteError) -> [UInt8]? in
            let select = try Statement("SELECT entries FROM batches WHERE id = ?1", in: self.database)
            try select.bind(id, at: 1)
            return try select.step() ? select.blob(column: 0) : nil
        }
        guard let bytes else { throw .corrupt(path: self.path, detail: "row \(id) of the entries is gone") }
        return bytes
    }

    // MARK: Writing

    /// Runs `body` in a transaction and syncs it. If anything fails, all of it is undone.
    func transaction(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        do throws(StoreError) {
            try self.run { () throws(SQLiteError) in try self.beginStatement.run() }
            try body()
            try self.run { () throws(SQLiteError) in try self.commitStatement.run() }
        } catch {
            try self.run { () throws(SQLiteError) in try self.database.rollback() }
            throw error
        }
    }

    func insert(_ row: BatchRow, entries: [UInt8]) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            try self.insertBatch.bind(row.id, at: 1)
            try self.insertBatch.bind(Int64(row.group.rawValue), at: 2)
            try self.insertBatch.bind(Int64(bitPattern: row.first.rawValue), at: 3)
            try self.insertBatch.bind(Int64(bitPattern: row.last.rawValue), at: 4)
            try self.insertBatch.bind(Int64(bitPattern: row.term.rawValue), at: 5)
            try self.insertBatch.bind(Int64(row.checksum), at: 6)
            try self.insertBatch.run(blob: entries, at: 7)
        }
    }

    /// Puts another end to a row that a conflict cuts through.
    func rewrite(_ row: BatchRow, entries: [UInt8]) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            try self.rewriteBatch.bind(row.id, at: 1)
            try self.rewriteBatch.bind(Int64(bitPattern: row.last.rawValue), at: 2)
            try self.rewriteBatch.bind(Int64(bitPattern: row.term.rawValue), at: 3)
            try self.rewriteBatch.bind(Int64(row.checksum), at: 4)
            try self.rewriteBatch.run(blob: entries, at: 5)
        }
        try self.expectChanges(1, "row \(row.id) of the entries")
    }

    func deleteRows(from id: Int64, group: GroupID, count: Int) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            try self.deleteBatches.bind(id, at: 1)
            try self.deleteBatches.bind(Int64(group.rawValue), at: 2)
            try self.deleteBatches.run()
        }
        try self.expectChanges(count, "rows of the entries from \(id)")
    }

    /// Removes the log's first rows, through `id`. What they held becomes free pages, which later rows use again.
    func deleteRows(through id: Int64, group: GroupID, count: Int) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            try self.deletePrefix.bind(id, at: 1)
            try self.deletePrefix.bind(Int64(group.rawValue), at: 2)
            try self.deletePrefix.run()
        }
        try self.expectChanges(count, "rows of the entries through \(id)")
    }

    /// Removes every row behind `id`, whatever it says of itself.
    func deleteRows(behind id: Int64) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            let delete = try Statement("DELETE FROM batches WHERE id > ?1", in: self.database)
            try delete.bind(id, at: 1)
            try delete.run()
        }
    }

    func write(_ record: HardStateRecord) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            try self.writeHardState.bind(Int64(record.group.rawValue), at: 1)
            try self.writeHardState.run(blob: record.encoded(), at: 2)
        }
        try self.expectChanges(1, "the row of term and vote")
    }

    func writeMembership(_ record: [UInt8], group: GroupID) throws(StoreError) {
        try self.run { () throws(SQLiteError) in
            try self.writeMembership.bind(Int64(group.rawValue), at: 1)
            try self.writeMembership.run(blob: record, at: 2)
        }
        try self.expectChanges(1, "the row of the members")
    }

    /// Copies the WAL's content into the database file and syncs both. The next commit begins the WAL anew.
    func checkpoint() throws(StoreError) -> Int {
        let result = try self.run { () throws(SQLiteError) in try self.database.checkpoint(.full) }
        guard result.isComplete else {
            throw .sqlite(code: 5, message: "the checkpoint is not complete", path: self.path)
        }
        return Int(result.walFrames)
    }

    /// Page images written to the WAL since the connection was opened.
    var pagesWritten: Int { self.database.pagesWritten }

    private func expectChanges(_ count: Int, _ what: String) throws(StoreError) {
        guard self.database.changes == Int64(count) else {
            throw .corrupt(path: self.path, detail: "\(what): \(self.database.changes) changed, not \(count)")
        }
    }

    private func run<Result>(_ body: () throws(SQLiteError) -> Result) throws(StoreError) -> Result {
        do throws(SQLiteError) {
            return try body()
        } catch {
            throw StoreError(error, path: self.path)
        }
    }
}
