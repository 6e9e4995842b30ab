// SPDX-License-Identifier: Apache-2.0

extension TransactionMachine {
    /// Transactions in memory in order of gid: the live ones, and finished ones that have not been evicted yet.
    /// - Parameters:
    ///   - state: only those in this state; `nil` for all.
    ///   - after: only those behind this gid.
    ///   - limit: the most that are given.
    package func list(state: TransactionState?, after: Gid?, limit: Int) -> [GlobalTransaction] {
        var gids = self.transactions.values.lazy
            .filter { state == nil || $0.state == state }
            .map(\.gid)
            .filter { gid in after.map { gid > $0 } ?? true }
            .sorted()
        gids.removeLast(max(0, gids.count - limit))
        return gids.compactMap { self.transactions[$0] }
    }
}
