// SPDX-License-Identifier: Apache-2.0

/// Try, confirm, cancel: every participant reserves, then all reservations are made good or given back.
///
/// Submitted whole, the coordinator makes the tries, all at once. Begun, the application makes each try itself after
/// registering the branch, and says commit or abort. Confirms and cancels go to all branches at once: a cancel also to a
/// branch whose try was refused or has no known outcome.
package struct TCCPlanner: Planner {
    package var canBeConcurrent: Bool { false }

    package func operations(of origin: Origin) -> [Operation] {
        switch origin {
        case .submitted: [.try, .confirm, .cancel]
        case .begun: [.confirm, .cancel]
        }
    }

    package func isPossible(_ branch: BranchState, in state: TransactionState) -> Bool {
        switch state {
        case .open: branch == .pending
        case .running: [.trying, .done].contains(branch)
        case .committing: [.confirming, .confirmed].contains(branch)
        case .aborting: [.cancelling, .cancelled].contains(branch)
        case .committed: branch == .confirmed
        case .aborted: branch == .cancelled
        }
    }

    package func run(_ transaction: inout GlobalTransaction) -> PlannerStep {
        self.beginAll(.trying, &transaction)
        return .callsDue
    }

    package func commitRequested(_ transaction: inout GlobalTransaction) -> PlannerStep {
        .decide(.commit)
    }

    package func succeeded(_ transaction: inout GlobalTransaction, at position: Int) -> PlannerStep {
        transaction.branches.allSatisfy { $0.state == .done } ? .decide(.commit) : .wait
    }

    package func carryOut(_ decision: Decision, _ transaction: inout GlobalTransaction) -> PlannerStep {
        guard !transaction.branches.isEmpty else { return .finish }
        switch decision {
        case .commit: self.beginAll(.confirming, &transaction)
        case .abort: self.beginAll(.cancelling, &transaction)
        }
        return .callsDue
    }

    package func carriedOut(_ transaction: inout GlobalTransaction, at position: Int) -> PlannerStep {
        transaction.hasCallsDue ? .wait : .finish
    }

    private func beginAll(_ state: BranchState, _ transaction: inout GlobalTransaction) {
        for position in transaction.branches.indices { transaction.branches[position].begin(state) }
    }
}
