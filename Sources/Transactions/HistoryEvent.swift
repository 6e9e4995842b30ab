// SPDX-License-Identifier: Apache-2.0

/// One thing that happened to a transaction, for whoever asks later why it ended as it did.
package struct HistoryEvent: Hashable, Sendable {
    /// The raw value is its byte on disk.
    package enum Kind: UInt8, CaseIterable, Hashable, Sendable {
        /// Submitted whole.
        case submitted = 1
        case begun = 2
        case branchRegistered = 3
        /// The application asked for the commit of a saga that it had begun: its steps run from here on.
        case commitRequested = 4
        case decidedCommit = 5
        case decidedAbort = 6
        /// An operation succeeded.
        case succeeded = 7
        /// A participant refused an action or a try.
        case failed = 8
        /// Calls that gave no certain answer, or a "no" that can't be obeyed. Only the latest of an operation is kept.
        case attemptsFailed = 9
        /// An action or a try succeeded after the decision had been made without it.
        case lateSuccess = 10
        /// An action or a try was refused after the decision had been made without it.
        case lateFailure = 11
        /// The transaction has reached its end.
        case finished = 12
        /// It was held behind a restore, and an operator let it go on.
        case released = 13

        /// Whether the event may be given up when the history is full.
        var isInformational: Bool {
            switch self {
            case .attemptsFailed, .lateSuccess, .lateFailure: true
            case .submitted, .begun, .branchRegistered, .commitRequested, .decidedCommit, .decidedAbort, .succeeded,
                .failed, .finished, .released:
                false
            }
        }

        /// The word for it in the API.
        package var name: String {
            switch self {
            case .submitted: "submitted"
            case .begun: "begun"
            case .branchRegistered: "branch-registered"
            case .commitRequested: "commit-requested"
            case .decidedCommit: "decided-commit"
            case .decidedAbort: "decided-abort"
            case .succeeded: "succeeded"
            case .failed: "failed"
            case .attemptsFailed: "attempts-failed"
            case .lateSuccess: "late-success"
            case .lateFailure: "late-failure"
            case .finished: "finished"
            case .released: "released"
            }
        }
    }

    package let time: LogTime
    /// The position in the log of the entry that brought it.
    package let index: UInt64
    package let kind: Kind
    package let branchID: BranchID?
    package let operation: Operation?
    /// Calls made for the operation so far; 0 where the event is not about calls.
    package let attempts: UInt32
    /// At most `Limits.textLength` bytes.
    package let detail: String?

    package init(
        time: LogTime, index: UInt64, kind: Kind, branchID: BranchID? = nil, operation: Operation? = nil,
        attempts: UInt32 = 0, detail: String? = nil
    ) {
        self.time = time
        self.index = index
        self.kind = kind
        self.branchID = branchID
        self.operation = operation
        self.attempts = attempts
        self.detail = detail
    }
}
