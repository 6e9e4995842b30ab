// SPDX-License-Identifier: Apache-2.0

package import Raft
package import Transactions

/// The limits of a `CallSchedule`.
package struct CallScheduleConfiguration: Sendable {
    /// How long a call waits after a failed attempt.
    package let backoff: Backoff
    /// The most calls in flight to one target (host and port).
    package let callsPerTarget: Int
    /// The most calls in flight to all targets.
    package let callsInTotal: Int
    /// A result that was proposed but not applied within this many milliseconds is proposed once more. Only a proposal
    /// that got lost without a change of leader needs it.
    package let proposeAgainMilliseconds: UInt64

    package init(
        backoff: Backoff = Backoff(), callsPerTarget: Int = 128, callsInTotal: Int = 1_024,
        proposeAgainMilliseconds: UInt64 = 5_000
    ) {
        self.backoff = backoff
        self.callsPerTarget = max(1, callsPerTarget)
        self.callsInTotal = max(1, callsInTotal)
        self.proposeAgainMilliseconds = max(1, proposeAgainMilliseconds)
    }
}

/// Names one call within a schedule, from the moment it is due until it is dropped.
package struct CallID: Hashable, Sendable {
    let slot: Int
    /// Tells apart the calls that used the slot one after the other.
    let generation: UInt64
}

/// One thing that happened outside a `CallSchedule`.
package enum CallScheduleInput: Sendable {
    /// This node became leader and has applied an entry of its term: calls may be made.
    case leadershipGained
    /// Nothing may be proposed or begun any more.
    case leadershipLost
    /// All calls of the transaction that are due now, as the machine gives them; those that it no longer names are stale.
    case callsDue([BranchCall], of: Gid)
    /// The transaction has ended: none of its calls is due.
    case finished(Gid)
    /// An attempt that `start` asked for has come back.
    case answered(CallID, BranchAnswer)
    /// The moment that `armTimer` asked for, or any later one.
    case timeAdvanced
}

/// One thing the shell must do.
package enum CallScheduleEffect: Hashable, Sendable {
    /// Make this call; `answered` must follow, exactly once.
    case start(CallID, BranchCall, attempt: UInt32)
    /// Propose this command, together with the others of the turn.
    case propose(Command)
    /// Say in the log that an attempt gave no certain answer. The call is made again unless it is no longer due.
    case report(UncertainAttempt)
    /// Come back with `timeAdvanced` at this moment; replaces an earlier one.
    case armTimer(at: Instant)
}

/// An attempt whose outcome isn't known.
package struct UncertainAttempt: Hashable, Sendable {
    package let gid: Gid
    package let branchID: BranchID
    package let operation: Operation
    /// Attempts so far, this one included.
    package let attempts: UInt32
    package let reason: UnansweredReason

    /// Whether an operator should hear of it: at the 5th failed attempt, and whenever their number has doubled since.
    package var isWorrying: Bool {
        self.attempts % 5 == 0 && (self.attempts / 5).nonzeroBitCount == 1
    }
}

/// Why an attempt must be made again.
package enum UnansweredReason: Hashable, Sendable, CustomStringConvertible {
    case unknown(UnknownAnswer.Kind)
    /// The participant refused what it may not refuse: the decision has been taken.
    case refusedDecision

    package var description: String {
        switch self {
        case .unknown(let kind): kind.description
        case .refusedDecision: "refused after the decision"
        }
    }
}
