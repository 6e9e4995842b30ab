// SPDX-License-Identifier: Apache-2.0

import Bytes
import ClusterConfiguration
import Logging
import PeerTransport
import Raft
import RaftStore
import StateStore
import Transactions

/// What a node finds in its data folder at its start: the log and the state that was applied from it, verified and held
/// against each other.
struct RecoveredNode: Sendable {
    private(set) var identity: PeerIdentity
    /// Lives of other members' folders that this node has heard of first.
    let learnedStorage: [NodeID: StorageID]
    let addresses: AddressBook
    private(set) var log: RecoveredLog
    let statePath: String
    let stateIdentity: StateIdentity
    private(set) var applied = LogPosition.zero
    private(set) var machine = TransactionMachine()
    /// The applied state is lost, and the log doesn't reach back to its beginning.
    private(set) var lacksState = false
    /// The snapshot whose install the last life didn't come to the end of.
    private var unfinishedInstall: SnapshotOffer?

    /// Opens the log of `node`, and locks its folder against other processes.
    static func openLog(
        of node: ClusterConfiguration.Node, in configuration: ClusterConfiguration
    ) throws(NodeError) -> sending SQLiteLog {
        if let index = DataFolder.removedAt(path: node.data) { throw .removed(path: node.data, node: node.id, index) }
        do {
            return try SQLiteLog(
                folder: node.data, nodeID: NodeID(rawValue: node.id),
                clusterID: configuration.cluster.id.map { ClusterID(high: $0.high, low: $0.low) }, salvaging: true)
        } catch {
            throw .log(error)
        }
    }

    /// Takes what the log held when it was opened.
    /// - Parameter known: the newest format that this program knows.
    init(
        log: SQLiteLog, of node: ClusterConfiguration.Node, in configuration: ClusterConfiguration, known: FormatLevel
    ) throws(NodeError) {
        self.log = log.takeRecovered()
        self.learnedStorage = Dictionary(
            log.members.map { ($0.nodeID, $0.storageID) }, uniquingKeysWith: { first, _ in first })
        self.addresses = AddressBook(configuration)
        self.identity = PeerIdentity(
            cluster: log.identity.clusterID, node: log.identity.nodeID, storage: log.identity.storageID,
            founding: log.founding, knows: known)
        self.statePath = node.data + "/state.db"
        self.stateIdentity = StateIdentity(
            clusterID: self.identity.cluster.bytes, nodeID: self.identity.node.rawValue,
            storageID: self.identity.storage.rawValue)
    }

    /// Opens the applied state and checks it: rot in an index would make a finished transaction look unknown. A large
    /// archive is read to its end only while the node runs, see `ArchiveScrub`.
    ///
    /// Everything in the file came from the log. So a damaged one is set aside and filled anew from there; or, if the log no
    /// longer reaches back to its beginning, by a snapshot of the leader's. The same goes for a lost file, and for one that
    /// is older than the log's beginning.
    mutating func recoverState(logger: Logger) throws(NodeError) -> sending StateDatabase {
        do {
            return try self.openState()
        } catch {
            switch error {
            case .stateTooOld(_, appliedIndex: 0, _):
                // A new file: the state was lost, or set aside before. Nothing is in it to be kept.
                self.lacksState = true
                return try self.openState()
            case .state(.rot), .stateTooOld: break
            // The log has lost what the state was made of.
            case .stateNotInLog where self.log.hardState.isRepairing: break
            case _: throw error
            }
            logger.error(
                "The applied state can't be used: it is set aside and filled anew",
                metadata: [LogKey.path: "\(self.statePath)", LogKey.reason: "\(error)"])
        }
        do {
            try StateDatabase.setAside(path: self.statePath)
        } catch {
            throw .state(error)
        }
        self.lacksState = self.log.base != .zero
        return try self.openState()
    }

    /// Bytes of a state that is read as a whole before the node starts: that takes a few tenths of a second.
    private static let verifiedAtStart: UInt64 = 64 << 20

    private mutating func openState() throws(NodeError) -> sending StateDatabase {
        let database: StateDatabase
        do throws(StateStoreError) {
            if let found = try RotNote.read(statePath: self.statePath) {
                throw .rot(path: self.statePath, table: "?", row: "?", reason: "found earlier: \(found)")
            }
            database = try StateDatabase.open(
                path: self.statePath, identity: self.stateIdentity, known: self.identity.knows)
            if try database.fileLength() <= Self.verifiedAtStart { try database.verify() }
        } catch {
            throw .state(error)
        }
        try self.load(database)
        return database
    }

    /// Takes what the applied state holds, and checks that it came from this very log.
    private mutating func load(_ database: StateDatabase) throws(NodeError) {
        let state: RecoveredState
        do {
            state = try database.load()
        } catch {
            throw .state(error)
        }
        self.applied = LogPosition(
            index: LogIndex(rawValue: state.appliedIndex), term: Term(rawValue: state.appliedTerm))
        // A fresh file, which a snapshot will fill.
        if self.lacksState, self.applied == .zero { return }
        switch self.log.fit(of: self.applied, marker: try? SnapshotMarker.read(folder: self.folder)) {
        case .held: break
        case .installing(let offer): self.unfinishedInstall = offer
        case .tooOld:
            throw .stateTooOld(
                path: self.statePath, appliedIndex: state.appliedIndex, first: self.log.base.index.rawValue)
        case .foreign:
            throw .stateNotInLog(
                path: self.statePath, appliedIndex: state.appliedIndex, appliedTerm: state.appliedTerm,
                lastIndex: self.log.lastIndex.rawValue)
        }
        self.machine = TransactionMachine(state)
        self.identity.uses = self.machine.format
    }

    private var folder: String { FilePath.folder(of: self.statePath) }

    /// Brings the log to the end of an install that was cut off, and removes what fetches and copies have left.
    mutating func finishInstall(in log: SQLiteLog, logger: Logger) throws(NodeError) {
        do {
            try SnapshotKeeper.clean(statePath: self.statePath)
        } catch {
            throw .state(error)
        }
        guard let offer = self.unfinishedInstall else { return }
        do {
            try log.finishInstall(offer)
        } catch {
            throw .log(error)
        }
        self.log = self.log.finishing(offer)
        self.unfinishedInstall = nil
        logger.info(
            "Finished the install of a snapshot that was cut off",
            metadata: [LogKey.index: "\(offer.position.index)"])
    }
}
