// SPDX-License-Identifier: Apache-2.0

/// Log compaction and snapshots (Raft paper, section 7).
///
/// The applied state on a node's disk is its snapshot: the log lets go of what the state holds. A follower that lacks what
/// is gone fetches a copy of the leader's state. The file's way is the driver's; the core says when one is taken, offered,
/// fetched and installed.
extension RaftCore {
    // MARK: Compaction

    /// Bytes of entries that one batch lets go of at most.
    private static let compactionStep = 4 << 20

    /// More of the log is kept than is asked for, and a sync of the applied state would let some of it go.
    package var wantsCompaction: Bool {
        let retained = self.configuration.retainedLogBytes
        return self.log.bytes > retained + retained / 4 && self.stateDurableIndex < self.appliedIndex
            && self.installing == nil
    }

    /// Lets go of what the applied state on this node's disk makes unnecessary, but for the latest entries.
    mutating func compactLog() {
        let retained = self.configuration.retainedLogBytes
        guard self.log.bytes > retained + retained / 4, self.installing == nil else { return }
        let limit = min(self.compactionLimit, self.appliedIndex, self.durableIndex, self.neededThrough)
        let index = self.log.compactionIndex(keeping: retained, through: limit, step: Self.compactionStep)
        guard index > self.log.base.index, self.knowsMembers(at: index) else { return }
        self.log.compact(through: index)
        self.memberships.compact(through: index)
        self.changedBase = LogBase(
            position: self.log.base, membership: self.memberships.base,
            keepsEntries: self.changedBase?.keepsEntries ?? true)
    }

    /// What the applied state on this node's disk holds.
    private var compactionLimit: LogIndex {
        #if PlantedBugs
            if self.isPlanted(.compactsAhead) { return self.appliedIndex }
        #endif
        return self.stateDurableIndex
    }

    /// How many times `retainedLogBytes` a leader keeps for a follower that takes entries, and for one that fetches a
    /// snapshot: the log behind a snapshot must outlast its way, or the follower begins again and again.
    private static let boundForEntries = 4
    private static let boundForSnapshot = 32

    /// A leader keeps what followers that answer still need, but not without end.
    private var neededThrough: LogIndex {
        guard case .leader(let leader) = self.role else { return self.log.lastIndex }
        let retained = self.configuration.retainedLogBytes
        // A follower has to be able to keep up, also where nothing is retained without need.
        let size = self.log.bytes / max(1, retained > 0 ? retained : self.configuration.maximumMessageBytes)
        var index = self.log.lastIndex
        for progress in leader.progress where self.isHeard(progress) {
            switch progress.mode {
            case .probe, .replicate:
                if size < Self.boundForEntries { index = min(index, progress.matchIndex) }
            case .snapshot:
                guard size < Self.boundForSnapshot else { continue }
                index = min(index, leader.snapshot?.position.index ?? self.log.base.index)
            }
        }
        return index
    }

    // MARK: The leader

    /// The snapshot, if the log goes on behind it.
    func usable(_ snapshot: SnapshotOffer?) -> SnapshotOffer? {
        guard let snapshot, self.log.term(at: snapshot.position.index) == snapshot.position.term else { return nil }
        return snapshot
    }

    /// Has one taken if followers that answer need one and there is none. Comes with the heartbeat, so that one that can't
    /// be taken is no busy loop.
    mutating func takeSnapshotIfNeeded(_ leader: inout LeaderState) {
        guard !leader.isTakingSnapshot,
            leader.progress.contains(where: { ($0.mode == .snapshot || $0.needsState) && self.isHeard($0) }),
            self.usable(leader.snapshot) == nil
        else { return }
        leader.isTakingSnapshot = true
        self.effects.append(.takeSnapshot)
    }

    /// Offers a snapshot; while there is none, says that there is a leader.
    mutating func offer(_ snapshot: SnapshotOffer?, to peer: NodeID, progress: inout Progress, round: UInt64) {
        progress.sentRound = round
        guard let snapshot else {
            let base = self.log.base
            return self.send(
                .appendEntries(
                    AppendEntries(
                        term: self.currentTerm, prevLogIndex: base.index, prevLogTerm: base.term, entries: [],
                        leaderCommit: min(self.commitIndex, base.index), readRound: round)), to: peer)
        }
        self.send(
            .installSnapshot(InstallSnapshot(term: self.currentTerm, offer: snapshot, readRound: round)), to: peer)
    }

    mutating func snapshotTaken(_ description: SnapshotDescription) {
        let position = description.position
        let membership = self.members(at: position.index)
        let isOfThisLog = self.log.term(at: position.index) == position.term && self.knowsMembers(at: position.index)
        self.withLeader { _, leader in
            leader.isTakingSnapshot = false
            if isOfThisLog { leader.snapshot = SnapshotOffer(description: description, membership: membership) }
        }
    }

    /// Whether it is certain who took part at an index. For the time before the first entry that names members a node that
    /// joins has only its folder's word, which is of a later time; a base must not be made of that.
    private func knowsMembers(at index: LogIndex) -> Bool {
        let own = self.configuration.own
        return self.memberships.latest(through: index).index > .zero || self.log.base.index > .zero
            || self.memberships.base.member(own.nodeID).map(own.isNamed) == true
    }

    private func members(at index: LogIndex) -> Membership {
        #if PlantedBugs
            if self.isPlanted(.snapshotNamesOldMembers) { return self.memberships.base }
        #endif
        return self.memberships.membership(at: index)
    }

    // MARK: The follower

    mutating func handle(_ request: InstallSnapshot, from leader: NodeID) {
        guard request.term >= self.currentTerm else {
            let reply = self.reply(.staleTerm, readRound: request.readRound)
            return self.sendWhenDurable(.appendEntriesReply(reply), to: leader)
        }
        let position = request.offer.position
        // No leader has what a later term committed.
        guard position.term <= request.term else { return }
        if case .leader = self.role {
            invariant(request.term > self.currentTerm, "\(leader) leads term \(request.term), and so does this node")
        }
        self.becomeFollower(term: request.term, leaderID: leader)
        self.isLeaderGone = false
        if self.installing == nil, !self.lacksState, self.log.term(at: position.index) == position.term {
            // What it holds is committed, and this log has it.
            self.commitIndex = max(self.commitIndex, position.index)
        }
        // Without its state it may need one of an index that it has committed.
        if position.index < self.log.base.index || (!self.lacksState && position.index <= self.commitIndex) {
            // What is committed is the leader's too.
            #if PlantedBugs
                if self.isPlanted(.snapshotAcknowledgesAll) {
                    let all = AppendEntriesReply.Outcome.success(matchIndex: self.log.lastIndex)
                    return self.answer(all, readRound: request.readRound, to: leader)
                }
            #endif
            let matchIndex = min(self.commitIndex, self.durableIndex)
            return self.answer(.success(matchIndex: matchIndex), readRound: request.readRound, to: leader)
        }
        guard !self.isDiskFull else { return self.answer(.staleTerm, readRound: request.readRound, to: leader) }
        if self.installing == nil { self.effects.append(.fetchSnapshot(request.offer, from: leader)) }
        self.answer(.installing, readRound: request.readRound, to: leader)
    }

    /// A snapshot at or below what is committed here is of no use any more. Who installs one doesn't stand for election: its
    /// log is about to change.
    mutating func snapshotReceived(_ offer: SnapshotOffer) {
        guard self.installing == nil else { return }
        guard self.isNews(offer) else { return }
        switch self.role {
        case .follower: break
        case .preCandidate, .candidate: self.role = .follower(leaderID: nil)
        case .leader: return
        }
        self.installing = offer
        self.effects.append(.installSnapshot(offer))
    }

    private func holds(_ position: LogPosition) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.snapshotKeepsConflicts) { return self.log.term(at: position.index) != nil }
        #endif
        return self.log.term(at: position.index) == position.term
    }

    private func isNews(_ offer: SnapshotOffer) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.installsOldSnapshot) { return true }
        #endif
        return self.lacksState ? offer.position.index >= self.log.base.index : offer.position.index > self.commitIndex
    }

    /// The state is the snapshot's. If the log holds the snapshot's last entry, it stays as it is: what stands behind it may
    /// be acknowledged, and the prefix goes in its time. Else all of the log goes (Raft paper, figure 13, steps 6 and 7).
    mutating func snapshotInstalled(_ offer: SnapshotOffer) {
        invariant(
            self.installing == offer, "a snapshot at \(offer.position.index) was installed, which nobody asked for")
        self.installing = nil
        self.lacksState = false
        let position = offer.position
        if !self.holds(position) {
            self.log.reset(to: position)
            #if PlantedBugs
                let membership = self.isPlanted(.installKeepsMembers) ? self.membership : offer.membership
                self.memberships = MembershipHistory(base: membership)
            #else
                self.memberships = MembershipHistory(base: offer.membership)
            #endif
            self.forgetDurable(from: .zero)
            self.electorateChanged()
            self.changedBase = LogBase(position: position, membership: offer.membership, keepsEntries: false)
        }
        self.commitIndex = max(self.commitIndex, position.index)
        self.appliedIndex = max(self.appliedIndex, position.index)
        self.stateDurableIndex = max(self.stateDurableIndex, position.index)
    }
}
