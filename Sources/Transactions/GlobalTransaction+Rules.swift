// SPDX-License-Identifier: Apache-2.0

// What each command does to its transaction. A finished transaction is never changed by any of them.

extension GlobalTransaction {
    init(_ submission: Submission, at moment: Moment) {
        self.init(
            gid: submission.gid, kind: submission.kind, origin: .submitted, isConcurrent: submission.isConcurrent,
            timeoutMilliseconds: submission.timeoutMilliseconds, branches: submission.branches.map(Branch.init(spec:)),
            at: moment)
        self.history.reserveCapacity(3 + 2 * self.branches.count)
        self.record(.submitted, at: moment)
    }

    init(_ beginning: Beginning, at moment: Moment) {
        self.init(
            gid: beginning.gid, kind: beginning.kind, origin: .begun, isConcurrent: beginning.isConcurrent,
            timeoutMilliseconds: beginning.timeoutMilliseconds, branches: [], at: moment)
        self.record(.begun, at: moment)
    }

    private init(
        gid: Gid, kind: TransactionKind, origin: Origin, isConcurrent: Bool, timeoutMilliseconds: UInt64,
        branches: [Branch], at moment: Moment
    ) {
        self.init(
            gid: gid, kind: kind, origin: origin, isConcurrent: isConcurrent, timeoutMilliseconds: timeoutMilliseconds,
            createdAt: moment.time, acceptedIndex: moment.index, acceptedOrdinal: moment.ordinal,
            deadline: moment.time.advanced(byMilliseconds: timeoutMilliseconds),
            state: origin == .submitted ? .running : .open, decision: nil, reason: nil, decidedAt: nil, finishedAt: nil,
            finishedIndex: nil, branches: branches, history: [])
    }

    /// A branch joins, as long as nobody has asked for an end: one that came later would never hear of it.
    mutating func register(_ spec: BranchSpec, at moment: Moment) -> CommandResult {
        do {
            try spec.validate(kind: self.kind, origin: .begun)
        } catch {
            return .rejected(.invalid(error))
        }
        if self.origin == .begun, let position = self.position(of: spec.id) {
            return repeated(differsAt: self.branches[position].spec.difference(from: spec))
        }
        if let decision = self.decision { return .rejected(.alreadyDecided(decision)) }
        guard self.state == .open else { return .rejected(.notOpen(self.state)) }
        guard self.branches.count < Limits.branches else { return .rejected(.tooManyBranches) }
        let payloadLength = self.branches.reduce(spec.payload.count) { $0 + $1.spec.payload.count }
        guard payloadLength <= Limits.payloadLength else {
            return .rejected(.invalid(payloadProblem(path: "/payload")))
        }
        let targetsLength = self.branches.reduce(spec.targetsLength) { $0 + $1.spec.targetsLength }
        guard targetsLength <= Limits.targetsLength else { return .rejected(.invalid(targetsProblem(path: ""))) }
        self.branches.append(Branch(spec: spec))
        self.record(.branchRegistered, branch: spec.id, at: moment)
        return .accepted(isNew: true)
    }

    mutating func commit(at moment: Moment, effects: inout [TransactionEffect]) -> CommandResult {
        if let decision = self.decision {
            return decision == .commit ? .alreadyDone : .rejected(.alreadyDecided(decision))
        }
        switch self.state {
        case .open:
            let step = self.kind.planner.commitRequested(&self)
            if step == .callsDue {
                self.state = .running
                self.record(.commitRequested, at: moment)
            }
            self.follow(step, at: moment, effects: &effects)
            return .accepted(isNew: true)
        case .running where self.origin == .begun:
            return .alreadyDone
        case .running, .committing, .aborting, .committed, .aborted:
            return .rejected(.notOpen(self.state))
        }
    }

    mutating func abort(reason: String?, at moment: Moment, effects: inout [TransactionEffect]) -> CommandResult {
        if let decision = self.decision {
            return decision == .abort ? .alreadyDone : .rejected(.alreadyDecided(decision))
        }
        let words = "aborted by request"
        self.decide(.abort, reason: reason.map { "\(words): \($0)" } ?? words, at: moment, effects: &effects)
        return .accepted(isNew: true)
    }

    /// The deadline decides what is undecided when it has passed in log time, and nothing else.
    mutating func deadlineReached(at moment: Moment, effects: inout [TransactionEffect]) -> CommandResult {
        guard self.decision == nil else { return .alreadyDone }
        guard moment.time >= self.deadline else { return .rejected(.deadlineNotReached) }
        self.decide(.abort, reason: "deadline passed", at: moment, effects: &effects)
        return .accepted(isNew: true)
    }

    mutating func take(
        _ result: BranchResult, at moment: Moment, effects: inout [TransactionEffect]
    ) -> CommandResult {
        guard let position = self.position(of: result.branchID) else { return .rejected(.unknownBranch) }
        guard self.branches[position].state.dueOperation == result.operation else {
            self.takeLate(result, position: position, at: moment)
            return .alreadyDone
        }
        self.branches[position].attempts = max(self.branches[position].attempts, result.attempts)
        switch result.verdict {
        case .success: self.takeSuccess(of: result.operation, position: position, at: moment, effects: &effects)
        case .failure: self.takeFailure(result, position: position, at: moment, effects: &effects)
        }
        return .accepted(isNew: true)
    }

    private mutating func takeSuccess(
        of operation: Operation, position: Int, at moment: Moment, effects: inout [TransactionEffect]
    ) {
        self.branches[position].lastError = nil
        self.record(
            .succeeded, branch: self.branches[position].id, operation: operation,
            attempts: self.branches[position].attempts, at: moment)
        let planner = self.kind.planner
        let step: PlannerStep
        switch operation {
        case .action, .try:
            self.branches[position].state = .done
            step = planner.succeeded(&self, at: position)
        case .compensate:
            self.branches[position].state = .compensated
            step = planner.carriedOut(&self, at: position)
        case .confirm:
            self.branches[position].state = .confirmed
            step = planner.carriedOut(&self, at: position)
        case .cancel:
            self.branches[position].state = .cancelled
            step = planner.carriedOut(&self, at: position)
        }
        self.follow(step, at: moment, effects: &effects)
    }

    /// A "no" before the decision aborts. Behind the decision it can't be obeyed: it is shown, and the call stays due.
    private mutating func takeFailure(
        _ result: BranchResult, position: Int, at moment: Moment, effects: inout [TransactionEffect]
    ) {
        let refusal = result.detail.map { "refused: \($0)" } ?? "refused"
        self.branches[position].lastError = bounded(result.detail ?? refusal)
        let attempts = self.branches[position].attempts
        if result.operation.isRefusable {
            self.branches[position].state = .failed
            self.record(
                .failed, branch: result.branchID, operation: result.operation, attempts: attempts,
                detail: result.detail, at: moment)
            let words = "branch \(result.branchID): \(result.operation.name) failed"
            self.decide(
                .abort, reason: result.detail.map { "\(words): \($0)" } ?? words, at: moment, effects: &effects)
        } else {
            self.record(
                .attemptsFailed, branch: result.branchID, operation: result.operation, attempts: attempts,
                detail: refusal, at: moment)
            effects.append(.callsDue(self.gid))
        }
    }

    /// A first answer to an action or try that the decision didn't wait for is worth a line in the history. Whatever it
    /// says, the compensation or cancel that is under way covers it.
    private mutating func takeLate(_ result: BranchResult, position: Int, at moment: Moment) {
        guard self.decision != nil, !self.state.isFinished, result.operation.isRefusable,
            self.branches[position].state != .pending, self.branches[position].spec.url(for: result.operation) != nil
        else { return }
        let isKnown = self.history.contains { event in
            switch event.kind {
            case .succeeded, .failed, .lateSuccess, .lateFailure:
                event.branchID == result.branchID && event.operation == result.operation
            case .submitted, .begun, .branchRegistered, .commitRequested, .decidedCommit, .decidedAbort,
                .attemptsFailed, .finished, .released:
                false
            }
        }
        guard !isKnown else { return }
        self.record(
            result.verdict == .success ? .lateSuccess : .lateFailure, branch: result.branchID,
            operation: result.operation, attempts: result.attempts, detail: result.detail, at: moment)
    }

    /// Makes trouble visible. The call stays due.
    mutating func take(_ failed: FailedAttempts, at moment: Moment) -> CommandResult {
        guard let position = self.position(of: failed.branchID) else { return .rejected(.unknownBranch) }
        guard self.branches[position].state.dueOperation == failed.operation,
            self.branches[position].attempts <= failed.attempts
        else { return .alreadyDone }
        self.branches[position].attempts = failed.attempts
        self.branches[position].lastError = bounded(failed.lastError)
        self.record(
            .attemptsFailed, branch: failed.branchID, operation: failed.operation, attempts: failed.attempts,
            detail: failed.lastError, at: moment)
        return .accepted(isNew: true)
    }
}
