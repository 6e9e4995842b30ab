// SPDX-License-Identifier: Apache-2.0

extension GlobalTransaction {
    /// Does what the planner has found.
    mutating func follow(_ step: PlannerStep, at moment: Moment, effects: inout [TransactionEffect]) {
        switch step {
        case .wait: break
        case .callsDue: effects.append(.callsDue(self.gid))
        case .decide(let decision): self.decide(decision, reason: nil, at: moment, effects: &effects)
        case .finish: self.finish(at: moment, effects: &effects)
        }
    }

    /// Fixes the outcome and begins to carry it out. The only place where a decision is set.
    mutating func decide(
        _ decision: Decision, reason: String?, at moment: Moment, effects: inout [TransactionEffect]
    ) {
        invariant(self.decision == nil, "\(self.gid) is decided twice")
        self.decision = decision
        self.decidedAt = moment.time
        self.reason = reason.map { bounded($0) }
        switch decision {
        case .commit:
            self.state = .committing
            self.record(.decidedCommit, at: moment)
        case .abort:
            self.state = .aborting
            self.record(.decidedAbort, detail: self.reason, at: moment)
        }
        effects.append(.decided(self.gid, decision))
        self.follow(self.kind.planner.carryOut(decision, &self), at: moment, effects: &effects)
    }

    private mutating func finish(at moment: Moment, effects: inout [TransactionEffect]) {
        switch self.state {
        case .committing: self.state = .committed
        case .aborting: self.state = .aborted
        case .open, .running, .committed, .aborted:
            invariant(false, "\(self.gid) finishes while \(self.state.name)")
        }
        self.finishedAt = moment.time
        self.finishedIndex = moment.index
        self.record(.finished, at: moment)
        effects.append(.finished(self.gid))
    }

    // MARK: Behind a restore

    /// What was held goes on: with all of its time, if it is undecided, since nobody could end it meanwhile.
    mutating func goOn(at moment: Moment, effects: inout [TransactionEffect]) {
        if self.decision == nil {
            self.deadline = moment.time.advanced(byMilliseconds: self.timeoutMilliseconds)
            effects.append(.deadlineSet(self.gid, self.deadline))
        }
        effects.append(.callsDue(self.gid))
    }

    /// Only the latest release is kept, so that the history stays bounded.
    mutating func recordRelease(by actor: String, reason: String, at moment: Moment) {
        self.history.removeAll { $0.kind == .released }
        self.record(.released, detail: actor.isEmpty ? reason : "\(actor): \(reason)", at: moment)
    }

    /// Adds an event to the history, which stays bounded: the latest trouble of an operation replaces the one before,
    /// and when all is full the oldest event goes that is for information only.
    mutating func record(
        _ kind: HistoryEvent.Kind, branch: BranchID? = nil, operation: Operation? = nil, attempts: UInt32 = 0,
        detail: String? = nil, at moment: Moment
    ) {
        if kind == .attemptsFailed {
            let previous = self.history.lastIndex {
                $0.kind == .attemptsFailed && $0.branchID == branch && $0.operation == operation
            }
            if let previous { self.history.remove(at: previous) }
        }
        if self.history.count >= Limits.historyLength(branches: self.branches.count),
            let oldest = self.history.firstIndex(where: \.kind.isInformational)
        {
            self.history.remove(at: oldest)
        }
        self.history.append(
            HistoryEvent(
                time: moment.time, index: moment.index, kind: kind, branchID: branch, operation: operation,
                attempts: attempts, detail: detail.map { bounded($0) }))
    }
}
