// SPDX-License-Identifier: Apache-2.0

import Bytes

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
        self.inOrder { $0.decision == nil }.map { ($0.gid, $0.deadline) }
    }

    /// The calls that the transaction owes its participants now, in order of branches. Read from its state alone.
    package func dueCalls(of gid: Gid) -> [BranchCall] {
        guard let transaction = self.transactions[gid] else { return [] }
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
    /// for `appliedIndex` and `logTime` as they are now.
    package mutating func takeChanges() -> (finished: [GlobalTransaction], changedLive: [GlobalTransaction]) {
        let changed = self.changed.compactMap { self.transactions[$0] }.sorted { $0.isAccepted(before: $1) }
        self.changed.removeAll(keepingCapacity: true)
        return (changed.filter { $0.state.isFinished }, changed.filter { !$0.state.isFinished })
    }

    /// Lets go of finished transactions, once the archive shows them.
    package mutating func evict(_ gids: [Gid]) {
        for gid in gids {
            guard let transaction = self.transactions[gid] else { continue }
            invariant(transaction.state.isFinished, "\(gid) is evicted but is \(transaction.state.name)")
            self.transactions.removeValue(forKey: gid)
            self.changed.remove(gid)
        }
    }

    /// A digest of log time, applied index and all transactions that are not finished: equal on two nodes that have
    /// applied the same entries. Finished ones are left out, since each node evicts them in its own time.
    package func stateHash() -> UInt64 {
        var writer = ByteWriter()
        writer.write(self.logTime.rawValue)
        writer.write(self.appliedIndex)
        for transaction in self.inOrder({ !$0.state.isFinished }) { transaction.encode(into: &writer) }
        return fnv1a(writer.bytes)
    }

    private func inOrder(_ isWanted: (GlobalTransaction) -> Bool) -> [GlobalTransaction] {
        self.transactions.values.filter(isWanted).sorted { $0.isAccepted(before: $1) }
    }
}

/// FNV-1a of 64 bits: the same on every node and in every run, which Swift's own hashes are not.
private func fnv1a(_ bytes: [UInt8]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
}
