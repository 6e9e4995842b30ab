// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// One call of a branch, as a leader keeps track of it.
struct CallKey: Hashable {
    let gid: Gid
    let branchID: BranchID
    let operation: Operation

    init(_ call: BranchCall) {
        self.gid = call.gid
        self.branchID = call.branchID
        self.operation = call.operation
    }
}

/// A life of a node, which an answer or a timer belongs to.
struct Caller {
    let node: Int
    let life: UInt32
}

/// What is due between nodes and participants.
enum TransactionEvent {
    case hears(BranchCall, from: Caller, attempt: UInt32, isAnswered: Bool)
    /// Nil: no certain answer.
    case answers(BranchCall, to: Caller, attempt: UInt32, verdict: BranchVerdict?)
    case callTimeout(CallKey, of: Caller, attempt: UInt32)
    case callAgain(CallKey, by: Caller, attempt: UInt32)
    case deadline(Gid, of: Caller)
}

/// The leader's executor: makes the calls that the machine says are due, repeats them until there is an answer, and
/// proposes what came back. Simpler than the product's own, and harsher: it never waits its turn.
extension World {
    private static let callTimeout: UInt64 = 300_000_000

    /// The node leads, and knows all that was decided before its term.
    func isEstablished(_ node: SimulatedNode) -> Bool {
        guard let core = node.core, core.summary.role == .leader else { return false }
        return node.establishedTerm == core.currentTerm
    }

    private func node(of caller: Caller) -> SimulatedNode? {
        let node = self.nodes[caller.node]
        return node.life == caller.life && node.isProcessAlive ? node : nil
    }

    func handle(_ event: TransactionEvent) throws(Violation) {
        switch event {
        case .hears(let call, let caller, let attempt, let isAnswered):
            try self.hear(call, from: caller, attempt: attempt, isAnswered: isAnswered)
        case .answers(let call, let caller, let attempt, let verdict):
            guard let node = self.node(of: caller), self.isEstablished(node) else { return }
            guard let verdict else { return self.planRepeat(of: CallKey(call), attempt: attempt, on: node) }
            let result = BranchResult(
                gid: call.gid, branchID: call.branchID, operation: call.operation, verdict: verdict, attempts: attempt)
            try self.propose(.branchResult(result), on: node)
        case .callTimeout(let key, let caller, let attempt):
            guard let node = self.node(of: caller), self.isEstablished(node), node.calls[key] == attempt else { return }
            if self.participantRandom.below(4) == 0 {
                let failed = FailedAttempts(
                    gid: key.gid, branchID: key.branchID, operation: key.operation, attempts: attempt,
                    lastError: "no answer")
                try self.propose(.attemptsFailed(failed), on: node)
            }
            self.planRepeat(of: key, attempt: attempt, on: node)
        case .callAgain(let key, let caller, let attempt):
            guard let node = self.node(of: caller), self.isEstablished(node), node.calls[key] == attempt else { return }
            guard let call = node.state.transactions.dueCalls(of: key.gid).first(where: { CallKey($0) == key }) else {
                node.calls[key] = nil
                return
            }
            self.begin(call, attempt: attempt + 1, on: node)
        case .deadline(let gid, let caller): try self.watchDeadline(of: gid, caller)
        }
    }

    // MARK: What the machine says

    /// A new leader takes up whatever its machine says is due.
    func takeUpWork(of node: SimulatedNode, term: Term) {
        node.establishedTerm = term
        node.calls.removeAll()
        node.logClock = LogClock()
        guard self.isEstablished(node) else { return }
        for gid in node.state.transactions.allLive { self.startCalls(of: gid, on: node) }
        for (gid, _) in node.state.transactions.deadlines { self.armDeadline(of: gid, on: node) }
    }

    func carryOut(_ effects: [TransactionEffect], of node: SimulatedNode) {
        guard self.isEstablished(node) else { return }
        for effect in effects {
            switch effect {
            case .callsDue(let gid): self.startCalls(of: gid, on: node)
            case .deadlineSet(let gid, _): self.armDeadline(of: gid, on: node)
            case .decided, .finished: break  // Clients ask for outcomes.
            }
        }
    }

    private func startCalls(of gid: Gid, on node: SimulatedNode) {
        for call in node.state.transactions.dueCalls(of: gid) where node.calls[CallKey(call)] == nil {
            self.begin(call, attempt: call.priorAttempts + 1, on: node)
        }
    }

    private func begin(_ call: BranchCall, attempt: UInt32, on node: SimulatedNode) {
        let caller = Caller(node: node.number, life: node.life)
        node.calls[CallKey(call)] = attempt
        self.record(.called(call.gid, call.branchID, call.operation, attempt: attempt), node)
        self.queue.add(
            .transaction(.callTimeout(CallKey(call), of: caller, attempt: attempt)), at: self.now + Self.callTimeout)
        if self.now < self.participantsHiddenUntil,
            Participants.side(of: call.gid, call.branchID) < self.unreachableParticipants
        {
            self.counts[.participantUnreachable] += 1
            self.queue.add(.transaction(.answers(call, to: caller, attempt: attempt, verdict: nil)), at: self.travel())
            return
        }
        var isAnswered = true
        if self.participantRandom.chance(perMillion: self.plan.participantTimeoutRate) {
            self.counts[.participantTimeout] += 1
            // The call is lost, or its answer is.
            if self.participantRandom.coin() { return }
            isAnswered = false
        }
        self.queue.add(
            .transaction(.hears(call, from: caller, attempt: attempt, isAnswered: isAnswered)), at: self.travel())
        if self.participantRandom.chance(perMillion: self.plan.participantDuplicateRate) {
            self.counts[.participantDuplicate] += 1
            self.queue.add(
                .transaction(.hears(call, from: caller, attempt: attempt, isAnswered: self.participantRandom.coin())),
                at: self.now + self.participantRandom.within(100_000...2_000_000_000))
        }
    }

    private func travel() -> UInt64 { self.now + self.participantRandom.within(50_000...1_500_000) }

    private func planRepeat(of key: CallKey, attempt: UInt32, on node: SimulatedNode) {
        self.queue.add(
            .transaction(.callAgain(key, by: Caller(node: node.number, life: node.life), attempt: attempt)),
            at: self.now + self.participantRandom.within(5_000_000...100_000_000))
    }

    // MARK: Participants

    private func hear(_ call: BranchCall, from caller: Caller, attempt: UInt32, isAnswered: Bool) throws(Violation) {
        var verdict: BranchVerdict?
        let isError = self.participantRandom.chance(perMillion: self.plan.participantErrorRate)
        if isError { self.counts[.participantError] += 1 }
        // An error comes before or behind the effect; nobody can tell.
        if !isError || self.participantRandom.coin() {
            verdict = try self.carryOut(call.operation, gid: call.gid, branchID: call.branchID)
        }
        guard isAnswered else { return }
        if let verdict, !isError { self.contradict(verdict, to: call, from: caller, attempt: attempt) }
        var time = self.travel()
        if self.participantRandom.chance(perMillion: self.plan.lateAnswerRate) {
            self.counts[.lateAnswer] += 1
            time += self.participantRandom.within(100_000_000...3_000_000_000)
        }
        self.queue.add(
            .transaction(.answers(call, to: caller, attempt: attempt, verdict: isError ? nil : verdict)), at: time)
    }

    /// A participant that is broken says yes and no to one call. Whichever comes first counts, and nothing else is ever told.
    private func contradict(_ verdict: BranchVerdict, to call: BranchCall, from caller: Caller, attempt: UInt32) {
        guard call.operation == .action || call.operation == .try,
            self.participantRandom.chance(perMillion: self.plan.contradictionRate)
        else { return }
        self.counts[.contradictoryAnswer] += 1
        self.participants.contradicts(call.gid, call.branchID)
        self.queue.add(
            .transaction(
                .answers(call, to: caller, attempt: attempt, verdict: verdict == .success ? .failure : .success)),
            at: self.now + self.participantRandom.within(50_000...3_000_000))
    }

    func carryOut(_ operation: Operation, gid: Gid, branchID: BranchID) throws(Violation) -> BranchVerdict {
        try self.judge.called(gid, branchID, operation)
        let verdict = self.participants.hear(operation, gid: gid, branchID: branchID)
        self.record(.heard(gid, branchID, operation, verdict))
        return verdict
    }

    // MARK: Time and proposals

    /// Log time as a node would propose it. The nodes' wall clocks differ, drift and jump.
    func clock(of node: SimulatedNode) -> LogTime {
        let milliseconds = Int64(self.now / 1_000_000)
        let wall = 1_700_000_000_000 + milliseconds + milliseconds * node.clockDrift / 1_000_000 + node.clockOffset
        return node.logClock.read(
            wall: LogTime(rawValue: UInt64(max(0, wall + node.clockJump))), monotonic: self.now,
            reached: node.state.transactions.logTime)
    }

    private func armDeadline(of gid: Gid, on node: SimulatedNode) {
        guard let transaction = node.state.transactions.transaction(gid) else { return }
        let clock = self.clock(of: node).rawValue
        let wait = transaction.deadline.rawValue > clock ? transaction.deadline.rawValue - clock : 0
        self.queue.add(
            .transaction(.deadline(gid, of: Caller(node: node.number, life: node.life))),
            at: self.now + wait * 1_000_000)
    }

    private func watchDeadline(of gid: Gid, _ caller: Caller) throws(Violation) {
        guard let node = self.node(of: caller), self.isEstablished(node),
            let transaction = node.state.transactions.transaction(gid), transaction.decision == nil
        else { return }
        try self.propose(.deadlineReached(gid), on: node)
        // The proposal may be refused or lost.
        self.queue.add(.transaction(.deadline(gid, of: caller)), at: self.now + 100_000_000)
    }

    /// Proposes on the executor's own behalf. If it is lost, the call or the deadline comes up again.
    func propose(_ command: Command, on node: SimulatedNode) throws(Violation) {
        node.nextRequest += 1
        let batch = CommandBatch(logTime: self.clock(of: node), commands: [command])
        try self.give(.propose(ProposalID(rawValue: node.nextRequest), payloads: [batch.encoded()]), to: node)
    }
}
