// SPDX-License-Identifier: Apache-2.0

internal import Raft

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// Everything that is read and judged before a log is used: the same for a node's start and for a reader.
struct LogStart {
    let record: HardStateRecord
    let membership: MembershipRecord
    let rows: [BatchRow]
    let log: RecoveredLog
    /// What is wrong behind these rows, if something is and was let pass.
    let rot: Rot?
    let mark: WALMark
    let wal: WALInspection
    let database: LogDatabase

    /// The folder's lock must be held.
    /// - Parameters:
    ///   - renewing: writes and syncs the WAL's bytes anew before SQLite opens it: after a sync that failed the page
    ///     cache may show bytes that the disk doesn't have. A reader changes nothing.
    ///   - salvaging: of a log with rotten rows takes what stands before them, see `Recovery.salvage`.
    ///   - check: looks at whose folder it is before anything else is judged or written.
    init(
        folder: String, renewing: Bool, salvaging: Bool = false,
        check: (StoreIdentity) throws(StoreError) -> Void = { _ in }
    ) throws(StoreError) {
        let mark = try MarkFile.read(folder: folder)
        try check(mark.identity)
        try Self.checkDatabaseHeader(folder: folder, syncing: renewing)
        let walPath = folder + "/" + DataFolder.Names.wal
        let bytes = try Self.readWAL(walPath)
        let wal = try Self.inspect(bytes, mark: mark, path: walPath)
        let counterBehind = wal.counterBehind(in: bytes)
        if renewing { try Self.renew(bytes, of: wal, path: walPath) }

        let database = try LogDatabase(folder: folder)
        try database.checkFormat()
        let (record, membership) = try Self.readState(database, mark: mark)
        do throws(WALJudge.Verdict) {
            try WALJudge.judge(wal, mark: mark, commitCounter: record.commitCounter, counterBehind: counterBehind)
        } catch {
            throw .corrupt(path: walPath, detail: error.detail)
        }
        try database.checkStructure()
        (self.rows, self.log, self.rot) = try Self.readLog(
            database, record: record, membership: membership, salvaging: salvaging)
        self.record = record
        self.membership = membership
        self.mark = mark
        self.wal = wal
        self.database = database
    }

    /// What SQLite would take on trust: a first page that is no longer that of a database in WAL mode with our page
    /// size. No connection may be open: closing a file drops its locks.
    private static func checkDatabaseHeader(folder: String, syncing: Bool) throws(StoreError) {
        let path = folder + "/" + DataFolder.Names.database
        guard FileSystem.exists(path) else { throw .corrupt(path: path, detail: "it is missing") }
        let file = try File(path, flags: O_RDWR)
        let header = try file.read(100, at: 0)
        // https://sqlite.org/fileformat2.html#the_database_header: magic, page size, write and read version, no
        // reserved bytes, and the three payload fractions.
        let expected = Array("SQLite format 3\0".utf8) + [0x10, 0x00, 2, 2, 0, 64, 32, 32]
        for (position, byte) in expected.enumerated() {
            guard position < header.count, header[position] == byte else {
                throw .corrupt(path: path, detail: "byte \(position) of its header is wrong")
            }
        }
        // Its length says nothing: a checkpoint that was cut off may end anywhere, and the WAL has what is missing
        // then.
        if syncing { try file.sync() }
    }

    private static func readWAL(_ path: String) throws(StoreError) -> [UInt8] {
        guard FileSystem.exists(path) else { throw .corrupt(path: path, detail: "it is missing") }
        return try File(path, flags: O_RDONLY).readAll()
    }

    private static func inspect(_ bytes: [UInt8], mark: WALMark, path: String) throws(StoreError) -> WALInspection {
        let wal: WALInspection
        do throws(WALInspection.Damage) {
            wal = try WALInspection(bytes)
        } catch {
            throw .corrupt(path: path, detail: error.description)
        }
        do throws(WALJudge.Verdict) {
            try WALJudge.judge(wal, mark: mark)
        } catch {
            throw .corrupt(path: path, detail: error.detail)
        }
        return wal
    }

    /// The same bytes again through the last commit, zeros behind it: remains of a torn transaction must not stand
    /// behind later ones. A crash in the middle leaves the same log.
    private static func renew(_ bytes: [UInt8], of wal: WALInspection, path: String) throws(StoreError) {
        var bytes = bytes
        let end = min(wal.committedLength, bytes.count)
        bytes.replaceSubrange(end..., with: repeatElement(0, count: bytes.count - end))
        let file = try File(path, flags: O_RDWR)
        try file.write(bytes, at: 0)
        try file.sync()
    }

    private static func readState(
        _ database: LogDatabase, mark: WALMark
    ) throws(StoreError) -> (HardStateRecord, MembershipRecord) {
        guard let bytes = try database.readHardState(group: .zero) else {
            throw .rot(.hardStateMissing, path: database.path)
        }
        guard let record = HardStateRecord.decode(bytes), record.group == .zero else {
            throw .rot(.hardStateDamaged, path: database.path)
        }
        guard record.identity == mark.identity else {
            throw .foreign(path: database.path, expected: mark.identity.name, found: record.identity.name)
        }
        guard let members = try database.readMembership(group: .zero),
            Checksum.of(members) == record.membershipChecksum, let membership = MembershipRecord.decode(members)
        else {
            throw .corrupt(path: database.path, detail: "the row of the members is not the one that was written")
        }
        return (record, membership)
    }

    /// Reads all rows, holds each against the checksum that runs through them, and asks Raft's rules.
    private static func readLog(
        _ database: LogDatabase, record: HardStateRecord, membership: MembershipRecord, salvaging: Bool
    ) throws(StoreError) -> ([BatchRow], RecoveredLog, Rot?) {
        var rows: [BatchRow] = []
        var stored: [StoredLog.BatchRow] = []
        var chain = record.baseChain
        try database.readBatches(group: record.group) { row, bytes in
            let entries = try? EntryCodec.decode(bytes)
            let isInPlace = rows.last.map { $0.id + 1 == row.id } ?? true
            let isIntact =
                isInPlace && row.isIntact(previous: chain, entries: bytes) && entries?.last?.term == row.term
            stored.append(
                StoredLog.BatchRow(isIntact: isIntact, first: row.first, last: row.last, entries: entries ?? []))
            rows.append(row)
            chain = row.checksum
        }
        // An older row may stand where the last one was written.
        if chain != record.lastChain, rows.last?.last == record.lastIndex { stored[stored.count - 1].isIntact = false }
        let state = StoredLog.HardStateRow(
            isIntact: true, hardState: record.hardState, base: record.base, lastIndex: record.lastIndex)
        let all = StoredLog(hardState: state, batches: stored, membership: membership.membership)
        do throws(Rot) {
            guard salvaging, let salvaged = try Recovery.salvage(all) else {
                return (rows, try Recovery.recover(all), nil)
            }
            return (Array(rows.prefix(salvaged.rows)), salvaged.log, salvaged.rot)
        } catch {
            throw .rot(error, path: database.path)
        }
    }
}
