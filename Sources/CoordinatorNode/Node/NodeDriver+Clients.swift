// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft
import Transactions

/// This node's clients: their requests on the way to the leader, wherever it is, and back.
extension NodeDriver {
    func take(_ request: ClientRequest) {
        guard !self.isDraining else { return request.fail(.stopping) }
        if request.readsState, self.lacksState {
            return request.fail(.noState(retryAfter: self.settings.retryAfter))
        }
        switch request {
        case .command(let command, let reply): self.admit(.command(command, reply), request)
        case .linearizableRead(let gid, let reply): self.admit(.read(gid, reply), request)
        case .localRead(let gid, let reply): reply(.success(self.reading(gid)))
        case .waitForDecision(let gid, let until, let reply): self.wait(for: gid, until: until, reply)
        case .list(let state, let after, let limit, let reply):
            let page = self.applier.machine.list(state: state, after: after, limit: limit)
            reply(
                .success(
                    TransactionPage(
                        transactions: page, next: nil, mark: self.applier.machine.notes.mark,
                        term: self.applier.applied.term.rawValue,
                        index: self.applier.applied.index.rawValue)))
        case .clusterStatus(let reply): self.gatherStatus(reply)
        case .transferLeadership(let target, let reply): self.transferLeadership(to: target, reply)
        case .members(let change, let reply): self.members(change, reply)
        case .catchUp(let reply): self.admit(.catchUp(reply), request)
        case .notes(let reply):
            reply(
                .success(
                    NotesReading(
                        notes: self.applier.machine.notes, term: self.applier.applied.term.rawValue,
                        index: self.applier.applied.index.rawValue)))
        case .backup(let reply): self.backUp(reply)
        }
    }

    /// What isn't known here may well be known to the cluster: the state is lost, or this node has joined and has none yet.
    var lacksState: Bool {
        self.core.lacksState || (self.applier.applied == .zero && self.identity.founding == nil)
    }

    private func admit(_ purpose: PendingRequest.Purpose, _ request: ClientRequest) {
        guard self.pending.count < self.settings.maximumWaitingRequests else {
            return request.fail(.overloaded(retryAfter: self.settings.retryAfter))
        }
        let number = self.nextNumber()
        let deadline = NIODeadline.now() + self.settings.leaderWait
        self.pending[number] = PendingRequest(purpose: purpose, deadline: deadline)
        self.pendingOrder.append((number, deadline))
        self.armPendingTimer()
        self.route(number)
    }

    // MARK: To the leader

    /// Brings a request to the leader: this node's own log, or another node. Parks it if none can be reached.
    private func route(_ number: UInt64) {
        guard let request = self.pending[number] else { return }
        let summary = self.core.summary
        guard let leaderID = summary.leaderID else { return self.park(number) }
        if leaderID != self.identity.node { return self.forward(number, request, to: leaderID) }
        self.pending[number]?.whereabouts = .underWay(to: leaderID)
        switch request.purpose {
        case .command(let command, _):
            guard !self.isOverloaded(by: command) else {
                return self.refuseOverloaded(number)
            }
            // A raise of the format may be in the log, and not applied here yet.
            guard self.applier.machine.admits(command) else { return self.park(number) }
            self.queue.append((command, .client(number)))
            self.scheduleTurn()
        case .read, .catchUp: self.add(.read(ReadID(rawValue: number)))
        }
    }

    private func forward(_ number: UInt64, _ request: PendingRequest, to leaderID: NodeID) {
        guard self.transport.isConnected(to: leaderID) else { return self.park(number) }
        self.pending[number]?.whereabouts = .underWay(to: leaderID)
        let forwarded: ForwardedRequest
        switch request.purpose {
        case .command(let command, _): forwarded = .command(command)
        case .read, .catchUp: forwarded = .readIndex
        }
        // A batch of its own leaves with this turn's flush.
        self.transport.request(forwarded.encoded(), to: leaderID, deadline: request.deadline).assumeIsolated()
            .whenComplete { self.forwarded(number, to: leaderID, $0) }
        self.scheduleTurn()
    }

    private func forwarded(_ number: UInt64, to leaderID: NodeID, _ result: Result<[UInt8], any Error>) {
        guard let request = self.pending[number] else { return }
        // It was asked of another leader since: this one's answer still counts, its silence doesn't.
        guard case .underWay(to: leaderID) = request.whereabouts else {
            if case .committed(let answer)? = (try? result.get()).flatMap({ try? ForwardedReply(decoding: $0) }) {
                self.complete(number, answer)
            }
            return
        }
        let reply: ForwardedReply
        do {
            reply = try ForwardedReply(decoding: try result.get())
        } catch let error as RequestError {
            switch error {
            case .notSent(.tooLong):
                self.take(number)?.fail(.failed(reason: "a request is longer than a frame between nodes"))
            case .notSent: self.park(number)
            case .unknown:
                self.pending[number]?.isPerhapsProposed = true
                self.park(number)
            case .overloaded: self.refuseOverloaded(number)
            }
            return
        } catch {
            self.logger.warning("A leader's reply can't be read", metadata: [LogKey.reason: "\(error)"])
            self.pending[number]?.isPerhapsProposed = true
            return self.park(number)
        }
        switch reply {
        case .committed(let answer): self.complete(number, answer)
        case .readIndex(let index): self.readIndexKnown(number, index: index)
        case .notLeader: self.park(number)
        case .overloaded: self.refuseOverloaded(number)
        case .unknown:
            self.pending[number]?.isPerhapsProposed = true
            self.park(number)
        case .status, .snapshotPiece, .noSnapshot, .leadership, .refused, .members, .stateDigest:
            self.logger.warning("A leader's reply answers another question", metadata: [LogKey.reason: "\(reply)"])
            self.pending[number]?.isPerhapsProposed = true
            self.park(number)
        }
    }

    /// No leader can be reached: wait for one, until the deadline.
    private func park(_ number: UInt64) {
        guard self.pending[number] != nil else { return }
        self.pending[number]?.whereabouts = .parked
        guard self.retryTimer == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.retryTimer = self.loop.scheduleTask(in: self.settings.retryInterval) {
            bound.value.retryTimer = nil
            bound.value.routeParked()
        }
    }

    func routeParked() {
        guard self.core.summary.leaderID != nil || self.retryTimer == nil else { return }
        let parked = self.pending.filter { if case .parked = $0.value.whereabouts { true } else { false } }
        for number in parked.keys.sorted() { self.route(number) }
    }

    /// Another leader is known: what was asked of the one before may never be answered, and is asked of the new one. The
    /// gid is fixed, so that the old leader's entry and the new one's are the same transaction.
    func routeAgain(to leaderID: NodeID) {
        for (number, request) in self.pending.sorted(by: { $0.key < $1.key }) {
            guard case .underWay(let before) = request.whereabouts, before != leaderID, before != self.identity.node
            else { continue }
            self.pending[number]?.isPerhapsProposed = true
            self.route(number)
        }
    }

    private var holdsTooMuch: Bool {
        self.applier.machine.liveBytes >= self.settings.maximumLiveBytes
            || self.applier.machine.livePayload >= self.settings.maximumLivePayload
    }

    func isOverloaded(by command: Command) -> Bool {
        switch command {
        case .submit, .begin:
            self.applier.machine.liveCount >= self.settings.maximumLiveTransactions || self.holdsTooMuch
        case .registerBranch: self.holdsTooMuch
        case .commit, .abort, .branchResult, .attemptsFailed, .deadlineReached, .liftMark, .release, .raiseFormat: false
        #if NextFormat
            case .remark: false
        #endif
        }
    }

    // MARK: Into the log

    /// Bytes of commands, as they estimate themselves, in one entry.
    private static let entryBytes = 256 << 10
    /// Commands in one entry.
    private static let entryCommands = 2_048

    /// Makes one proposal of everything that waits, or a few if it is much.
    func proposeQueue() {
        guard !self.queue.isEmpty else { return }
        let time = self.logTime()
        self.lastProposalTime = time
        var commands: [Command] = []
        var proposers: [Proposer] = []
        var bytes = 0
        func propose() {
            guard !commands.isEmpty else { return }
            let id = ProposalID(rawValue: self.nextNumber())
            self.proposed[id] = proposers
            self.inputs.append(
                .propose(id, payloads: [CommandBatch(logTime: time, commands: commands).encoded()]))
            commands = []
            proposers = []
            bytes = 0
        }
        for (command, proposer) in self.queue {
            guard self.applier.machine.admits(command) else {
                self.notProposed(proposer)
                continue
            }
            let length = command.estimatedLength
            if bytes + length > Self.entryBytes || commands.count == Self.entryCommands { propose() }
            commands.append(command)
            proposers.append(proposer)
            bytes += length
        }
        propose()
        self.queue.removeAll(keepingCapacity: true)
    }

    func proposalAppended(_ id: ProposalID, at index: LogIndex, term: Term) {
        self.membersChanges[id.rawValue]?.position = LogPosition(index: index, term: term)
        guard let proposers = self.proposed.removeValue(forKey: id) else { return }
        // An older proposal at this index was cut off here, but may live in another node's log: it isn't certainly gone.
        if let lost = self.inLog.updateValue((term, proposers), forKey: index.rawValue) {
            for proposer in lost.proposers { self.perhapsProposed(proposer) }
        }
        for case .client(let number) in proposers { self.pending[number]?.isPerhapsProposed = true }
    }

    func proposalRefused(_ id: ProposalID, leaderID: NodeID?) {
        for proposer in self.proposed.removeValue(forKey: id) ?? [] {
            if leaderID == self.identity.node {
                self.overloaded(proposer)
            } else {
                self.notProposed(proposer)
            }
        }
    }

    /// The command is not in the log: try again with the next leader.
    func notProposed(_ proposer: Proposer) {
        switch proposer {
        case .nobody: return
        case .peer(let peer): self.reply(.notLeader, to: peer)
        case .client(let number): self.park(number)
        }
    }

    /// The command may be in some log: try again, and never say that it isn't.
    func perhapsProposed(_ proposer: Proposer) {
        switch proposer {
        case .nobody: return
        case .peer(let peer): self.reply(.unknown, to: peer)
        case .client(let number):
            self.pending[number]?.isPerhapsProposed = true
            self.park(number)
        }
    }

    private func overloaded(_ proposer: Proposer) {
        switch proposer {
        case .nobody: return
        case .peer(let peer): self.reply(.overloaded, to: peer)
        case .client(let number): self.refuseOverloaded(number)
        }
    }

    /// The leader takes no more. That means "certainly not in the log" only if no earlier attempt may be; else it is tried
    /// again until its time is over.
    private func refuseOverloaded(_ number: UInt64) {
        guard let request = self.pending[number] else { return }
        if request.isPerhapsProposed { return self.park(number) }
        self.take(number)?.fail(.overloaded(retryAfter: self.settings.retryAfter))
    }

    // MARK: Answers

    /// Takes a request off the list: it is answered by whoever calls.
    private func take(_ number: UInt64) -> PendingRequest? {
        let request = self.pending.removeValue(forKey: number)
        if self.drainPromise != nil { self.scheduleTurn() }
        return request
    }

    func complete(_ number: UInt64, _ answer: CommittedAnswer) {
        guard case .command(_, let reply) = self.pending[number]?.purpose else { return }
        _ = self.take(number)
        reply(.success(answer))
    }

    func readReady(_ number: UInt64, index: UInt64) {
        if let peer = self.peerReads.removeValue(forKey: number) {
            return self.reply(.readIndex(index), to: peer)
        }
        self.readIndexKnown(number, index: index)
    }

    func readRefused(_ number: UInt64) {
        if let peer = self.peerReads.removeValue(forKey: number) { return self.reply(.notLeader, to: peer) }
        self.park(number)
    }

    private func readIndexKnown(_ number: UInt64, index: UInt64) {
        guard let purpose = self.pending[number]?.purpose else { return }
        if case .command = purpose { return }
        guard self.applier.applied.index.rawValue >= index else {
            self.pending[number]?.whereabouts = .awaitingApply
            self.awaitingApply.append((index, number))
            return
        }
        _ = self.take(number)
        switch purpose {
        case .read(let gid, let reply): reply(.success(self.reading(gid)))
        case .catchUp(let reply): reply(.success(()))
        case .command: break
        }
    }

    /// Answers the reads whose index is applied now.
    func applyAwaited() {
        guard !self.awaitingApply.isEmpty else { return }
        let applied = self.applier.applied.index.rawValue
        let reached = self.awaitingApply.filter { $0.index <= applied }
        self.awaitingApply.removeAll { $0.index <= applied }
        for (index, number) in reached { self.readIndexKnown(number, index: index) }
    }

    // MARK: Waiting for an outcome

    private func wait(
        for gid: Gid, until: NIODeadline, _ reply: @escaping ClientRequest.Reply<TransactionReading>
    ) {
        let reading = self.reading(gid)
        guard reading.transaction?.decision == nil, until > .now() else { return reply(.success(reading)) }
        guard self.waiters.count < self.settings.maximumWaitingRequests else {
            return reply(.failure(.overloaded(retryAfter: self.settings.retryAfter)))
        }
        let number = self.nextNumber()
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        let timer = self.loop.scheduleTask(deadline: until) {
            guard let waiter = bound.value.waiters.take(number) else { return }
            waiter.reply(.success(bound.value.reading(waiter.gid)))
        }
        self.waiters.add(number, DecisionWaiters.Waiter(gid: gid, reply: reply, timer: timer))
    }

    // MARK: Time

    private func armPendingTimer() {
        guard self.pendingTimer == nil, let first = self.pendingOrder.first else { return }
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.pendingTimer = self.loop.scheduleTask(deadline: first.deadline) {
            bound.value.pendingTimer = nil
            bound.value.expirePending()
        }
    }

    private func expirePending() {
        let now = NIODeadline.now()
        while let first = self.pendingOrder.first {
            guard first.deadline <= now || self.pending[first.number] == nil else { break }
            self.pendingOrder.removeFirst()
            guard let request = self.take(first.number) else { continue }
            request.fail(self.reasonWithoutAnswer(of: request))
        }
        self.armPendingTimer()
    }

    /// Why a request whose time is over got no answer. A command that may stand in some node's log may still take effect.
    func reasonWithoutAnswer(of request: PendingRequest) -> CoordinatorError {
        switch request.purpose {
        case .read, .catchUp: return .noLeader(retryAfter: self.settings.retryAfter)
        case .command(let command, _):
            if request.isPerhapsProposed { return .outcomeUnknown }
            guard self.applier.machine.admits(command) else {
                return .refused(
                    reason: """
                        that needs format \(command.format), and the cluster uses format \(self.applier.machine.format) \
                        until every member knows a newer one
                        """)
            }
            if case .underWay = request.whereabouts { return .outcomeUnknown }
            return self.isStopping ? .stopping : .noLeader(retryAfter: self.settings.retryAfter)
        }
    }
}
