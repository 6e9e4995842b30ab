// SPDX-License-Identifier: Apache-2.0

/// Saga: steps that take effect at once, each with a compensation that undoes it.
///
/// All actions succeeded: commit, and nothing is left to do. Else every step whose action was or may have been carried
/// out is compensated, in reverse order, one after the other. A step whose action was never due is not called.
package struct SagaPlanner: Planner {
    package var canBeConcurrent: Bool { true }

    package func operations(of origin: Origin) -> [Operation] {
        [.action, .compensate]
    }

    package func isPossible(_ branch: BranchState, in state: TransactionState) -> Bool {
        switch state {
        case .open: branch == .pending
        case .running: [.pending, .acting, .done].contains(branch)
        case .committing: false
        case .aborting: [.pending, .done, .failed, .unknown, .compensating, .compensated].contains(branch)
        case .committed: branch == .done
        case .aborted: [.pending, .compensated].contains(branch)
        }
    }

    package func run(_ transaction: inout GlobalTransaction) -> PlannerStep {
        guard !transaction.branches.isEmpty else { return .decide(.commit) }
        let count = transaction.isConcurrent ? transaction.branches.count : 1
        for position in 0..<count { transaction.branches[position].begin(.acting) }
        return .callsDue
    }

    package func commitRequested(_ transaction: inout GlobalTransaction) -> PlannerStep {
        self.run(&transaction)
    }

    package func succeeded(_ transaction: inout GlobalTransaction, at position: Int) -> PlannerStep {
        if let next = transaction.branches.firstIndex(where: { $0.state == .pending }) {
            // Only a sequential saga still has pending steps, and its steps before `next` have all succeeded.
            transaction.branches[next].begin(.acting)
            return .callsDue
        }
        return transaction.branches.allSatisfy { $0.state == .done } ? .decide(.commit) : .wait
    }

    package func carryOut(_ decision: Decision, _ transaction: inout GlobalTransaction) -> PlannerStep {
        switch decision {
        case .commit: return .finish
        case .abort:
            for position in transaction.branches.indices where transaction.branches[position].state == .acting {
                transaction.branches[position].state = .unknown
            }
            return self.compensateNext(&transaction)
        }
    }

    package func carriedOut(_ transaction: inout GlobalTransaction, at position: Int) -> PlannerStep {
        self.compensateNext(&transaction)
    }

    /// A refused step is compensated too: its "no" may be the answer to a repeated call, behind a first one that had
    /// taken effect. The participant's barrier makes a compensation without effect harmless.
    private func compensateNext(_ transaction: inout GlobalTransaction) -> PlannerStep {
        let next = transaction.branches.lastIndex { branch in
            switch branch.state {
            case .done, .failed, .unknown: true
            case .pending, .acting, .trying, .compensating, .compensated, .confirming, .confirmed, .cancelling,
                .cancelled:
                false
            }
        }
        guard let next else { return .finish }
        transaction.branches[next].begin(.compensating)
        return .callsDue
    }
}
