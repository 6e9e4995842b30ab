// SPDX-License-Identifier: Apache-2.0

/// Leader election (Raft paper, section 5.2) with PreVote (Ongaro's thesis, section 9.6) and CheckQuorum (section 6.2).
extension RaftCore {
    var leaderID: NodeID? {
        switch self.role {
        case .follower(let leaderID): leaderID
        case .preCandidate, .candidate: nil
        case .leader: self.configuration.nodeID
        }
    }

    // MARK: Standing for election

    /// Also without a vote by its latest membership, as long as that isn't known to be committed: this node may be the only one
    /// that has it, and then nobody else can be elected (Ongaro's thesis, section 4.2.2). Its own vote doesn't count then.
    var mayStand: Bool {
        #if PlantedBugs
            if self.isPlanted(.standsWithoutState) { return self.installing == nil }
        #endif
        return !self.isDiskFull && !self.isDiskLate && self.installing == nil && !self.lacksState
            && self.isTrueToPromises && self.memberships.isVoter(self.configuration.own, from: self.commitIndex)
    }

    /// Asks the others whether they would vote for this node, before it disturbs anyone with a new term.
    mutating func startPreVote() {
        guard self.mayStand else {
            self.role = .follower(leaderID: nil)
            return self.resetElectionDeadline()
        }
        self.role = .preCandidate(granted: [self.configuration.nodeID])
        self.setElectionDeadline(
            in: self.isLeaderGone ? self.configuration.lostLeaderRetry : self.configuration.electionTimeout)
        guard !self.electorate.isAlone else { return self.startElection(isTransfer: false) }
        let request = self.voteRequest(term: self.currentTerm.next(), isTransfer: false)
        for position in self.electorate.votingPositions { self.send(.preVote(request), to: self.peers[position]) }
    }

    /// - Parameter isTransfer: the leader of the term before asked for it, so that no voter need protect it.
    mutating func startElection(isTransfer: Bool) {
        self.setHardState(self.hardState.voting(for: self.configuration.nodeID, in: self.currentTerm.next()))
        #if PlantedBugs
            if self.isPlanted(.candidacyNotSaved) { self.isHardStateDirty = false }
        #endif
        self.role = .candidate(granted: [self.configuration.nodeID])
        self.setElectionDeadline(
            in: self.isLeaderGone ? self.configuration.lostLeaderRetry : self.configuration.electionTimeout)
        // The request says that this node voted for itself: it leaves when that is on disk.
        let request = self.voteRequest(term: self.currentTerm, isTransfer: isTransfer)
        for position in self.electorate.votingPositions {
            self.sendWhenDurable(.requestVote(request), to: self.peers[position])
        }
    }

    private func voteRequest(term: Term, isTransfer: Bool) -> VoteRequest {
        VoteRequest(
            term: term, lastLogIndex: self.log.lastIndex, lastLogTerm: self.log.lastTerm,
            isLeadershipTransfer: isTransfer)
    }

    /// Whether those who said yes are enough. A yes of someone who has no vote doesn't count.
    private func isElected(by granted: Set<NodeID>) -> Bool {
        self.electorate.hasMajority(own: granted.contains(self.configuration.nodeID)) { position in
            granted.contains(self.peers[position])
        }
    }

    mutating func handle(_ reply: PreVoteReply, from voter: NodeID) {
        if reply.term > self.currentTerm { return self.becomeFollower(term: reply.term, leaderID: nil) }
        guard case .preCandidate(var granted) = self.role, reply.isGranted,
            reply.candidacyTerm == self.currentTerm.next()
        else { return }
        granted.insert(voter)
        self.role = .preCandidate(granted: granted)
        if self.isElected(by: granted) { self.startElection(isTransfer: false) }
    }

    mutating func handle(_ reply: RequestVoteReply, from voter: NodeID) {
        if reply.term > self.currentTerm { return self.becomeFollower(term: reply.term, leaderID: nil) }
        guard case .candidate(var granted) = self.role, self.isVote(reply), self.isOfThisTerm(reply.term) else {
            return
        }
        granted.insert(voter)
        self.role = .candidate(granted: granted)
        if self.isElected(by: granted) { self.becomeLeader() }
    }

    private func isVote(_ reply: RequestVoteReply) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.refusalCountsAsVote) { return true }
        #endif
        return reply.isGranted
    }

    /// An answer of an older term says nothing about this one.
    func isOfThisTerm(_ term: Term) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.oldAnswersCount) { return true }
        #endif
        return term == self.currentTerm
    }

    /// Who needs no other's vote has won when its own is on disk: its learners would else see two leaders of one term, if it
    /// lost the term with its memory.
    mutating func countOwnVote() {
        guard case .candidate(let granted) = self.role, self.isHardStateDurable, self.isElected(by: granted) else {
            return
        }
        self.becomeLeader()
    }

    private mutating func becomeLeader() {
        let first = self.log.lastIndex.next()
        self.role = .leader(
            LeaderState(
                progress: self.peers.map { _ in Progress(nextIndex: first, now: self.now) }, firstIndex: first,
                heartbeatDeadline: self.now,
                quorumDeadline: self.now.advanced(byNanoseconds: self.configuration.electionTimeout.upperBound)))
        self.isLeaderGone = false
        // An entry of its own lets it commit what it found (Raft paper, sections 5.4.2 and 8).
        self.log.append(Entry(index: first, term: self.currentTerm, kind: .leaderStart, payload: []))
    }

    // MARK: Voting

    mutating func handlePreVote(_ request: VoteRequest, from candidate: NodeID) {
        let isGranted =
            request.term > self.currentTerm && self.mayReplaceLeader(request) && self.isUpToDate(request)
            && self.isTrueToPromises
        let reply = PreVoteReply(term: self.currentTerm, candidacyTerm: request.term, isGranted: isGranted)
        // It promises nothing but that this term was reached.
        if self.isHardStateDurable {
            self.send(.preVoteReply(reply), to: candidate)
        } else {
            self.sendWhenDurable(.preVoteReply(reply), to: candidate)
        }
    }

    mutating func handleRequestVote(_ request: VoteRequest, from candidate: NodeID) {
        // A voter that hears its leader neither votes nor takes the new term, so that one bad link deposes nobody.
        guard request.term <= self.currentTerm || self.mayReplaceLeader(request) else {
            return self.sendWhenDurable(
                .requestVoteReply(RequestVoteReply(term: self.currentTerm, isGranted: false)), to: candidate)
        }
        if request.term > self.currentTerm { self.becomeFollower(term: request.term, leaderID: nil) }
        let isGranted =
            request.term == self.currentTerm && self.mayVote(for: candidate) && self.isUpToDate(request)
            && self.isTrueToPromises
        if isGranted {
            self.setHardState(self.hardState.voting(for: candidate, in: self.currentTerm))
            #if PlantedBugs
                if self.isPlanted(.voteNotSaved) { self.isHardStateDirty = false }
            #endif
            self.resetElectionDeadline()
        }
        self.sendWhenDurable(
            .requestVoteReply(RequestVoteReply(term: self.currentTerm, isGranted: isGranted)), to: candidate)
    }

    /// One vote a term, which may be given again to the same candidate (Raft paper, section 5.2).
    private func mayVote(for candidate: NodeID) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.votesTwice) { return true }
        #endif
        return self.votedFor == nil || self.votedFor == candidate
    }

    /// Whether the candidate's log is at least as up to date as this one (Raft paper, section 5.4.1).
    private func isUpToDate(_ request: VoteRequest) -> Bool {
        #if PlantedBugs
            if self.isPlanted(.votesForAnyLog) { return true }
            if self.isPlanted(.votesByIndexAlone) { return request.lastLogIndex >= self.log.lastIndex }
            if self.isPlanted(.transferSkipsLog), request.isLeadershipTransfer { return true }
        #endif
        return self.log.isUpToDate(LogPosition(index: request.lastLogIndex, term: request.lastLogTerm))
    }

    /// Whether a vote may be given although this term may have a leader: it asked for it itself, its process is known to
    /// be gone, or it hasn't been heard for the shortest election timeout (Docs/architecture.md, "Failover").
    private func mayReplaceLeader(_ request: VoteRequest) -> Bool {
        if request.isLeadershipTransfer || self.isLeaderGone { return true }
        if case .leader = self.role { return false }
        guard let leaderContact = self.leaderContact else { return true }
        return self.now.nanoseconds(since: leaderContact) >= self.configuration.electionTimeout.lowerBound
    }

    // MARK: Following

    /// Goes back to follower, in a new term or in this one.
    mutating func becomeFollower(term: Term, leaderID: NodeID?) {
        invariant(term >= self.currentTerm, "term \(self.currentTerm) would go back to \(term)")
        if case .leader(let leader) = self.role { self.refuseReads(of: leader, leaderID: leaderID) }
        if term > self.currentTerm {
            self.setHardState(self.hardState.voting(for: nil, in: term))
            self.isLeaderGone = false
            #if PlantedBugs
                if self.isPlanted(.higherTermNotSaved) { self.isHardStateDirty = false }
            #endif
        }
        #if PlantedBugs
            if self.isPlanted(.heartbeatClearsVote), leaderID != nil {
                self.setHardState(self.hardState.voting(for: nil, in: self.currentTerm))
            }
        #endif
        self.role = .follower(leaderID: leaderID)
        if leaderID != nil { self.leaderContact = self.now }
        self.resetElectionDeadline()
    }

    /// The follower has answered this leader within an election timeout.
    func isHeard(_ progress: Progress) -> Bool {
        self.now.nanoseconds(since: progress.lastHeard) <= self.configuration.electionTimeout.upperBound
    }

    /// A leader that a majority hasn't answered for an election timeout steps down: it may have been replaced.
    mutating func checkQuorum() {
        guard case .leader(var leader) = self.role, self.now >= leader.quorumDeadline else { return }
        guard self.electorate.hasMajority(own: true, { self.isHeard(leader.progress[$0]) }) else {
            self.becomeFollower(term: self.currentTerm, leaderID: nil)
            self.leaderContact = nil
            return
        }
        leader.quorumDeadline = self.now.advanced(byNanoseconds: self.configuration.heartbeatInterval)
        self.role = .leader(leader)
    }

    /// A leader that can't write hands over: the others find no leader and elect one of them, and reads go on there.
    mutating func noteDiskFull(_ isFull: Bool) {
        self.isDiskFull = isFull
        guard isFull else { return }
        self.tellSuccessor()
        switch self.role {
        case .leader, .candidate, .preCandidate:
            self.becomeFollower(term: self.currentTerm, leaderID: nil)
            self.leaderContact = nil
        case .follower: return
        }
    }

    /// The disk has kept a batch waiting for longer than an election takes.
    private var isDiskLate: Bool {
        guard let oldest = self.batchesUnderWay.first else { return false }
        return self.now.nanoseconds(since: oldest.since) > self.configuration.electionTimeout.upperBound
    }

    /// A leader whose disk hangs goes on sending heartbeats and commits by the others' disks, until one more of those fails
    /// (faults.md, 46). So it lets a voter lead whose disk has what its own doesn't; where all disks are as slow, nobody
    /// would do better.
    mutating func checkDisk() {
        guard self.isDiskLate, case .leader(let leader) = self.role, let successor = self.successor,
            let position = self.peers.firstIndex(of: successor),
            leader.progress[position].matchIndex > self.durableIndex
        else { return }
        self.tellSuccessor()
        self.becomeFollower(term: self.currentTerm, leaderID: nil)
        self.leaderContact = nil
    }

    /// The peer's process is gone. If it led, there is nothing to wait for but a few random milliseconds.
    mutating func noteLeaderGone(_ peer: NodeID) {
        guard case .follower(leaderID: peer) = self.role else { return }
        self.isLeaderGone = true
        let delay = UInt64.random(in: self.configuration.lostLeaderDelay, using: &self.random)
        self.electionDeadline = min(self.electionDeadline, self.now.advanced(byNanoseconds: delay))
    }

    mutating func resetElectionDeadline() {
        self.setElectionDeadline(in: self.configuration.electionTimeout)
    }

    mutating func setElectionDeadline(in range: ClosedRange<UInt64>) {
        self.electionDeadline = self.now.advanced(byNanoseconds: UInt64.random(in: range, using: &self.random))
    }

    mutating func setHardState(_ hardState: HardState) {
        guard hardState != self.hardState else { return }
        self.hardState = hardState
        self.isHardStateDirty = true
    }
}
