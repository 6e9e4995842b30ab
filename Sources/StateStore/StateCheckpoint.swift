// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// What one transaction of `state.db` writes: everything that has changed up to an applied index.
package struct StateCheckpoint: Sendable {
    /// They go to the archive and leave the table of live ones.
    package private(set) var finished: [GlobalTransaction]
    /// New or changed, and not finished.
    package private(set) var changedLive: [GlobalTransaction]
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

    /// With the payloads that memory has let go of, from the rows that hold them.
    /// - Parameter stored: the transaction as its row has it.
    func filled(
        from stored: (Gid) throws(StateStoreError) -> GlobalTransaction?
    ) throws(StateStoreError) -> StateCheckpoint {
        func filled(_ transaction: GlobalTransaction) throws(StateStoreError) -> GlobalTransaction {
            if transaction.isWhole { return transaction }
            guard let whole = try stored(transaction.gid).flatMap(transaction.filled) else {
                throw .rot(
                    path: "state.db", table: "live", row: transaction.gid.rawValue, reason: "its payloads aren't there")
            }
            return whole
        }
        var checkpoint = self
        for position in checkpoint.finished.indices {
            checkpoint.finished[position] = try filled(checkpoint.finished[position])
        }
        for position in checkpoint.changedLive.indices {
            checkpoint.changedLive[position] = try filled(checkpoint.changedLive[position])
        }
        return checkpoint
    }
}
