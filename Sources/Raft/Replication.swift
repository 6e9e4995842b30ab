// SPDX-License-Identifier: Apache-2.0

/// Log replication (Raft paper, section 5.3) and commitment (section 5.4.2).
extension RaftCore {
    // MARK: The leader

    mutating func propose(_ id: ProposalID, _ payloads: [[UInt8]]) {
        let bytes = payloads.reduce(0) { $0 + $1.count }
        // What the codec can't read back must never be written.
        if case .leader(let leader) = self.role, let transfer = leader.transfer {
            self.effects.append(.proposalRefused(id, leaderID: transfer.target))
            return
        }
        guard case .leader(var leader) = self.role, payloads.allSatisfy({ $0.count <= Entry.maximumPayloadLength }),
            leader.uncommittedBytes == 0
                || leader.uncommittedBytes + bytes <= self.configuration.maximumUncommittedBytes
        else {
            self.effects.append(.proposalRefused(id, leaderID: self.leaderID))
            return
        }
        leader.uncommittedBytes += bytes
        self.role = .leader(leader)
        let first = self.log.lastIndex.next()
        for payload in payloads {
            self.log.append(
                Entry(index: self.log.lastIndex.next(), term: self.currentTerm, kind: .command, payload: payload))
        }
        self.effects.append(.proposalAppended(id, first: first, term: self.currentTerm))
    }

    /// Sends every follower what it lacks: entries, a higher commit index, a new round of reads, or a heartbeat.
    mutating func replicate() {
        self.withLeader { core, leader in
            core.startReadRound(&leader)
            core.setRepairTargets(&leader)
            let isHeartbeatDue = core.now >= leader.heartbeatDeadline
            if isHeartbeatDue {
                leader.heartbeatDeadline = core.now.advanced(byNanoseconds: core.configuration.heartbeatInterval)
            }
            let snapshot = core.usable(leader.snapshot)
            for position in core.peers.indices {
                core.replicate(
                    to: core.peers[position], progress: &leader.progress[position], round: leader.reads.current,
                    isHeartbeatDue: isHeartbeatDue, snapshot: snapshot)
            }
            if isHeartbeatDue { core.takeSnapshotIfNeeded(&leader) }
        }
    }

    private mutating func replicate(
        to peer: NodeID, progress: inout Progress, round: UInt64, isHeartbeatDue: Bool, snapshot: SnapshotOffer?
    ) {
        if self.log.term(at: progress.nextIndex.previous()) == nil { progress.becomeSnapshot() }
        switch progress.mode {
        case .snapshot:
            guard isHeartbeatDue || progress.sentRound < round else { return }
            return self.offer(snapshot, to: peer, progress: &progress, round: round)
        case .probe(let isAwaitingReply):
            guard !isAwaitingReply || isHeartbeatDue || progress.sentRound < round else { break }
            // Repeated without entries: a follower answers that at once, also while its disk is slow.
            let entries =
                isAwaitingReply
                ? []
                : self.log.slice(
                    from: progress.nextIndex,
                    bytes: min(Self.maximumProbeBytes, self.configuration.maximumMessageBytes))
            self.sendAppendEntries(entries, to: peer, progress: &progress, round: round)
            progress.sentProbe()
        case .replicate:
            var isSomethingSent = false
            while progress.nextIndex <= self.log.lastIndex,
                progress.inflight.count < self.configuration.maximumInflightMessages
            {
                let entries = self.log.slice(
                    from: progress.nextIndex, bytes: self.configuration.maximumMessageBytes)
                self.sendAppendEntries(entries, to: peer, progress: &progress, round: round)
                progress.sentEntries(through: entries.last?.index ?? self.log.lastIndex)
                isSomethingSent = true
            }
            let isNewsDue = progress.sentCommit < self.commitIndex || progress.sentRound < round
            if !isSomethingSent, isHeartbeatDue || isNewsDue {
                self.sendAppendEntries([], to: peer, progress: &progress, round: round)
            }
        }
        // Who has lost its state and not its log is offered one beside the entries.
        if progress.needsState, isHeartbeatDue, snapshot != nil {
            self.offer(snapshot, to: peer, progress: &progress, round: round)
        }
    }

    /// Payload in a probe, whose answer may well be a rejection: the entry of a new leader and a few more.
    private static let maximumProbeBytes = 64 << 10

    private mutating func sendAppendEntries(
        _ entries: [Entry], to peer: NodeID, progress: inout Progress, round: UInt64
    ) {
        let previous = progress.nextIndex.previous()
        guard let previousTerm = self.log.term(at: previous) else {
            invariant(false, "entry \(previous), which \(peer) needs, is no longer in the log")
            return
        }
        progress.sentCommit = self.commitIndex
        progress.sentRound = round
        self.send(
            .appendEntries(
                AppendEntries(
                    term: self.currentTerm, prevLogIndex: previous, prevLogTerm: previousTerm, entries: entries,
                    leaderCommit: self.commitIndex, readRound: round, repair: progress.repairTarget)), to: peer)
    }

    mutating func handle(_ reply: AppendEntriesReply, from follower: NodeID) {
        if reply.term > self.currentTerm { return self.becomeFollower(term: reply.term, leaderID: nil) }
        guard self.isOfThisTerm(reply.term), let position = self.peers.firstIndex(of: follower) else { return }
        self.withLeader { core, leader in
            leader.progress[position].lastHeard = core.now
            guard core.hears(reply, &leader.progress[position]) else { return }
            // Who refuses a message of an older term echoes a round of that term, and rounds count from one in each.
            if reply.outcome != .staleTerm, reply.readRound <= leader.reads.current {
                leader.progress[position].echoedRound = max(leader.progress[position].echoedRound, reply.readRound)
            }
            leader.progress[position].needsState = reply.needsStateFrom != nil
            if let index = reply.needsStateFrom, let snapshot = leader.snapshot, snapshot.position.index < index {
                leader.snapshot = nil
            }
            switch reply.outcome {
            case .success(let matchIndex):
                // A follower never has on its disk what its leader never had.
                guard matchIndex <= core.log.lastIndex else { return }
                leader.progress[position].acknowledged(through: matchIndex)
            case .conflict(let rejectedIndex, let conflictTerm, let conflictIndex):
                guard rejectedIndex <= core.log.lastIndex else { return }
                #if PlantedBugs
                    if core.isPlanted(.conflictCountsAsMatch) {
                        return leader.progress[position].acknowledged(through: rejectedIndex)
                    }
                #endif
                // What it lacks is known.
                if case .snapshot = leader.progress[position].mode { return }
                _ = leader.progress[position].rejected(
                    at: rejectedIndex, goOnAt: core.nextIndex(conflictTerm: conflictTerm, conflictIndex: conflictIndex))
            case .staleTerm, .installing: break
            }
        }
        self.advanceCommitIndex()
    }

    private func hears(_ reply: AppendEntriesReply, _ progress: inout Progress) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.lossKeepsMatch) {
                progress.isRepairing = reply.isRepairing
                return true
            }
        #endif
        return progress.hears(reply, next: self.log.lastIndex.next())
    }

    /// Where a leader goes on after a rejection: behind its own last entry of the follower's conflicting term, or where
    /// that term begins in the follower's log (Raft paper, end of section 5.3).
    private func nextIndex(conflictTerm: Term?, conflictIndex: LogIndex) -> LogIndex {
        guard let conflictTerm, let last = self.log.lastIndex(of: conflictTerm) else { return conflictIndex }
        return last.next()
    }

    /// Moves `commitIndex` to the highest index that a majority has on disk, if its entry is of the current term.
    ///
    /// Entries of earlier terms are committed only by way of a later one (Raft paper, section 5.4.2, figure 8).
    mutating func advanceCommitIndex() {
        self.withLeader { core, leader in
            let candidate = core.agreedIndex(leader)
            guard candidate > core.commitIndex, core.mayCommit(through: candidate) else { return }
            leader.uncommittedBytes -= core.payloadBytes(behind: core.commitIndex, through: candidate, leader)
            core.commitIndex = candidate
        }
    }

    /// What a majority has on disk.
    private func agreedIndex(_ leader: LeaderState) -> LogIndex {
        #if PlantedBugs
            if self.isPlanted(.learnersCount) {
                let indexes = (leader.progress.map(\.matchIndex) + [self.durableIndex]).sorted(by: >)
                return indexes[self.membership.voters.count / 2]
            }
        #endif
        return self.electorate.agreedIndex(own: self.ownIndex) { leader.progress[$0].matchIndex }
    }

    /// What this node counts of its own log: what is on its disk.
    private var ownIndex: LogIndex {
        #if PlantedBugs
            if self.isPlanted(.leaderCountsUnsynced) { return self.log.lastIndex }
        #endif
        return self.durableIndex
    }

    private func mayCommit(through index: LogIndex) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.commitsOldTerms) { return true }
        #endif
        return self.log.term(at: index) == self.currentTerm
    }

    /// Bytes of this leader's own proposals in a range: what it inherited was never counted.
    private func payloadBytes(behind first: LogIndex, through last: LogIndex, _ leader: LeaderState) -> Int {
        let from = max(first.next(), leader.firstIndex)
        guard from <= last else { return 0 }
        return self.log.slice(from: from, through: last).reduce(0) { $0 + $1.payload.count }
    }

    /// A connection came or went: what was on the way may be lost.
    mutating func resetProgress(of peer: NodeID) {
        guard let position = self.peers.firstIndex(of: peer) else { return }
        self.withLeader { _, leader in leader.progress[position].becomeProbe() }
    }

    /// Lends the leader's state for a change in place; does nothing on other nodes.
    mutating func withLeader(_ body: (inout RaftCore, inout LeaderState) -> Void) {
        guard case .leader(var leader) = self.role else { return }
        self.role = .follower(leaderID: self.configuration.nodeID)
        body(&self, &leader)
        self.role = .leader(leader)
    }

    // MARK: The follower

    mutating func handle(_ request: AppendEntries, from leader: NodeID) {
        guard request.term >= self.currentTerm else {
            let reply = self.reply(.staleTerm, readRound: request.readRound)
            return self.sendWhenDurable(.appendEntriesReply(reply), to: leader)
        }
        guard Self.isWellFormed(request) else { return }
        if case .leader = self.role {
            invariant(request.term > self.currentTerm, "\(leader) leads term \(request.term), and so does this node")
        }
        self.becomeFollower(term: request.term, leaderID: leader)
        self.isLeaderGone = false
        self.take(request.repair)

        if self.installing != nil { return self.answer(.installing, readRound: request.readRound, to: leader) }
        if self.isDiskFull, request.entries.contains(where: { self.log.term(at: $0.index) != $0.term }) {
            // The room that is left is for terms and votes. The leader is told that it was heard, and no more.
            return self.answer(.staleTerm, readRound: request.readRound, to: leader)
        }
        let outcome = self.append(request)
        if self.isDiskFull, case .success = outcome, request.entries.isEmpty {
            // A success would bring the next entries.
            return self.answer(.staleTerm, readRound: request.readRound, to: leader)
        }
        let reply = self.reply(outcome, readRound: request.readRound)
        if case .success(let matchIndex) = outcome, matchIndex > self.durableIndex || !self.isHardStateDurable {
            self.sendWhenDurable(.appendEntriesReply(reply), to: leader)
            // A heartbeat is answered at once with what is on disk, so that a slow disk isn't taken for a lost follower.
            if request.entries.isEmpty, self.isHardStateDurable {
                let atOnce = self.reply(
                    .success(matchIndex: self.durable(matchIndex)), readRound: request.readRound)
                self.send(.appendEntriesReply(atOnce), to: leader)
            }
        } else {
            self.answer(outcome, readRound: request.readRound, to: leader)
        }
    }

    func reply(_ outcome: AppendEntriesReply.Outcome, readRound: UInt64) -> AppendEntriesReply {
        AppendEntriesReply(
            term: self.currentTerm, outcome: outcome, readRound: readRound,
            needsStateFrom: self.lacksState ? self.log.base.index : nil, losses: self.hardState.losses,
            isRepairing: self.isRepairing)
    }

    /// How much of what matches is on disk.
    private func durable(_ matchIndex: LogIndex) -> LogIndex {
        #if PlantedBugs
            if self.isPlanted(.heartbeatAcknowledgesUnsynced) { return matchIndex }
        #endif
        return min(matchIndex, self.durableIndex)
    }

    /// An answer that promises nothing but this term, and entries that are on disk as they stand.
    mutating func answer(_ outcome: AppendEntriesReply.Outcome, readRound: UInt64, to leader: NodeID) {
        let reply = self.reply(outcome, readRound: readRound)
        if self.isHardStateDurable {
            self.send(.appendEntriesReply(reply), to: leader)
        } else {
            self.sendWhenDurable(.appendEntriesReply(reply), to: leader)
        }
    }

    /// Brings the log in line with the leader's (Raft paper, figure 2, AppendEntries, steps 2 to 5).
    private mutating func append(_ request: AppendEntries) -> AppendEntriesReply.Outcome {
        guard request.prevLogIndex >= self.log.base.index else {
            #if PlantedBugs
                if self.isPlanted(.belowBaseSkipsEntries) {
                    return .success(matchIndex: request.prevLogIndex.advanced(by: request.entries.count))
                }
            #endif
            // What lies below the base is committed, hence the leader has it too.
            return .success(matchIndex: self.commitIndex)
        }
        guard let previousTerm = self.log.term(at: request.prevLogIndex) else {
            return .conflict(
                rejectedIndex: request.prevLogIndex, conflictTerm: nil, conflictIndex: self.log.lastIndex.next())
        }
        guard self.isSame(previousTerm, request.prevLogTerm) else {
            return .conflict(
                rejectedIndex: request.prevLogIndex, conflictTerm: previousTerm,
                conflictIndex: self.log.firstIndexOfTerm(at: request.prevLogIndex))
        }
        for entry in request.entries where self.log.term(at: entry.index) != entry.term {
            // Only an entry that conflicts cuts the log: an old message must not shorten it.
            if entry.index <= self.log.lastIndex { self.truncate(from: entry.index) }
            self.log.append(entry)
            if let membership = entry.membership {
                self.memberships.append(membership, at: entry.index)
                self.electorateChanged()
            }
        }
        let matchIndex = request.prevLogIndex.advanced(by: request.entries.count)
        #if PlantedBugs
            if self.isPlanted(.appendAlwaysTruncates), matchIndex >= self.commitIndex, matchIndex < self.log.lastIndex {
                self.truncate(from: matchIndex.next())
            }
        #endif
        #if PlantedBugs
            if self.isPlanted(.commitsUnmatched) {
                self.commitIndex = max(self.commitIndex, min(request.leaderCommit, self.log.lastIndex))
            }
            if self.isPlanted(.heartbeatAcknowledgesAll) { return .success(matchIndex: self.log.lastIndex) }
        #endif
        self.commitIndex = max(self.commitIndex, min(request.leaderCommit, matchIndex))
        return .success(matchIndex: matchIndex)
    }

    /// The consistency check (Raft paper, section 5.3).
    private func isSame(_ own: Term, _ leaders: Term) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.skipsConsistencyCheck) { return true }
        #endif
        return own == leaders
    }

    private mutating func truncate(from index: LogIndex) {
        invariant(
            index > self.commitIndex,
            "committed entry \(index) would be cut off (commit index \(self.commitIndex), term \(self.currentTerm))")
        self.log.truncate(from: index)
        self.forgetDurable(from: index)
        guard self.memberships.latestIndex >= index else { return }
        #if PlantedBugs
            if self.isPlanted(.membershipNotCutOff) { return }
        #endif
        self.memberships.truncate(from: index)
        self.electorateChanged()
    }

    /// A message whose entries don't follow each other is no message of a Raft leader, and is dropped.
    private static func isWellFormed(_ request: AppendEntries) -> Bool {
        var previous = LogPosition(index: request.prevLogIndex, term: request.prevLogTerm)
        for entry in request.entries {
            guard entry.index > previous.index, entry.index.previous() == previous.index, entry.term >= previous.term,
                entry.term <= request.term, entry.isReadable
            else {
                return false
            }
            previous = LogPosition(index: entry.index, term: entry.term)
        }
        return true
    }
}
