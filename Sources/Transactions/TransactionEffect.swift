// SPDX-License-Identifier: Apache-2.0

/// What a command has changed that somebody outside the machine waits for. In the order in which it came about.
package enum TransactionEffect: Hashable, Sendable {
    /// Look up `dueCalls(of:)` again. Calls that the executor already makes or waits to repeat are among them still:
    /// it tells calls apart by gid, branch and operation.
    case callsDue(Gid)
    /// The outcome is fixed; whoever waits for it may be told.
    case decided(Gid, Decision)
    /// The transaction will not change any more and can be archived.
    case finished(Gid)
    /// Propose `deadlineReached` at this log time, if the transaction is then undecided.
    case deadlineSet(Gid, LogTime)
}
