// SPDX-License-Identifier: Apache-2.0

/// One protocol's rules: which calls a transaction owes its participants.
///
/// A planner moves branches from state to state and says what that means for the whole; the machine does the rest. It
/// holds nothing itself: all that it knows stands in the transaction, so that a new leader goes on where the old one was.
package protocol Planner: Sendable {
    /// Whether the caller may ask for all of the first calls at once.
    var canBeConcurrent: Bool { get }

    /// The targets that a branch must name, and the only ones that it may.
    func operations(of origin: Origin) -> [Operation]

    /// Whether a branch can be in that state while its transaction is in this one.
    func isPossible(_ branch: BranchState, in state: TransactionState) -> Bool

    /// The calls before the decision begin.
    func run(_ transaction: inout GlobalTransaction) -> PlannerStep

    /// The application asks to commit what it has begun.
    func commitRequested(_ transaction: inout GlobalTransaction) -> PlannerStep

    /// An action or try of the branch at this position has succeeded: it is `done`. The transaction is undecided.
    func succeeded(_ transaction: inout GlobalTransaction, at position: Int) -> PlannerStep

    /// The decision stands in the transaction; the calls that carry it out begin.
    func carryOut(_ decision: Decision, _ transaction: inout GlobalTransaction) -> PlannerStep

    /// The branch at this position has carried out its part of the decision.
    func carriedOut(_ transaction: inout GlobalTransaction, at position: Int) -> PlannerStep
}

/// What a change of branches means for the transaction.
package enum PlannerStep: Hashable, Sendable {
    /// Nothing new: calls made already are waited for.
    case wait
    /// Other calls are due than before.
    case callsDue
    /// The transaction is to be decided now.
    case decide(Decision)
    /// Nothing is left to do.
    case finish
}

extension TransactionKind {
    package var planner: any Planner {
        switch self {
        case .saga: SagaPlanner()
        case .tcc: TCCPlanner()
        }
    }
}
