// SPDX-License-Identifier: Apache-2.0

extension TransactionMachine {
    mutating func apply(
        _ command: Command, at moment: Moment, archive: some ArchiveView, effects: inout [TransactionEffect]
    ) -> CommandResult {
        switch command {
        case .submit(let submission):
            return self.submit(submission, at: moment, archive: archive, effects: &effects)
        case .begin(let beginning):
            return self.begin(beginning, at: moment, archive: archive, effects: &effects)
        case .registerBranch(let gid, let spec):
            return self.change(gid, archive: archive, effects: &effects) { transaction, _ in
                transaction.register(spec, at: moment)
            }
        case .commit(let gid):
            return self.change(gid, archive: archive, effects: &effects) { transaction, effects in
                transaction.commit(at: moment, effects: &effects)
            }
        case .abort(let gid, let reason):
            return self.change(gid, archive: archive, effects: &effects) { transaction, effects in
                transaction.abort(reason: reason, at: moment, effects: &effects)
            }
        case .branchResult(let result):
            return self.change(result.gid, archive: archive, effects: &effects) { transaction, effects in
                transaction.take(result, at: moment, effects: &effects)
            }
        case .attemptsFailed(let failed):
            return self.change(failed.gid, archive: archive, effects: &effects) { transaction, _ in
                transaction.take(failed, at: moment)
            }
        case .deadlineReached(let gid):
            return self.change(gid, archive: archive, effects: &effects) { transaction, effects in
                transaction.deadlineReached(at: moment, effects: &effects)
            }
        case .liftMark(let lift):
            return self.liftMark(lift, at: moment, effects: &effects)
        case .release(let release):
            return self.release(release, at: moment, archive: archive, effects: &effects)
        case .raiseFormat(let format):
            return self.raiseFormat(to: format, at: moment)
        #if NextFormat
            case .remark(let text): return self.remark(text, at: moment)
        #endif
        }
    }

    private mutating func submit(
        _ submission: Submission, at moment: Moment, archive: some ArchiveView, effects: inout [TransactionEffect]
    ) -> CommandResult {
        do {
            try submission.validate()
        } catch {
            return .rejected(.invalid(error))
        }
        if let existing = self.transactions[submission.gid] ?? archive.archived(submission.gid) {
            return self.repeated(existing, differsAt: existing.difference(from: submission))
        }
        guard submission.isGidFresh || self.notes.mark == nil else { return .rejected(.forgotten) }
        var transaction = GlobalTransaction(submission, at: moment)
        effects.append(.deadlineSet(submission.gid, transaction.deadline))
        transaction.follow(transaction.kind.planner.run(&transaction), at: moment, effects: &effects)
        self.insert(transaction)
        return .accepted(isNew: true)
    }

    private mutating func begin(
        _ beginning: Beginning, at moment: Moment, archive: some ArchiveView, effects: inout [TransactionEffect]
    ) -> CommandResult {
        do {
            try beginning.validate()
        } catch {
            return .rejected(.invalid(error))
        }
        if let existing = self.transactions[beginning.gid] ?? archive.archived(beginning.gid) {
            return self.repeated(existing, differsAt: existing.difference(from: beginning))
        }
        guard beginning.isGidFresh || self.notes.mark == nil else { return .rejected(.forgotten) }
        let transaction = GlobalTransaction(beginning, at: moment)
        effects.append(.deadlineSet(beginning.gid, transaction.deadline))
        self.insert(transaction)
        return .accepted(isNew: true)
    }

    /// The answer to a request for a transaction that exists already. Of a held one nobody is told how it stands.
    private func repeated(_ existing: GlobalTransaction, differsAt path: String?) -> CommandResult {
        path == nil && self.isHeld(existing) ? .rejected(.held) : Transactions.repeated(differsAt: path)
    }

    private mutating func insert(_ transaction: GlobalTransaction) {
        self.noteChange(of: transaction.gid)
        self.transactions[transaction.gid] = transaction
        self.liveCount += 1
        self.liveBytes += transaction.estimatedLength
        self.livePayload += transaction.payloadLength
    }

    private mutating func noteChange(of gid: Gid) {
        self.changed.insert(gid)
        self.sum.changed(gid)
    }

    /// Runs a rule on the transaction, in place. A finished one gives its answer too, from memory or from the archive:
    /// the rules don't change it, so the answer doesn't depend on whether this node has evicted it.
    private mutating func change(
        _ gid: Gid, archive: some ArchiveView, effects: inout [TransactionEffect],
        _ rule: (inout GlobalTransaction, inout [TransactionEffect]) -> CommandResult
    ) -> CommandResult {
        guard let position = self.transactions.index(forKey: gid) else {
            guard var finished = archive.archived(gid) else { return .rejected(self.rejectionOfUnknown) }
            return self.isHeld(finished) ? .rejected(.held) : rule(&finished, &effects)
        }
        guard !self.isHeld(self.transactions.values[position]) else { return .rejected(.held) }
        return self.update(gid) { rule(&$0, &effects) }
    }

    /// Changes a transaction that is in memory, in place, and keeps count of it.
    mutating func update<Result>(_ gid: Gid, _ rule: (inout GlobalTransaction) -> Result) -> Result {
        guard let position = self.transactions.index(forKey: gid) else {
            fatalError("broken invariant: \(gid) is changed, and isn't in memory")
        }
        let wasFinished = self.transactions.values[position].state.isFinished
        let length = self.transactions.values[position].estimatedLength
        let payloadLength = self.transactions.values[position].payloadLength
        let result = rule(&self.transactions.values[position])
        guard !wasFinished else { return result }
        self.noteChange(of: gid)
        self.liveBytes -= length
        self.livePayload -= payloadLength
        if self.transactions.values[position].state.isFinished {
            self.liveCount -= 1
        } else {
            self.liveBytes += self.transactions.values[position].estimatedLength
            self.livePayload += self.transactions.values[position].payloadLength
        }
        return result
    }
}

/// The answer to a command whose subject exists already.
func repeated(differsAt path: String?) -> CommandResult {
    if let path { .rejected(.contentConflict(path: path)) } else { .accepted(isNew: false) }
}
