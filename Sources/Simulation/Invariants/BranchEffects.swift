// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// I9 and I10 when all is quiet: of a committed transaction every branch has taken effect and stays; of an aborted one
/// whatever took effect is undone.
package enum BranchEffects {
    package static func check(_ transaction: GlobalTransaction, participants: Participants) throws(Violation) {
        guard let decision = transaction.decision, transaction.state.isFinished else {
            throw Violation(.everythingEnds, "\(transaction.gid) is still \(transaction.state.name)")
        }
        for branch in transaction.branches {
            let effect = participants.branch(transaction.gid, branch.id)
            let isRight: Bool
            switch decision {
            // Nobody can make up for a participant that lies; but it is never told both.
            case _ where effect.isContradictory: isRight = !(effect.isConfirmed && effect.isUndone)
            case .commit:
                isRight = effect.isTaken && !effect.isUndone && (transaction.kind == .saga || effect.isConfirmed)
            case .abort: isRight = (!effect.isTaken || effect.isUndone) && !effect.isConfirmed
            }
            guard isRight else {
                throw Violation(
                    .effectsMatch,
                    "\(transaction.gid) is \(decision.outcomeName), but branch \(branch.id) is "
                        + "\(effect.isTaken ? "taken" : "not taken"), \(effect.isUndone ? "undone" : "not undone"), "
                        + "\(effect.isConfirmed ? "confirmed" : "not confirmed")")
            }
        }
    }
}
