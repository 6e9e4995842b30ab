// SPDX-License-Identifier: Apache-2.0

/// What became of a command. The same on every node, so a follower can pass on the leader's.
package enum CommandResult: Hashable, Sendable {
    /// The state is as the command asked. `isNew` is false when an earlier command had already made it so.
    case accepted(isNew: Bool)
    /// The command came after its effect: nothing changed.
    case alreadyDone
    /// Nothing changed, and what was asked is not so.
    case rejected(Rejection)
}

/// Why a command was refused.
package enum Rejection: Error, Hashable, Sendable {
    case unknownTransaction
    /// The gid isn't known, and may have been before the state was restored.
    case forgotten
    /// The transaction was undecided when the state was backed up, and stays so until an operator lifts the mark.
    case held
    /// The same gid or branch id stands for other content. `path` is a JSON pointer to the first field that differs.
    case contentConflict(path: String)
    /// The transaction takes no more branches, or was submitted whole and so commits by itself.
    case notOpen(TransactionState)
    /// The first decision in the log wins.
    case alreadyDecided(Decision)
    /// The transaction has `Limits.branches` branches.
    case tooManyBranches
    /// The deadline lies still ahead in log time.
    case deadlineNotReached
    case unknownBranch
    case invalid(SubmissionProblem)
}
