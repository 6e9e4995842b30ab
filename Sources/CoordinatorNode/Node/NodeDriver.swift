// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import NIOCore
import PeerTransport
import Raft
import StateStore
import Transactions

/// Runs one `RaftCore` and one transaction machine against the real disk, network and clock.
///
/// Confined to one event loop together with the peers' channels. No method waits: the disk, the peers and the branch calls
/// answer by inputs of a later turn. Whatever comes in between two turns is taken as one batch, so that load makes batches
/// larger (Docs/architecture.md, "The pure cores").
final class NodeDriver {
    let loop: any EventLoop
    let identity: PeerIdentity
    let settings: DriverSettings
    let clock: NodeClock
    let logger: Logger
    let transport: PeerTransport
    let log: any DurableLog
    let mailbox: LoopMailbox<ClientRequest>
    let board: StatusBoard
    let addresses: AddressBook
    var executor: Executor?
    let snapshots: SnapshotKeeper
    let stateIdentity: StateIdentity
    /// Opens the readers of the applied state again, after another file has taken its place.
    let reopenReaders: () -> Void
    /// Ends the process, after a note of rot for the next start.
    let stateFailed: (StateStoreError) -> Never
    /// Ends the process: the cluster uses a format that this program doesn't know.
    let outdated: (FormatLevel) -> Never

    var core: RaftCore
    var applier: Applier
    var vitals = Vitals()
    /// The executor runs: this node leads and has applied an entry of its own term.
    var isExecuting = false
    /// What this leader found live at its start and hasn't yet handed to the executor.
    private var takenOver = ArraySlice<Gid>()
    /// The log's disk has no room.
    var isDiskFull = false
    /// Clients' requests are refused: the node is about to stop.
    var isDraining = false
    var isStopping = false

    /// The copy of the applied state that followers may fetch.
    var handedOut: SnapshotDescription?
    var fetch: SnapshotFetch?
    var backup: Backup?
    /// The last copy, while it is on its way to a client.
    weak var sentBackup: BackupSource?
    /// A snapshot that is to become the applied state.
    var installing: SnapshotOffer?
    /// Digests of the applied state, to be held against those of others.
    var statePoints = StatePoints()
    var isComparing = false
    /// The applied state is being synced, so that the log may let go of what it holds.
    var isSyncingState = false

    /// What has happened since the last turn.
    var inputs: [RaftInput] = []
    private var isTurnScheduled = false
    private var timer: (scheduled: Scheduled<Void>, at: Instant)?
    var checkpointTimer: Scheduled<Void>?
    var stopPromise: EventLoopPromise<Void>?
    var drainPromise: EventLoopPromise<Void>?

    var pending: [UInt64: PendingRequest] = [:]
    /// Numbers of pending requests in order of their deadlines; those that are answered are skipped.
    var pendingOrder = ArraySlice<(number: UInt64, deadline: NIODeadline)>()
    var pendingTimer: Scheduled<Void>?
    var retryTimer: Scheduled<Void>?
    var waiters = DecisionWaiters()
    var handOvers: [UInt64: HandOver] = [:]
    var membersChanges: [UInt64: MembersChange] = [:]
    /// Lives of members' data folders that the log doesn't name: what this node's disk has of them.
    var learnedStorage: [NodeID: StorageID]
    /// The log has said that this node takes part.
    var wasMember = false
    var isRemoved = false
    /// Hears once that this node isn't a member any more.
    var onRemoved: ((LogIndex) -> Void)?
    /// Reads that know their index and wait for it to be applied.
    var awaitingApply: [(index: UInt64, number: UInt64)] = []
    var lastNumber: UInt64 = 0
    /// Peers whose storage id is on its way to this node's disk.
    var unproven: Set<NodeID> = []
    /// Makes a peer's storage id durable, and calls `proven`.
    var onLearned: ((StorageID, NodeID) -> Void)?

    /// Commands for the next batches of this leader.
    var queue: [(command: Command, proposer: Proposer)] = []
    /// Batches that the core was asked to append in this turn.
    var proposed: [ProposalID: [Proposer]] = [:]
    /// Batches that stand in this node's log, by index.
    var inLog: [UInt64: (term: Term, proposers: [Proposer])] = [:]
    var lastProposalTime = LogTime.zero
    private var logClock = LogClock()
    /// When this leader may ask again for a format that every member knows.
    var nextRaise = NIODeadline.uptimeNanoseconds(0)
    #if NextFormat
        /// The last term in which it has made its remark.
        var remarked = Term.zero
    #endif
    /// Reads that other nodes asked for.
    var peerReads: [UInt64: PeerReply] = [:]

    init(
        loop: any EventLoop, identity: PeerIdentity, learnedStorage: [NodeID: StorageID], addresses: AddressBook,
        core: RaftCore, applier: Applier, log: any DurableLog,
        transport: PeerTransport, snapshots: SnapshotKeeper, stateIdentity: StateIdentity,
        reopenReaders: @escaping () -> Void, stateFailed: @escaping (StateStoreError) -> Never,
        outdated: @escaping (FormatLevel) -> Never,
        mailbox: LoopMailbox<ClientRequest>, board: StatusBoard,
        settings: DriverSettings, clock: NodeClock, logger: Logger
    ) {
        self.loop = loop
        self.identity = identity
        self.learnedStorage = learnedStorage
        self.addresses = addresses
        self.core = core
        self.applier = applier
        self.log = log
        self.transport = transport
        self.snapshots = snapshots
        self.stateIdentity = stateIdentity
        self.reopenReaders = reopenReaders
        self.stateFailed = stateFailed
        self.outdated = outdated
        self.mailbox = mailbox
        self.board = board
        self.settings = settings
        self.clock = clock
        self.logger = logger
        self.vitals.since = clock.wall().rawValue
        self.vitals.knownFormat = identity.knows
    }

    /// Begins. The transport must listen and have this driver as its delegate.
    func start() {
        self.loop.preconditionInEventLoop()
        let membership = self.core.membership
        let strangers = self.addresses.strangers(to: membership)
        if !strangers.isEmpty {
            self.logger.warning(
                "The configuration names nodes that are no members (clusterctl members add)",
                metadata: [LogKey.peer: "\(strangers.map(\.rawValue).joined(separator: ", "))"])
        }
        let unreachable = self.addresses.unreachable(membership).filter { $0 != self.identity.node }
        if !unreachable.isEmpty {
            self.logger.warning(
                """
                By this node's log these are members, and neither it nor the configuration says where they are; members \
                aren't changed by editing the file (clusterctl members remove)
                """, metadata: [LogKey.peer: "\(unreachable.map(\.rawValue).joined(separator: ", "))"])
        }
        self.scheduleTurn()
    }

    // MARK: Turns

    /// Something waits for the next turn. It comes once everything that is ready on the loop now has been taken.
    func scheduleTurn() {
        guard !self.isTurnScheduled else { return }
        self.isTurnScheduled = true
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.loop.execute { bound.value.turn() }
    }

    func add(_ input: RaftInput) {
        self.inputs.append(input)
        self.scheduleTurn()
    }

    private func turn() {
        self.isTurnScheduled = false
        let began = self.clock.monotonic()
        self.takeOver()
        for request in self.mailbox.takeAll() { self.take(request) }
        self.raiseFormatIfDue()
        self.proposeQueue()
        let inputs = self.inputs
        self.inputs.removeAll(keepingCapacity: true)
        self.perform(self.core.step(inputs, now: self.clock.monotonic()))
        self.checkpointIfDue()
        self.transport.flush()
        self.publish()
        self.armTimer()
        self.finishDrain()
        self.finishMembersChanges()
        self.noteLength(of: began)
    }

    /// A turn that holds up heartbeats for long makes the others doubt this leader: its operator should know.
    private static let longTurn: UInt64 = 100_000_000

    private func noteLength(of began: Instant) {
        let length = self.clock.monotonic().nanoseconds(since: began)
        guard length > Self.longTurn else { return }
        self.logger.warning(
            "A turn of the node's loop took long: the machine is overloaded",
            metadata: [LogKey.milliseconds: "\(length / 1_000_000)", LogKey.live: "\(self.applier.machine.liveCount)"])
    }

    private func perform(_ effects: [RaftEffect]) {
        for effect in effects {
            switch effect {
            case .persist(let batch): self.log.append(batch)
            case .send(let message, let peer): self.transport.send(message, to: peer)
            case .proposalAppended(let id, let first, let term): self.proposalAppended(id, at: first, term: term)
            case .proposalRefused(let id, let leaderID): self.proposalRefused(id, leaderID: leaderID)
            case .apply(let entries):
                for entry in entries { self.apply(entry) }
                self.applyAwaited()
            case .readReady(let id, let index): self.readReady(id.rawValue, index: index.rawValue)
            case .readRefused(let id, _): self.readRefused(id.rawValue)
            case .roleChanged(let summary): self.roleChanged(summary)
            case .leaderEstablished(let term): self.leaderEstablished(term)
            case .takeSnapshot: self.takeSnapshot()
            case .fetchSnapshot(let offer, let leader): self.fetchSnapshot(offer, from: leader)
            case .installSnapshot(let offer): self.installSnapshot(offer)
            case .membershipChanged: self.membersChanged()
            case .membershipRefused(let id, let problem): self.membershipRefused(id, problem)
            case .logRepaired(let index):
                self.logger.notice(
                    "The log is whole again: this node has its vote back", metadata: [LogKey.index: "\(index)"])
            }
        }
    }

    /// The log's disk has everything through this sequence.
    func persisted(through sequence: UInt64) {
        self.loop.preconditionInEventLoop()
        self.add(.persisted(through: sequence))
    }

    /// The log's disk has no room, or has room again.
    func diskFull(_ isFull: Bool) {
        self.loop.preconditionInEventLoop()
        self.logger.log(
            level: isFull ? .error : .info,
            isFull
                ? "The log's disk is full: this node can't lead until there is room" : "The log's disk has room again")
        self.isDiskFull = isFull
        self.vitals.isDiskFull = isFull
        self.goOnBackingUp()
        self.add(.diskFull(isFull))
    }

    private func armTimer() {
        let deadline = self.core.nextDeadline
        // A timer that goes off too early costs one empty turn; to move it with every heartbeat would cost more.
        if let timer = self.timer, timer.at <= deadline { return }
        self.timer?.scheduled.cancel()
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        let scheduled = self.loop.scheduleTask(deadline: .uptimeNanoseconds(deadline.nanoseconds)) {
            bound.value.timer = nil
            bound.value.scheduleTurn()
        }
        self.timer = (scheduled, deadline)
    }

    // MARK: Roles

    private func roleChanged(_ summary: RoleSummary) {
        self.logger.info(
            "Role changed",
            metadata: [
                LogKey.role: "\(summary.role.rawValue)", LogKey.term: "\(summary.term)",
                LogKey.leader: "\(summary.leaderID?.rawValue ?? "none")",
            ])
        if summary.role != self.vitals.role { self.vitals.since = self.clock.wall().rawValue }
        if self.isExecuting, summary.role != .leader {
            self.isExecuting = false
            self.takenOver = []
            self.executor?.stop()
        }
        self.answerHandOvers()
        if let leaderID = summary.leaderID {
            self.routeAgain(to: leaderID)
            self.routeParked()
        }
    }

    /// This leader knows all that was decided before it: whatever is due is its to carry out now.
    private func leaderEstablished(_ term: Term) {
        guard !self.isStopping, let executor = self.executor else { return }
        self.isExecuting = true
        // What its clock showed in an earlier leadership and was never proposed doesn't count.
        self.logClock = LogClock()
        let machine = self.applier.machine
        let live = machine.liveGids
        self.logger.info(
            "Leading",
            metadata: [LogKey.term: "\(term)", LogKey.index: "\(self.core.commitIndex)", LogKey.live: "\(live.count)"])
        executor.start(term: term)
        self.takenOver = live[...]
        self.scheduleTurn()
    }

    /// Nanoseconds that a new leader spends in one turn on handing transactions to its executor: heartbeats go out between
    /// the turns, also on a machine that is slow or busy.
    private static let takeOverTime: UInt64 = 5_000_000

    /// Hands the next transactions that the leader found to the executor.
    private func takeOver() {
        guard self.isExecuting, let executor = self.executor, !self.takenOver.isEmpty else { return }
        let machine = self.applier.machine
        let began = self.clock.monotonic()
        while let gid = self.takenOver.popFirst() {
            if let transaction = machine.transaction(gid), transaction.decision == nil, !machine.isHeld(transaction) {
                executor.deadlineSet(gid, transaction.deadline)
            }
            executor.callsDue(machine.dueCalls(of: gid), of: gid)
            if self.clock.monotonic().nanoseconds(since: began) > Self.takeOverTime { break }
        }
        if !self.takenOver.isEmpty { self.scheduleTurn() }
    }

    private func publish() {
        let summary = self.core.summary
        self.vitals.role = summary.role
        self.vitals.term = summary.term.rawValue
        self.vitals.leader = summary.leaderID
        self.vitals.commitIndex = self.core.commitIndex.rawValue
        self.vitals.appliedIndex = self.applier.applied.index.rawValue
        self.vitals.appliedTerm = self.applier.applied.term.rawValue
        self.vitals.lastIndex = self.core.lastIndex.rawValue
        self.vitals.durableIndex = self.core.durableIndex.rawValue
        self.vitals.firstIndex = self.core.base.index.next().rawValue
        self.vitals.liveTransactions = self.applier.machine.liveCount
        self.vitals.format = self.applier.machine.format
        self.vitals.isIncomplete = self.lacksState || self.core.isRepairing
        self.board.vitals = self.vitals
    }

    /// As the board has it, with what only a leader knows.
    var fullVitals: Vitals {
        var vitals = self.board.vitals
        vitals.matchIndexes = self.core.matchIndexes.mapValues(\.rawValue)
        return vitals
    }

    /// Log time as this leader would propose it now.
    func logTime() -> LogTime {
        self.logClock.read(
            wall: self.clock.wall(), monotonic: self.clock.monotonic().nanoseconds,
            reached: max(self.lastProposalTime, self.applier.machine.logTime))
    }

    func nextNumber() -> UInt64 {
        self.lastNumber += 1
        return self.lastNumber
    }
}
