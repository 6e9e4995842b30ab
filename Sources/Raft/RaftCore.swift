// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// One node's part in one Raft group, as a value: inputs go in, effects come out (Ongaro and Ousterhout, "In search of
/// an understandable consensus algorithm", extended version; here "Raft paper").
///
/// It owns no thread, timer, socket or file. Time and random numbers are handed in, so that a seed replays a run. Two
/// rules give it its shape:
/// - A turn takes all inputs that have gathered and gives at most one batch for the disk and one stream of messages for
///   each peer, so that load makes batches larger instead of more numerous.
/// - What promises something about this node's disk (a vote, an acknowledgement) is held inside the core until the disk
///   has it. The driver may send whatever it is given.
package struct RaftCore: Sendable {
    let configuration: RaftConfiguration
    /// Who takes part, as the log says: the latest entry that names it counts, committed or not (Raft paper, section 6).
    var memberships: MembershipHistory
    /// The same, as what a majority is.
    var electorate: Electorate

    var hardState: HardState
    var log: Log
    package internal(set) var commitIndex: LogIndex
    var appliedIndex: LogIndex
    var role: Role
    var now: Instant
    var random: SplitMix64

    /// When a node that is no leader stands for election.
    var electionDeadline: Instant
    /// When the leader of this term was last heard; nil if it need not be protected.
    var leaderContact: Instant?
    /// The leader's process is known to be gone: its connection was lost and a new one refused.
    var isLeaderGone = false
    /// The disk takes nothing: this node neither leads nor stands for election.
    var isDiskFull = false
    /// The applied state was lost while the log no longer reaches back to its beginning: a snapshot must take its place
    /// before anything is applied. Term, vote and log are whole, so the node votes; it doesn't stand for election.
    package internal(set) var lacksState: Bool
    /// While the log is under repair: what it must hold again, by a leader's word.
    var repairTarget: LogIndex?
    /// The applied state is being replaced by this snapshot.
    var installing: SnapshotOffer?
    /// Applied state through this index is synced on this node's disk.
    var stateDurableIndex: LogIndex = .zero
    /// The log begins elsewhere since the last batch.
    var changedBase: LogBase?

    var held = HeldMessages()
    /// The sequence of the last batch given out, of the last one on disk, and of the one that carries the hard state.
    var lastSequence: UInt64 = 0
    var persistedSequence: UInt64 = 0
    var hardStateSequence: UInt64 = 0
    /// The hard state changed in this turn.
    var isHardStateDirty = false
    /// Batches under way, each since when, with the end of what it puts on disk of the log as it stands in memory now.
    var batchesUnderWay: [(sequence: UInt64, since: Instant, durableThrough: LogIndex)] = []
    /// The end of the prefix of the log in memory that is on disk as it stands.
    package internal(set) var durableIndex: LogIndex

    /// Effects of the turn under way.
    var effects: [RaftEffect] = []
    var reportedSummary: RoleSummary?
    var reportedMembership: Membership?

    /// - Parameters:
    ///   - recovered: what `Recovery` found on this node's disk.
    ///   - appliedIndex: what the state machine has already applied; never above what is committed. Nil if its state is
    ///     lost, and the log doesn't hold everything that would make it anew.
    ///   - seed: of the node's own random numbers. Must differ between nodes, or elections split.
    package init(
        configuration: RaftConfiguration, recovered: RecoveredLog, appliedIndex: LogIndex?, seed: UInt64, now: Instant
    ) {
        self.configuration = configuration
        self.memberships = MembershipHistory(
            base: recovered.membership
                ?? Membership(voters: configuration.voters.map { Member(nodeID: $0, storageID: .unknown) }))
        for entry in recovered.entries {
            if let membership = entry.membership { self.memberships.append(membership, at: entry.index) }
        }
        self.electorate = Self.electorate(of: self.memberships.current, configuration)
        self.hardState = recovered.hardState
        self.log = Log(base: recovered.base, entries: recovered.entries)
        self.lacksState = appliedIndex == nil
        let appliedIndex = appliedIndex ?? recovered.base.index
        invariant(
            appliedIndex <= self.log.lastIndex, "applied \(appliedIndex) is beyond the log's end \(self.log.lastIndex)")
        invariant(
            appliedIndex >= recovered.base.index,
            "applied \(appliedIndex) is before the log's base \(recovered.base.index)")
        self.commitIndex = appliedIndex
        self.appliedIndex = appliedIndex
        self.stateDurableIndex = appliedIndex
        self.durableIndex = self.log.lastIndex
        self.role = .follower(leaderID: nil)
        self.now = now
        self.random = SplitMix64(seed: seed)
        self.electionDeadline = now
        // A node that comes back may have heard of a healthy leader a moment ago: it waits like any other.
        self.leaderContact = now
        self.resetElectionDeadline()
    }

    package var currentTerm: Term { self.hardState.currentTerm }
    package var votedFor: NodeID? { self.hardState.votedFor }
    package var lastIndex: LogIndex { self.log.lastIndex }
    package func entry(at index: LogIndex) -> Entry? { self.log.entry(at: index) }
    /// Nil if the log doesn't reach so far, or no longer.
    package func term(at index: LogIndex) -> Term? { self.log.term(at: index) }

    package var nodeID: NodeID { self.configuration.nodeID }
    /// The other members, in the order of their ids.
    var peers: [NodeID] { self.electorate.peers }
    /// What the log's first entry follows.
    package var base: LogPosition { self.log.base }
    /// Who takes part.
    package var membership: Membership { self.memberships.current }
    /// Through which index this node's log is known to say that it takes part, with this very life of its folder: zero as
    /// the group was initialised, nil if the log doesn't say so. That a later entry says otherwise may be undone.
    package var listing: LogIndex? {
        let own = self.configuration.own
        guard own.storageID != .unknown, let index = self.memberships.latestIndex(naming: own) else { return nil }
        return max(index, self.base.index)
    }
    /// Who takes part for certain, by what is committed, and from which index on that is known.
    package var committedMembership: (index: LogIndex, membership: Membership) {
        let (index, membership) = self.memberships.latest(through: self.commitIndex)
        return (max(index, self.base.index), membership)
    }
    /// No change of who takes part is under way: the latest is committed, and no joint phase has to be left.
    package var isMembershipSettled: Bool {
        !self.membership.isJoint && self.memberships.latestIndex <= self.commitIndex
    }

    /// The newest format that every member knows, learners included, and that a leader may let the cluster use. Nil while
    /// somebody joins or leaves, and while somebody hasn't said what it knows.
    /// - Parameter known: what each of the others knows, as this node's present connection to it says.
    package func commonFormat(own: FormatLevel, known: (NodeID) -> FormatLevel?) -> FormatLevel? {
        guard self.isMembershipSettled else { return nil }
        var common = own
        for member in self.membership.members where member.nodeID != self.nodeID {
            guard let format = known(member.nodeID) else {
                #if PlantedBugs
                    if self.isPlanted(.absentKnowAll) { continue }
                #endif
                return nil
            }
            common = min(common, format)
        }
        return common
    }

    package var summary: RoleSummary {
        RoleSummary(role: self.role.name, term: self.currentTerm, leaderID: self.leaderID)
    }

    /// How far each follower's log is known to match, as the leader knows it; empty on other nodes.
    package var matchIndexes: [NodeID: LogIndex] {
        guard case .leader(let leader) = self.role else { return [:] }
        return Dictionary(uniqueKeysWithValues: zip(self.peers, leader.progress.map(\.matchIndex)))
    }

    /// When `step([], now:)` is due if nothing else happens.
    package var nextDeadline: Instant {
        guard case .leader(let leader) = self.role else { return self.electionDeadline }
        let deadline = min(leader.heartbeatDeadline, leader.quorumDeadline)
        return leader.transfer.map { min(deadline, $0.deadline) } ?? deadline
    }

    /// Takes all that has happened since the last turn, in order.
    /// - Returns: what the driver must do, in order; at most one `.persist`, and that first.
    package mutating func step(_ inputs: [RaftInput], now: Instant) -> [RaftEffect] {
        invariant(self.effects.isEmpty, "a turn began inside another")
        self.now = max(self.now, now)
        for input in inputs { self.handle(input) }
        self.handleDeadlines()
        self.finishRepair()
        self.advanceMembership()
        var reads = self.finishReadRound()
        self.replicate()
        if self.electorate.isAlone { reads += self.finishReadRound() }
        self.advanceTransfer()
        self.compactLog()
        let batch = self.takeBatch()
        self.releaseHeld()
        self.applyCommitted()
        self.effects += reads
        self.reportMembership()
        self.reportRole()
        let effects = self.effects
        self.effects = []
        return batch.map { [.persist($0)] + effects } ?? effects
    }

    private mutating func handle(_ input: RaftInput) {
        switch input {
        case .received(let message, let sender):
            // Also of nodes that this log doesn't know as members: it may be older than theirs (Raft paper, section 6).
            guard sender != self.configuration.nodeID,
                message.term.rawValue <= self.currentTerm.rawValue + Self.longestTermLeap
            else { return }
            self.handle(message, from: sender)
        case .peerConnected(let peer): self.resetProgress(of: peer)
        case .peerDisconnected(let peer, let isRefused):
            self.resetProgress(of: peer)
            if isRefused { self.noteLeaderGone(peer) }
        case .propose(let id, let payloads): self.propose(id, payloads)
        case .read(let id): self.read(id)
        case .persisted(let sequence): self.persisted(through: sequence)
        case .diskFull(let isFull): self.noteDiskFull(isFull)
        case .compact(let index): self.stateDurableIndex = max(self.stateDurableIndex, index)
        case .snapshotTaken(let description): self.snapshotTaken(description)
        case .snapshotFailed: self.withLeader { _, leader in leader.isTakingSnapshot = false }
        case .snapshotReceived(let offer): self.snapshotReceived(offer)
        case .snapshotInstalled(let offer): self.snapshotInstalled(offer)
        case .transferLeadership(let target): self.beginTransfer(to: target)
        case .changeMembership(let id, let change, let known): self.changeMembership(id, change, known)
        }
    }

    /// No cluster moves through so many terms while a node is away; a term beyond them is damage, and would never be
    /// forgotten again.
    private static let longestTermLeap: UInt64 = 1 << 32

    private mutating func handle(_ message: Message, from sender: NodeID) {
        switch message {
        case .preVote(let request): self.handlePreVote(request, from: sender)
        case .preVoteReply(let reply): self.handle(reply, from: sender)
        case .requestVote(let request): self.handleRequestVote(request, from: sender)
        case .requestVoteReply(let reply): self.handle(reply, from: sender)
        case .appendEntries(let request): self.handle(request, from: sender)
        case .appendEntriesReply(let reply): self.handle(reply, from: sender)
        case .installSnapshot(let request): self.handle(request, from: sender)
        case .timeoutNow(let request): self.handle(request, from: sender)
        }
    }

    private mutating func handleDeadlines() {
        guard case .leader = self.role else {
            if self.now >= self.electionDeadline { self.startPreVote() }
            return
        }
        self.checkQuorum()
        self.checkDisk()
    }

    // MARK: The disk

    /// Everything that changed in this turn, as one batch; and ties the turn's held messages to it.
    private mutating func takeBatch() -> Batch? {
        let change = self.log.takeChange()
        let base = self.changedBase
        self.changedBase = nil
        guard change != nil || base != nil || self.isHardStateDirty else {
            self.held.seal(sequence: self.lastSequence)
            return nil
        }
        self.lastSequence += 1
        if self.isHardStateDirty { self.hardStateSequence = self.lastSequence }
        self.isHardStateDirty = false
        self.held.seal(sequence: self.lastSequence)
        self.batchesUnderWay.append((self.lastSequence, self.now, self.log.lastIndex))
        return Batch(
            sequence: self.lastSequence, hardState: self.hardState, base: base, truncateFrom: change?.truncateFrom,
            entries: change?.entries ?? [])
    }

    private mutating func persisted(through sequence: UInt64) {
        invariant(
            sequence <= self.lastSequence, "batch \(sequence) is on disk, but only \(self.lastSequence) were given out")
        self.persistedSequence = max(self.persistedSequence, sequence)
        while let batch = self.batchesUnderWay.first, batch.sequence <= sequence {
            self.batchesUnderWay.removeFirst()
            self.durableIndex = max(self.durableIndex, batch.durableThrough)
        }
        self.countOwnVote()
        self.advanceCommitIndex()
    }

    /// The log was cut: what is on disk, or on its way there, from `index` on is not what this log says now, even if the
    /// very same entries come back by a later leader (etcd raft's asynchronous storage calls this the ABA of appends).
    mutating func forgetDurable(from index: LogIndex) {
        #if PlantedBugs
            if self.isPlanted(.durableNotForgotten) { return }
        #endif
        self.durableIndex = min(self.durableIndex, index.previous())
        for position in self.batchesUnderWay.indices {
            self.batchesUnderWay[position].durableThrough = min(
                self.batchesUnderWay[position].durableThrough, index.previous())
        }
    }

    /// The term and the vote are on disk as they stand.
    var isHardStateDurable: Bool { !self.isHardStateDirty && self.persistedSequence >= self.hardStateSequence }

    private mutating func releaseHeld() {
        var released: [RaftEffect] = []
        let currentTerm = self.currentTerm
        self.held.release(through: self.persistedSequence) { message, peer in
            // An acknowledgement of a term that is over may name entries that were cut off before they reached the disk;
            // nobody counts it.
            if case .appendEntriesReply(let reply) = message, reply.term < currentTerm { return }
            released.append(.send(message, to: peer))
        }
        self.effects.append(contentsOf: released)
    }

    // MARK: What the driver is told

    private mutating func applyCommitted() {
        #if PlantedBugs
            if self.isPlanted(.leaderAppliesAhead), case .leader = self.role { self.commitIndex = self.durableIndex }
        #endif
        if self.commitIndex > self.appliedIndex, self.installing == nil, !self.lacksState {
            self.effects.append(.apply(self.log.slice(from: self.appliedIndex.next(), through: self.commitIndex)))
            self.appliedIndex = self.commitIndex
        }
        guard case .leader(var leader) = self.role, !leader.isEstablished, self.appliedIndex >= leader.firstIndex else {
            return
        }
        leader.isEstablished = true
        self.role = .leader(leader)
        self.effects.append(.leaderEstablished(term: self.currentTerm))
    }

    private mutating func reportRole() {
        let summary = self.summary
        guard summary != self.reportedSummary else { return }
        self.reportedSummary = summary
        self.effects.append(.roleChanged(summary))
    }

    mutating func send(_ message: Message, to peer: NodeID) {
        self.effects.append(.send(message, to: peer))
    }

    /// Sends when everything that this turn writes is on disk.
    mutating func sendWhenDurable(_ message: Message, to peer: NodeID) {
        #if PlantedBugs
            if self.isPlanted(for: message) { return self.send(message, to: peer) }
        #endif
        self.held.add(message, to: peer)
    }

    #if PlantedBugs
        func isPlanted(_ bug: PlantedBug) -> Bool { self.configuration.plantedBugs.contains(bug) }

        private func isPlanted(for message: Message) -> Bool {
            switch message {
            case .requestVoteReply, .requestVote: self.isPlanted(.voteBeforeDurable)
            case .appendEntriesReply: self.isPlanted(.acknowledgeBeforeDurable)
            case .preVote, .preVoteReply, .appendEntries, .installSnapshot, .timeoutNow: false
            }
        }
    #endif
}
