// SPDX-License-Identifier: Apache-2.0

/// What a restore leaves open, and how an operator ends that.
extension TransactionMachine {
    /// Undecided when the state was backed up: it may have been decided since, and somebody may have been told.
    package func isHeld(_ transaction: GlobalTransaction) -> Bool {
        guard let mark = self.notes.mark else { return false }
        return transaction.decision == nil && transaction.acceptedIndex <= mark.index
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
        for transaction in held {
            effects.append(.deadlineSet(transaction.gid, transaction.deadline))
            effects.append(.callsDue(transaction.gid))
        }
        return .accepted(isNew: true)
    }
}
