// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import RaftStore
import StateStore
import Transactions

/// A node's log and applied state in one folder, opened by the rules of a node's start and written in its order.
struct DrillNode {
    /// What must never be.
    struct Failure: Error { let text: String }

    /// What the disk did.
    enum Trouble: Error {
        case disk(String)
        case wrong(Failure)
    }

    let log: SQLiteLog
    private(set) var recovered: RecoveredLog
    /// Nil only while another file takes the place.
    private var database: StateDatabase?
    private var archive: ArchiveReader
    private(set) var machine: TransactionMachine
    /// What the state's file held when it was opened.
    let found: LogPosition
    private let identity: StateIdentity
    private let path: String

    /// Opens both, and holds them against each other.
    init(_ arguments: DrillArguments) throws(Trouble) {
        let log: SQLiteLog
        do throws(StoreError) {
            log = try SQLiteLog(
                folder: arguments.folder, nodeID: NodeID(rawValue: "n1"), reserveBytes: arguments.reserveBytes)
        } catch {
            throw .disk("\(error)")
        }
        self.log = log
        self.path = arguments.folder + "/" + DataFolder.Names.state
        self.identity = StateIdentity(
            clusterID: log.identity.clusterID.bytes, nodeID: log.identity.nodeID.rawValue,
            storageID: log.identity.storageID.rawValue)
        self.recovered = log.takeRecovered()
        do throws(StateStoreError) {
            for name in [".fetched", ".snapshot"] { try StateSnapshot.remove(self.path + name) }
            let database = try StateDatabase.open(path: self.path, identity: self.identity)
            try database.verify()
            let state = try database.load()
            self.database = database
            self.machine = TransactionMachine(state)
            self.archive = try ArchiveReader(path: self.path, identity: self.identity)
            self.found = LogPosition(
                index: LogIndex(rawValue: state.appliedIndex), term: Term(rawValue: state.appliedTerm))
            self.lastTerm = self.found.term
        } catch {
            throw .disk("\(error)")
        }
        let marker = try? SnapshotMarker.read(folder: arguments.folder)
        switch self.recovered.fit(of: self.found, marker: marker) {
        case .held: break
        case .installing(let offer):
            do throws(StoreError) {
                try log.finishInstall(offer)
            } catch {
                throw .disk("\(error)")
            }
            self.recovered = self.recovered.finishing(offer)
        case .tooOld:
            throw .wrong(
                Failure(
                    text: "the state is at \(self.found.index), and the log begins behind \(self.recovered.base.index)")
            )
        case .foreign: throw .wrong(Failure(text: "the state at \(self.found.index) isn't in the log"))
        }
    }

    /// Applies what the log holds behind the state.
    mutating func replay() {
        for entry in self.recovered.entries where entry.index.rawValue > self.machine.appliedIndex { self.apply(entry) }
        self.recovered = .empty
    }

    /// The term of the entry that was applied last.
    private(set) var lastTerm = Term.zero
    private(set) var syncedThrough: UInt64 = 0

    func write(_ batch: Batch) throws(Trouble) {
        try self.logged { log throws(StoreError) in try log.write([batch]) }
        // As the writer does now and then; a batch of its own number needs no luck.
        guard batch.sequence % 5 == 0 else { return }
        try self.logged { log throws(StoreError) in try log.checkpoint() }
    }

    func close() throws(Trouble) { try self.logged { log throws(StoreError) in try log.close() } }

    /// A full disk only delays.
    private func logged(_ body: (SQLiteLog) throws(StoreError) -> Void) throws(Trouble) {
        for _ in 0..<20 {
            do throws(StoreError) {
                return try body(self.log)
            } catch {
                guard case .diskFull = error else { throw .disk("\(error)") }
            }
        }
        throw .disk("the disk stays full")
    }

    mutating func apply(_ entry: Entry) {
        self.lastTerm = entry.term
        self.machine.apply(entry, archive: self.archive)
    }

    mutating func checkpoint() throws(Trouble) {
        let checkpoint = StateCheckpoint(
            self.machine.takeChanges(), appliedIndex: self.machine.appliedIndex, appliedTerm: self.lastTerm.rawValue,
            logTime: self.machine.logTime)
        let database = self.database
        try self.untilThereIsRoom { () throws(StateStoreError) in try database?.checkpoint(checkpoint) }
        self.machine.evict(checkpoint.finished.map(\.gid))
        _ = self.machine.spill(checkpoint.changedLive)
    }

    /// - Returns: the applied index that is safe now.
    mutating func sync() throws(Trouble) -> UInt64 {
        let database = self.database
        var index: UInt64 = 0
        try self.untilThereIsRoom { () throws(StateStoreError) in index = try database?.sync() ?? 0 }
        self.syncedThrough = index
        return index
    }

    /// Lets a snapshot that another node has taken take the state's place. The log's change is for the caller.
    mutating func install(_ offer: SnapshotOffer, of donor: TransactionMachine) throws(Trouble) {
        let fetched = self.path + ".fetched"
        let position = offer.position
        var marker = ByteWriter()
        MessageCodec.encode(offer, into: &marker)
        do throws(StateStoreError) {
            try Self.write(donor, at: position, from: self.identity, to: fetched)
            try StateSnapshot.adopt(
                fetched, identity: self.identity, appliedIndex: position.index.rawValue,
                appliedTerm: position.term.rawValue)
            guard let old = self.database.take() else { throw .cannotOpen(path: self.path, reason: "closed") }
            let new = try StateDatabase.install(fetched, marker: marker.bytes, over: old, identity: self.identity)
            self.machine = TransactionMachine(try new.load())
            self.database = new
            self.lastTerm = position.term
            self.syncedThrough = position.index.rawValue
            try self.archive.reopen()
        } catch {
            throw .disk("\(error)")
        }
    }

    /// The donor's file as it arrives here, piece by piece.
    private static func write(
        _ donor: TransactionMachine, at position: LogPosition, from identity: StateIdentity, to path: String
    ) throws(StateStoreError) {
        let other = StateIdentity(clusterID: identity.clusterID, nodeID: "n2", storageID: 2)
        let home = Scratch()
        var donor = donor
        let database = try StateDatabase.open(path: home.path + "/state.db", identity: other)
        try database.checkpoint(
            StateCheckpoint(
                donor.takeChanges(), appliedIndex: position.index.rawValue, appliedTerm: position.term.rawValue,
                logTime: donor.logTime))
        let copy = try StateSnapshot.take(of: home.path + "/state.db", identity: other, to: home.path + "/copy")
        let bytes = try SnapshotFile(reading: copy.path).read(Int(copy.length), at: 0)
        let file = try SnapshotFile(creating: path)
        for start in stride(from: 0, to: bytes.count, by: 16 << 10) {
            try file.write(Array(bytes[start..<min(start + 16 << 10, bytes.count)]), at: UInt64(start))
        }
    }

    /// A full disk only delays.
    private func untilThereIsRoom(_ body: () throws(StateStoreError) -> Void) throws(Trouble) {
        for _ in 0..<20 {
            do throws(StateStoreError) {
                return try body()
            } catch {
                guard case .diskFull = error else { throw .disk("\(error)") }
            }
        }
        throw .disk("the disk stays full")
    }
}
