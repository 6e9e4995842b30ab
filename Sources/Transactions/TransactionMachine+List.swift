// SPDX-License-Identifier: Apache-2.0

extension TransactionMachine {
    /// Transactions in memory in order of gid: the live ones, and finished ones that have not been evicted yet.
    /// - Parameters:
    ///   - state: only those in this state; `nil` for all.
    ///   - after: only those behind this gid.
    ///   - limit: the most that are given.
    package func list(state: TransactionState?, after: Gid?, limit: Int) -> [GlobalTransaction] {
        // The smallest gids alone are kept in order: with very many transactions a whole sort would hold up the loop.
        var gids: [Gid] = []
        for transaction in self.transactions.values where state == nil || transaction.state == state {
            let gid = transaction.gid
            if let after, gid <= after { continue }
            if gids.count == limit, let last = gids.last, gid > last { continue }
            gids.insert(gid, at: gids.firstIndex { $0 > gid } ?? gids.endIndex)
            if gids.count > limit { gids.removeLast() }
        }
        return gids.compactMap { self.transactions[$0] }
    }
}
