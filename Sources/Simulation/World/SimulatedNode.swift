// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Transactions

/// One node of the world: the production core, a modelled disk, the stand-in state machine, and what a driver keeps
/// beside them.
final class SimulatedNode {
    enum Condition: Hashable {
        case running
        /// The process stands still; everything that arrives waits.
        case paused
        /// The process is gone.
        case down
        /// It found rot on its disk and stays out until it is repaired.
        case rotten
        /// It takes no part: it never did, it left, or its disk is lost.
        case out
    }

    let id: NodeID
    let number: Int
    let configuration: RaftConfiguration
    var core: RaftCore?
    var condition = Condition.down
    /// Its disk is lost while it is a member.
    var isLost = false
    /// Counts the process's lives, so that what was meant for an earlier one is not given to a later one.
    var life: UInt32 = 0

    var inbox: [RaftInput] = []
    var isTurnDue = false
    /// When the next wake-up is due; nil if none is.
    var wakeAt: UInt64?

    /// The newest format that its program knows.
    var known: FormatLevel
    /// What the peers that it is connected to have said that they know.
    var heardFormats: [NodeID: FormatLevel] = [:]

    var disk = ModelledDisk()
    /// This life of its disk.
    var storage: StorageID
    /// Until then the disk takes nothing: it is slow, or hangs.
    var diskStalledUntil: UInt64 = 0
    /// The disk is full: what is written waits, as soon as the reserve is used up.
    var isDiskFull = false
    /// How many syncs the reserve, which the log's store lets go of on a full disk, still has room for.
    var reservedSyncs = 0
    /// The core was told that the disk is full.
    var isToldFull = false
    /// The process dies right after its next batch was handed to the disk.
    var crashesAtNextBatch: FaultKind?

    var state: StateMachine
    /// The state on disk: may lag behind `state`, never ahead of what this node's own log has on disk.
    var stored: StoredState
    /// The same as a power loss leaves it.
    var syncedState: StoredState
    /// The latest snapshot that it has taken as leader.
    var snapshot: (description: SnapshotDescription, state: StoredState)?
    /// The snapshot that it fetches.
    var fetching: (offer: SnapshotOffer, from: Int)?
    var received: (offer: SnapshotOffer, state: StoredState)?
    /// The applied state on the disk is damaged; the next start finds that.
    var isStateHarmed = false
    /// Names on the disk the snapshot that was last made the applied state.
    var marker: SnapshotOffer?
    /// How far its wall clock is ahead of the right one, in milliseconds.
    let clockOffset: Int64
    /// How much faster than the right one it goes, in millionths.
    let clockDrift: Int64
    /// How far it is wrong beyond that, for a while.
    var clockJump: Int64 = 0
    var logClock = LogClock()

    /// The term in which it leads and knows all that was decided before.
    var establishedTerm: Term?
    /// Calls of branches that it has made in that term, with the number of the latest attempt.
    var calls: [CallKey: UInt32] = [:]

    var nextRequest: UInt64 = 0
    var proposals: [UInt64: Request] = [:]
    /// Writes that stand in the log, by index, with the term that their entry must have.
    var writes: [LogIndex: (term: Term, request: Request)] = [:]
    var reads: [UInt64: Request] = [:]
    /// Reads that are linearizable once the index is applied.
    var readyReads: [(index: LogIndex, request: Request)] = []

    init(
        configuration: RaftConfiguration, number: Int, clients: Int, clockOffset: Int64, clockDrift: Int64,
        known: FormatLevel
    ) {
        self.known = known
        self.id = configuration.nodeID
        self.number = number
        self.configuration = configuration
        self.state = StateMachine(clients: clients)
        self.stored = StoredState(clients: clients)
        self.syncedState = self.stored
        self.storage = Self.firstStorage(number)
        self.clockOffset = clockOffset
        self.clockDrift = clockDrift
    }

    /// Something of what it needs is damaged or lost: a majority must always be without such harm.
    var isHarmed: Bool {
        self.condition == .rotten || self.isLost || self.isStateHarmed || self.disk.isHarmed
            || self.core?.lacksState == true || self.disk.isRepairing
            || (self.core == nil && self.stored.appliedIndex < self.disk.baseIndex)
    }

    var isProcessAlive: Bool { self.condition == .running || self.condition == .paused }

    /// The first life of a node's disk.
    static func firstStorage(_ number: Int) -> StorageID { StorageID(rawValue: UInt64(number) + 1) }

    /// Whether it runs on a disk that the cluster began with.
    func isFounder(of founders: Int) -> Bool {
        self.number < founders && self.storage == Self.firstStorage(self.number)
    }

    /// An empty disk, on which a node begins that joins a group with these members.
    func loseDisk(clients: Int, membership: Membership, storage: StorageID) {
        self.disk = ModelledDisk(membership: membership)
        self.stored = StoredState(clients: clients)
        self.syncedState = self.stored
        self.state = self.stored.restored()
        self.marker = nil
        self.storage = storage
    }

    /// The process is gone: what was only in memory is lost.
    func die(survivors: Int, losesUnsyncedState: Bool) {
        if losesUnsyncedState { self.stored = self.syncedState }
        self.logClock = LogClock()
        self.heardFormats = [:]
        self.snapshot = nil
        self.fetching = nil
        self.received = nil
        self.core = nil
        self.condition = .down
        self.life += 1
        self.inbox.removeAll()
        self.isTurnDue = false
        self.wakeAt = nil
        self.disk.crash(survivors: survivors)
        self.crashesAtNextBatch = nil
        self.isToldFull = false
        self.state = self.stored.restored()
        self.establishedTerm = nil
        self.calls.removeAll()
        self.proposals.removeAll()
        self.writes.removeAll()
        self.reads.removeAll()
        self.readyReads.removeAll()
    }
}
