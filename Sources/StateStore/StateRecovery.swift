// SPDX-License-Identifier: Apache-2.0

package import Bytes
import CChecksum
package import Transactions

/// The applied state as a checkpoint left it: what a node starts from.
///
/// ```swift
/// let database = try StateDatabase.open(path: path, identity: identity)
/// let recovered = try database.load()
/// // The log must hold the entry (appliedIndex, appliedTerm), its base included; else this is rot.
/// var machine = TransactionMachine(recovered)
/// let archive = try ArchiveReader(path: path, identity: identity)
/// // From here on the log's entries behind appliedIndex are applied, with `archive`.
/// ```
package struct RecoveredState: Hashable, Sendable {
    /// In order of acceptance.
    package let live: [GlobalTransaction]
    package let logTime: LogTime
    /// Index of the last entry whose effect this is.
    package let appliedIndex: UInt64
    /// Term of that entry.
    package let appliedTerm: UInt64
    /// Finished transactions in the archive.
    package let archivedCount: UInt64
    /// Over the digests of all transactions, see `TransactionMachine.takeChanges`.
    package let sum: UInt64
    package let notes: ClusterNotes

    package init(
        live: [GlobalTransaction], logTime: LogTime, appliedIndex: UInt64, appliedTerm: UInt64, archivedCount: UInt64,
        sum: UInt64, notes: ClusterNotes = ClusterNotes()
    ) {
        self.notes = notes
        self.sum = sum
        self.live = live
        self.logTime = logTime
        self.appliedIndex = appliedIndex
        self.appliedTerm = appliedTerm
        self.archivedCount = archivedCount
    }

    /// The state of a node that has applied nothing yet.
    package static let empty = RecoveredState(
        live: [], logTime: .zero, appliedIndex: 0, appliedTerm: 0, archivedCount: 0, sum: 0)
}

extension TransactionMachine {
    /// The machine as it stood when the checkpoint was taken.
    package init(_ recovered: RecoveredState) {
        self.init(
            restoring: recovered.live, logTime: recovered.logTime, appliedIndex: recovered.appliedIndex,
            sum: recovered.sum, notes: recovered.notes)
    }
}

/// The rules of what may be believed of stored state, as a pure value: the database obeys them, and a modelled disk can.
package struct StateRecovery: Sendable {
    /// The only row of table `meta`.
    package struct MetaRow: Hashable, Sendable {
        package var format: Int64
        package var clusterID: [UInt8]
        package var nodeID: String
        package var storageID: UInt64
        package var appliedIndex: UInt64
        package var appliedTerm: UInt64
        package var logTime: UInt64
        /// Rows of table `live`, so that a row that has vanished shows.
        package var liveCount: UInt64
        package var archivedCount: UInt64
        /// Over the digests of all transactions.
        package var sum: UInt64
        /// `ClusterNotes`, encoded.
        package var notes: [UInt8]
        package var checksum: Int64

        /// The row as a new file has it.
        package init(identity: StateIdentity) {
            self.format = StateRecovery.format
            self.clusterID = identity.clusterID
            self.nodeID = identity.nodeID
            self.storageID = identity.storageID
            self.appliedIndex = 0
            self.appliedTerm = 0
            self.logTime = 0
            self.liveCount = 0
            self.archivedCount = 0
            self.sum = 0
            self.notes = ClusterNotes().encoded()
            self.checksum = 0
            self.checksum = self.expectedChecksum
        }

        package init(
            format: Int64, clusterID: [UInt8], nodeID: String, storageID: UInt64, appliedIndex: UInt64,
            appliedTerm: UInt64, logTime: UInt64, liveCount: UInt64, archivedCount: UInt64, sum: UInt64,
            notes: [UInt8], checksum: Int64
        ) {
            self.sum = sum
            self.notes = notes
            self.format = format
            self.clusterID = clusterID
            self.nodeID = nodeID
            self.storageID = storageID
            self.appliedIndex = appliedIndex
            self.appliedTerm = appliedTerm
            self.logTime = logTime
            self.liveCount = liveCount
            self.archivedCount = archivedCount
            self.checksum = checksum
        }

        package var identity: StateIdentity {
            StateIdentity(clusterID: self.clusterID, nodeID: self.nodeID, storageID: self.storageID)
        }

        /// CRC32C of everything else in the row.
        package var expectedChecksum: Int64 {
            var writer = ByteWriter(capacity: 128)
            writer.write(self.format)
            writer.write(self.clusterID)
            writer.write(self.nodeID)
            writer.write(self.storageID)
            writer.write(self.appliedIndex)
            writer.write(self.appliedTerm)
            writer.write(self.logTime)
            writer.write(self.liveCount)
            writer.write(self.archivedCount)
            writer.write(self.sum)
            writer.write(self.notes)
            return Int64(crc32c(writer.bytes))
        }
    }

    // Numbers are held as SQLite has them, so that no bit of a damaged one is lost before it is compared.

    /// One row of table `live`.
    package struct LiveRow: Hashable, Sendable {
        package var gid: String
        package var body: [UInt8]
        package var checksum: Int64

        package init(gid: String, body: [UInt8], checksum: Int64) {
            self.gid = gid
            self.body = body
            self.checksum = checksum
        }

        package init(_ transaction: GlobalTransaction) {
            self.gid = transaction.gid.rawValue
            self.body = transaction.encoded()
            self.checksum = 0
            self.checksum = self.expectedChecksum
        }

        /// CRC32C of gid and body.
        package var expectedChecksum: Int64 { Int64(crc32c(self.body, seed: crc32c(self.gid))) }
    }

    /// One row of table `archive`.
    package struct ArchiveRow: Hashable, Sendable {
        package var gid: String
        package var finishedIndex: UInt64
        package var state: Int64
        package var body: [UInt8]
        package var checksum: Int64

        package init(gid: String, finishedIndex: UInt64, state: Int64, body: [UInt8], checksum: Int64) {
            self.gid = gid
            self.finishedIndex = finishedIndex
            self.state = state
            self.body = body
            self.checksum = checksum
        }

        package init(_ transaction: GlobalTransaction) {
            self.gid = transaction.gid.rawValue
            self.finishedIndex = transaction.finishedIndex ?? 0
            self.state = Int64(transaction.state.rawValue)
            self.body = transaction.encoded()
            self.checksum = 0
            self.checksum = self.expectedChecksum
        }

        /// CRC32C of everything else in the row.
        package var expectedChecksum: Int64 {
            var writer = ByteWriter(capacity: 16)
            writer.write(self.finishedIndex)
            writer.write(self.state)
            return Int64(crc32c(self.body, seed: crc32c(writer.bytes, seed: crc32c(self.gid))))
        }
    }

    /// The format that is written. Others aren't read.
    package static let format: Int64 = 5

    /// The file that errors name.
    package let path: String
    package let identity: StateIdentity
    /// The newest format of a cluster whose state is read.
    package let known: FormatLevel

    package init(path: String, identity: StateIdentity, known: FormatLevel = .newest) {
        self.path = path
        self.identity = identity
        self.known = known
    }

    /// Whether the row may be believed, and whether the file is this node's own.
    package func check(_ meta: MetaRow) throws(StateStoreError) {
        // The format comes first: another one may have another checksum.
        guard meta.format == Self.format else {
            throw .unsupportedFormat(path: self.path, found: meta.format, supported: Self.format)
        }
        guard meta.checksum == meta.expectedChecksum else { throw self.rot("meta", "1", "wrong checksum") }
        guard meta.identity == self.identity else {
            throw .wrongIdentity(path: self.path, expected: self.identity, found: meta.identity)
        }
        guard meta.logTime <= LogTime.maximum.rawValue else { throw self.rot("meta", "1", "impossible log time") }
    }

    /// The state that these rows stand for. Longer payloads are left on the disk.
    /// - Parameter next: gives one row after the other, nil behind the last.
    package func recover(
        meta: MetaRow, live next: () throws(StateStoreError) -> LiveRow?
    ) throws(StateStoreError) -> RecoveredState {
        try self.check(meta)
        // First: rows of a format that this program doesn't know aren't rotten.
        let notes = try self.notes(meta)
        var live: [GlobalTransaction] = []
        while let row = try next() { live.append(try self.transaction(row, meta: meta).spilled()) }
        guard meta.liveCount == UInt64(live.count) else {
            throw self.rot("live", "*", "\(live.count) rows where \(meta.liveCount) were written")
        }
        live.sort { $0.isAccepted(before: $1) }
        for (transaction, next) in zip(live, live.dropFirst()) where !transaction.isAccepted(before: next) {
            throw self.rot("live", next.gid.rawValue, "accepted at the same place as \(transaction.gid)")
        }
        return RecoveredState(
            live: live, logTime: LogTime(rawValue: meta.logTime), appliedIndex: meta.appliedIndex,
            appliedTerm: meta.appliedTerm, archivedCount: meta.archivedCount, sum: meta.sum, notes: notes)
    }

    func notes(_ meta: MetaRow) throws(StateStoreError) -> ClusterNotes {
        do {
            let format = try ClusterNotes.format(of: meta.notes)
            guard format <= self.known else {
                throw StateStoreError.newerFormat(path: self.path, used: format, known: self.known)
            }
            return try ClusterNotes(decoding: meta.notes)
        } catch let error as StateStoreError {
            throw error
        } catch {
            throw self.rot("meta", "1", "the notes can't be decoded: \(error)")
        }
    }

    /// Whether the row is as it was written, and may stand in a state that has applied so much. Its body is covered by the
    /// checksum, and not decoded.
    func check(_ row: ArchiveRow, appliedIndex: UInt64) throws(StateStoreError) {
        guard row.checksum == row.expectedChecksum else { throw self.rot("archive", row.gid, "wrong checksum") }
        guard row.finishedIndex <= appliedIndex else {
            throw self.rot("archive", row.gid, "is newer than the applied index")
        }
    }

    /// The finished transaction that the row stands for.
    package func transaction(_ row: ArchiveRow) throws(StateStoreError) -> GlobalTransaction {
        guard row.checksum == row.expectedChecksum else { throw self.rot("archive", row.gid, "wrong checksum") }
        let transaction = try self.decoded(row.body, table: "archive", row: row.gid)
        guard transaction.gid.rawValue == row.gid, Int64(transaction.state.rawValue) == row.state,
            transaction.finishedIndex == row.finishedIndex
        else { throw self.rot("archive", row.gid, "holds another transaction than its key says") }
        guard transaction.state.isFinished else { throw self.rot("archive", row.gid, "has not finished") }
        return transaction
    }

    /// The live transaction that the row stands for, with all of its payloads.
    func transaction(_ row: LiveRow) throws(StateStoreError) -> GlobalTransaction {
        guard row.checksum == row.expectedChecksum else { throw self.rot("live", row.gid, "wrong checksum") }
        let transaction = try self.decoded(row.body, table: "live", row: row.gid)
        guard transaction.gid.rawValue == row.gid else {
            throw self.rot("live", row.gid, "holds another transaction than its key says")
        }
        guard !transaction.state.isFinished else { throw self.rot("live", row.gid, "has finished") }
        return transaction
    }

    private func transaction(_ row: LiveRow, meta: MetaRow) throws(StateStoreError) -> GlobalTransaction {
        let transaction = try self.transaction(row)
        guard transaction.acceptedIndex <= meta.appliedIndex, transaction.createdAt.rawValue <= meta.logTime else {
            throw self.rot("live", row.gid, "is newer than the applied index")
        }
        return transaction
    }

    private func decoded(_ body: [UInt8], table: String, row: String) throws(StateStoreError) -> GlobalTransaction {
        do {
            return try GlobalTransaction(decoding: body)
        } catch {
            throw self.rot(table, row, "can't be decoded: \(error)")
        }
    }

    private func rot(_ table: String, _ row: String, _ reason: String) -> StateStoreError {
        .rot(path: self.path, table: table, row: row, reason: reason)
    }
}

func crc32c(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { verdict_crc32c(seed, $0.baseAddress, $0.count) }
}

func crc32c(_ text: String, seed: UInt32 = 0) -> UInt32 {
    var text = text
    return text.withUTF8 { verdict_crc32c(seed, $0.baseAddress, $0.count) }
}
