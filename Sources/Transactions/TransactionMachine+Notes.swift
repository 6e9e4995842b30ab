// SPDX-License-Identifier: Apache-2.0

/// What a restore leaves open, and how an operator ends that.
extension TransactionMachine {
    /// Its outcome may have been another, and somebody may have been told.
    package func isHeld(_ transaction: GlobalTransaction) -> Bool {
        self.notes.mark?.holds(transaction) ?? false
    }

    /// What is said of a gid that isn't known.
    var rejectionOfUnknown: Rejection { self.notes.mark == nil ? .unknownTransaction : .forgotten }

    mutating func liftMark(
        _ lift: MarkLift, at moment: Moment, effects: inout [TransactionEffect]
    ) -> CommandResult {
        guard self.notes.mark != nil else { return .alreadyDone }
        let held = self.inOrder { self.isHeld($0) }
        self.notes.mark = nil
        self.notes.record(
            AuditRecord(
                kind: .markLifted, time: moment.time, index: moment.index, actor: lift.actor, detail: lift.reason))
        self.areNotesChanged = true
        for transaction in held where !transaction.state.isFinished {
            self.update(transaction.gid) { $0.goOn(at: moment, effects: &effects) }
        }
        return .accepted(isNew: true)
    }

    /// Lets one held transaction go on while the mark stands. One that has finished stays in doubt until the mark is lifted:
    /// nothing is left to be done for it.
    mutating func release(
        _ release: Release, at moment: Moment, archive: some ArchiveView, effects: inout [TransactionEffect]
    ) -> CommandResult {
        guard let transaction = self.transactions[release.gid] ?? archive.archived(release.gid) else {
            return .rejected(self.rejectionOfUnknown)
        }
        guard self.isHeld(transaction) else { return .alreadyDone }
        guard !transaction.state.isFinished else { return .rejected(.held) }
        self.update(release.gid) { transaction in
            transaction.recordRelease(by: release.actor, reason: release.reason, at: moment)
            transaction.goOn(at: moment, effects: &effects)
        }
        return .accepted(isNew: true)
    }
}
