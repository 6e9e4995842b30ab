// SPDX-License-Identifier: Apache-2.0

extension TransactionMachine {
    /// The transaction if it is live, or finished and not yet evicted.
    package func transaction(_ gid: Gid) -> GlobalTransaction? {
        self.transactions[gid]
    }

    /// The gids of all transactions that are not finished, in order of acceptance. Costs a sort.
    package var allLive: [Gid] {
        self.inOrder { !$0.state.isFinished }.map(\.gid)
    }

    /// The gids of all transactions that are not finished, in any order: it must stay cheap when there are very many.
    package var liveGids: [Gid] {
        self.transactions.values.lazy.filter { !$0.state.isFinished }.map(\.gid)
    }

    /// The deadlines of all undecided transactions, in order of acceptance: what a new leader has to watch.
    package var deadlines: [(gid: Gid, deadline: LogTime)] {
        self.inOrder { $0.decision == nil && !self.isHeld($0) }.map { ($0.gid, $0.deadline) }
    }

    /// The calls that the transaction owes its participants now, in order of branches. Read from its state alone.
    package func dueCalls(of gid: Gid) -> [BranchCall] {
        guard let transaction = self.transactions[gid], !self.isHeld(transaction) else { return [] }
        return transaction.branches.compactMap { branch in
            guard let operation = branch.state.dueOperation, let url = branch.spec.url(for: operation) else {
                return nil
            }
            return BranchCall(
                gid: gid, branchID: branch.id, operation: operation, url: url, headers: branch.spec.headers,
                payload: branch.spec.payload, priorAttempts: branch.attempts)
        }
    }

    /// What has changed since the last call, in order of acceptance: the content of the next checkpoint, which stands
    /// for `appliedIndex` and `logTime` as they are now. `sum` is what a machine that is restored from it goes on from.
    package mutating func takeChanges() -> StateChanges {
        let changed = self.changed.compactMap { self.transactions[$0] }.sorted { $0.isAccepted(before: $1) }
        self.changed.removeAll(keepingCapacity: true)
        defer { self.areNotesChanged = false }
        return StateChanges(
            finished: changed.filter { $0.state.isFinished }, changedLive: changed.filter { !$0.state.isFinished },
            sum: self.sum.value(self.transactions), notes: self.areNotesChanged ? self.notes : nil)
    }

    /// Lets go of the bytes of longer payloads that are on the disk. Nothing else changes: not what the machine answers, and
    /// not its digest.
    /// - Parameters:
    ///   - written: live transactions, as a checkpoint has written them.
    ///   - shortest: bytes below which a payload stays.
    /// - Returns: those that had something to let go of.
    package mutating func spill(_ written: [GlobalTransaction], from shortest: Int = Payload.shortest) -> [Gid] {
        var spilled: [Gid] = []
        for transaction in written {
            guard let position = self.transactions.index(forKey: transaction.gid),
                !self.transactions.values[position].state.isFinished
            else { continue }
            let before = self.transactions.values[position].estimatedLength
            let after = self.transactions.values[position].spilled(branches: transaction.branches.count, from: shortest)
            guard after.estimatedLength < before else { continue }
            self.transactions.values[position] = after
            self.liveBytes += after.estimatedLength - before
            spilled.append(transaction.gid)
        }
        return spilled
    }

    /// Lets go of finished transactions, once the archive shows them.
    package mutating func evict(_ gids: [Gid]) {
        for gid in gids {
            guard let transaction = self.transactions[gid] else { continue }
            invariant(transaction.state.isFinished, "\(gid) is evicted but is \(transaction.state.name)")
            self.transactions.removeValue(forKey: gid)
            self.changed.remove(gid)
            self.sum.evicted(transaction)
        }
    }

    /// A digest of log time, applied index and every transaction that ever was, live or finished: equal on two machines
    /// that have applied the same entries, whatever each of them has evicted, and after any number of restarts. Costs an
    /// encoding of each transaction that has changed since the last call.
    ///
    /// It depends on how transactions are encoded: nodes may only compare digests of one `StateSum.version`.
    package mutating func digest() -> UInt64 {
        self.sum.value(self.transactions) ^ scattered(self.appliedIndex) ^ scattered(~self.logTime.rawValue)
            ^ (self.notes == ClusterNotes() ? 0 : scattered(fnv1a(self.notes.encoded())))
    }

    func inOrder(_ isWanted: (GlobalTransaction) -> Bool) -> [GlobalTransaction] {
        self.transactions.values.filter(isWanted).sorted { $0.isAccepted(before: $1) }
    }
}

/// What a checkpoint consists of.
package struct StateChanges: Hashable, Sendable {
    package let finished: [GlobalTransaction]
    package let changedLive: [GlobalTransaction]
    /// Over the digests of all transactions, these and those that were archived before.
    package let sum: UInt64
    /// If they have changed.
    package let notes: ClusterNotes?

    package init(
        finished: [GlobalTransaction], changedLive: [GlobalTransaction], sum: UInt64, notes: ClusterNotes? = nil
    ) {
        self.notes = notes
        self.finished = finished
        self.changedLive = changedLive
        self.sum = sum
    }
}
