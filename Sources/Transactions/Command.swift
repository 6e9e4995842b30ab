// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// A whole transaction in one request.
package struct Submission: Hashable, Sendable {
    package let gid: Gid
    package let kind: TransactionKind
    package let isConcurrent: Bool
    package let timeoutMilliseconds: UInt64
    package let branches: [BranchSpec]
    /// The gid was drawn for this very request: no earlier one can have had it.
    package let isGidFresh: Bool

    package init(
        gid: Gid, kind: TransactionKind, isConcurrent: Bool = false, timeoutMilliseconds: UInt64,
        branches: [BranchSpec], isGidFresh: Bool = false
    ) {
        self.isGidFresh = isGidFresh
        self.gid = gid
        self.kind = kind
        self.isConcurrent = isConcurrent
        self.timeoutMilliseconds = timeoutMilliseconds
        self.branches = branches
    }
}

/// The start of a transaction whose branches register one by one.
package struct Beginning: Hashable, Sendable {
    package let gid: Gid
    package let kind: TransactionKind
    package let isConcurrent: Bool
    package let timeoutMilliseconds: UInt64
    /// The gid was drawn for this very request: no earlier one can have had it.
    package let isGidFresh: Bool

    package init(
        gid: Gid, kind: TransactionKind, isConcurrent: Bool = false, timeoutMilliseconds: UInt64,
        isGidFresh: Bool = false
    ) {
        self.isGidFresh = isGidFresh
        self.gid = gid
        self.kind = kind
        self.isConcurrent = isConcurrent
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// What a call of a branch came to, for certain.
package struct BranchResult: Hashable, Sendable {
    package let gid: Gid
    package let branchID: BranchID
    package let operation: Operation
    package let verdict: BranchVerdict
    /// Calls made for this operation so far, this one included.
    package let attempts: UInt32
    /// What the participant said, if it refused. Cut to `Limits.textLength` bytes when encoded.
    package let detail: String?

    package init(
        gid: Gid, branchID: BranchID, operation: Operation, verdict: BranchVerdict, attempts: UInt32,
        detail: String? = nil
    ) {
        self.gid = gid
        self.branchID = branchID
        self.operation = operation
        self.verdict = verdict
        self.attempts = attempts
        self.detail = detail
    }
}

/// Calls of a branch that gave no certain answer. The call stays due; this only makes the trouble visible.
package struct FailedAttempts: Hashable, Sendable {
    package let gid: Gid
    package let branchID: BranchID
    package let operation: Operation
    /// Calls made for this operation so far.
    package let attempts: UInt32
    /// Cut to `Limits.textLength` bytes when encoded.
    package let lastError: String

    package init(gid: Gid, branchID: BranchID, operation: Operation, attempts: UInt32, lastError: String) {
        self.gid = gid
        self.branchID = branchID
        self.operation = operation
        self.attempts = attempts
        self.lastError = lastError
    }
}

/// An operator has looked at what a restore left open, and answers for it.
package struct MarkLift: Hashable, Sendable {
    /// Who, and why; each is cut to `Limits.textLength` bytes when encoded.
    package let actor: String
    package let reason: String

    package init(actor: String, reason: String) {
        self.actor = actor
        self.reason = reason
    }
}

/// An operator has looked at one transaction that a restore holds, and lets it go on.
package struct Release: Hashable, Sendable {
    package let gid: Gid
    /// Who, and why; each is cut to `Limits.textLength` bytes when encoded.
    package let actor: String
    package let reason: String

    package init(gid: Gid, actor: String, reason: String) {
        self.gid = gid
        self.actor = actor
        self.reason = reason
    }
}

/// What may be asked of the transaction machine. State changes by committed commands alone.
package enum Command: Hashable, Sendable {
    case submit(Submission)
    case begin(Beginning)
    case registerBranch(Gid, BranchSpec)
    case commit(Gid)
    /// The reason is the client's own words, if it gave any; cut to `Limits.textLength` bytes when encoded.
    case abort(Gid, reason: String?)
    case branchResult(BranchResult)
    case attemptsFailed(FailedAttempts)
    /// Decides only if the transaction is undecided and its deadline has passed in log time.
    case deadlineReached(Gid)
    /// Lifts the mark of a restore: see `RestoreMark`.
    case liftMark(MarkLift)
    case release(Release)
    /// From here on the cluster uses this format. Only a leader that knows of every member that it can asks for it.
    case raiseFormat(FormatLevel)
    #if NextFormat
        /// One more kind than the product knows: a note in the audit history.
        case remark(String)
    #endif

    /// The transaction that it is about; nil if it is about the cluster.
    package var gid: Gid? {
        switch self {
        case .submit(let submission): submission.gid
        case .begin(let beginning): beginning.gid
        case .registerBranch(let gid, _), .commit(let gid), .abort(let gid, _), .deadlineReached(let gid): gid
        case .branchResult(let result): result.gid
        case .attemptsFailed(let failed): failed.gid
        case .release(let release): release.gid
        case .liftMark, .raiseFormat: nil
        #if NextFormat
            case .remark: nil
        #endif
        }
    }

    /// The lowest format of a cluster in whose log it may stand.
    package var format: FormatLevel {
        #if NextFormat
            if case .remark = self { return .next }
        #endif
        return .first
    }
}

/// The payload of one entry of the log: commands that are applied in order, all at one time.
package struct CommandBatch: Hashable, Sendable {
    /// The leader's clock when it proposed the batch. Log time is the greatest of these so far.
    package let logTime: LogTime
    package let commands: [Command]

    package init(logTime: LogTime, commands: [Command]) {
        self.logTime = logTime
        self.commands = commands
    }

    /// The lowest format of a cluster in whose log it may stand.
    package var format: FormatLevel { self.commands.reduce(.first) { max($0, $1.format) } }

    /// The format that the cluster uses from here on, if the batch raises it.
    package var raisedFormat: FormatLevel? {
        var raised: FormatLevel?
        for case .raiseFormat(let format) in self.commands { raised = max(raised ?? .first, format) }
        return raised
    }
}
