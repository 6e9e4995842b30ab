// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// What one transaction of `state.db` writes: everything that has changed up to an applied index.
package struct StateCheckpoint: Sendable {
    /// They go to the archive and leave the table of live ones.
    package let finished: [GlobalTransaction]
    /// New or changed, and not finished.
    package let changedLive: [GlobalTransaction]
    /// Leave the table of live ones without going to the archive.
    package let removedLive: [Gid]
    package let appliedIndex: UInt64
    /// The term of the entry at `appliedIndex`.
    package let appliedTerm: UInt64
    package let logTime: LogTime
    /// Over the digests of all transactions, see `TransactionMachine.takeChanges`.
    package let sum: UInt64
    /// If they have changed.
    package let notes: ClusterNotes?

    package init(
        _ changes: StateChanges, removedLive: [Gid] = [], appliedIndex: UInt64, appliedTerm: UInt64, logTime: LogTime
    ) {
        self.finished = changes.finished
        self.changedLive = changes.changedLive
        self.sum = changes.sum
        self.notes = changes.notes
        self.removedLive = removedLive
        self.appliedIndex = appliedIndex
        self.appliedTerm = appliedTerm
        self.logTime = logTime
    }
}
