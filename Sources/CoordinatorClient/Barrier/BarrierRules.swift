// SPDX-License-Identifier: Apache-2.0

/// What the barrier keeps of one operation of one branch, in the same local transaction as the operation's effect.
public struct BarrierRow: Hashable, Sendable {
    /// Why there is a row.
    public enum Origin: String, Hashable, Sendable, CaseIterable {
        /// The operation's own work ran: it took effect, or it refused.
        case ran
        /// There was nothing to undo.
        case empty
        /// The branch was undone before this operation came, so it must not take effect any more.
        case blocked
    }

    /// The operation.
    public var operation: BranchOperation
    /// What was answered, and is answered again.
    public var verdict: BranchVerdict
    /// Why there is a row.
    public var origin: Origin

    /// A row from its parts.
    public init(operation: BranchOperation, verdict: BranchVerdict, origin: Origin) {
        self.operation = operation
        self.verdict = verdict
        self.origin = origin
    }
}

/// What to do with a call.
public enum BarrierDecision: Hashable, Sendable {
    /// Run the effect; record a row if it succeeds. A refusal is recorded too if `recordsFailure`: then it is final.
    /// The refusal of a confirm, cancel or compensate isn't, since the coordinator calls until it succeeds.
    case run(recordsFailure: Bool)
    /// Don't run the effect; record these rows and give this answer.
    case answer(BranchVerdict, recording: [BarrierRow])
}

/// A call that can't be right after what was recorded before. It has no effect and leaves no row; someone must look at
/// it.
public struct BarrierContradiction: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was called.
    public let operation: BranchOperation
    /// What it contradicts.
    public let detail: String

    /// One sentence.
    public var description: String { "\(self.operation.rawValue) \(self.detail)" }
}

/// The rules that make a participant safe against calls that come twice, too late or in the wrong order.
///
/// Calls are at-least-once, and a slow one may overtake or be overtaken. For each branch of a transaction, what was
/// answered is kept; then an operation takes effect at most once, undoing what never happened does nothing and blocks
/// what comes late, and confirm and cancel exclude each other.
public enum BarrierRules {
    /// Says what to do with one call, from what is kept of its branch.
    /// - Parameters:
    ///   - operation: what the branch is called for.
    ///   - rows: all rows of this call's (gid, branch), at most one an operation.
    /// - Throws: ``BarrierContradiction`` if no order of calls that the coordinator makes leads to this one.
    public static func decide(
        _ operation: BranchOperation, rows: [BarrierRow]
    ) throws(BarrierContradiction) -> BarrierDecision {
        func row(_ wanted: BranchOperation) -> BarrierRow? { rows.first { $0.operation == wanted } }

        let steps = operation.steps
        if let stranger = rows.first(where: { !steps.all.contains($0.operation) }) {
            throw BarrierContradiction(
                operation: operation, detail: "of a branch that was called with \(stranger.operation.rawValue) before")
        }
        if let known = row(operation) { return .answer(known.verdict, recording: []) }

        let isUndone = row(steps.undo) != nil
        let isFinished = steps.finish.flatMap(row) != nil
        switch operation {
        case .action, .try:
            if isFinished { throw BarrierContradiction(operation: operation, detail: "after it was confirmed") }
            // An undo leaves the first operation's row behind; without it the row is written now.
            return isUndone
                ? .answer(Self.blocked, recording: [Self.blockedRow(operation)]) : .run(recordsFailure: true)
        case .confirm:
            if isUndone { throw BarrierContradiction(operation: operation, detail: "after it was cancelled") }
            guard row(steps.first)?.verdict == .success else {
                throw BarrierContradiction(operation: operation, detail: "without a try that succeeded")
            }
            return .run(recordsFailure: false)
        case .cancel, .compensate:
            if isFinished { throw BarrierContradiction(operation: operation, detail: "after it was confirmed") }
            let emptyRow = BarrierRow(operation: operation, verdict: .success, origin: .empty)
            guard let first = row(steps.first) else {
                return .answer(.success, recording: [Self.blockedRow(steps.first), emptyRow])
            }
            switch first.verdict {
            case .success: return .run(recordsFailure: false)
            case .failure: return .answer(.success, recording: [emptyRow])
            }
        }
    }

    private static let blocked = BranchVerdict.failure(reason: "the branch was undone before this call came")

    private static func blockedRow(_ operation: BranchOperation) -> BarrierRow {
        BarrierRow(operation: operation, verdict: Self.blocked, origin: .blocked)
    }
}

extension BranchOperation {
    /// The operations of one protocol by what they are to each other.
    fileprivate struct Steps {
        let first: BranchOperation
        let finish: BranchOperation?
        let undo: BranchOperation

        var all: [BranchOperation] { [self.first, self.undo] + (self.finish.map { [$0] } ?? []) }
    }

    fileprivate var steps: Steps {
        switch self {
        case .action, .compensate: Steps(first: .action, finish: nil, undo: .compensate)
        case .try, .confirm, .cancel: Steps(first: .try, finish: .confirm, undo: .cancel)
        }
    }
}
