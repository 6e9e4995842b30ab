// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Transactions

/// Clients that wait until a transaction is decided.
struct DecisionWaiters {
    struct Waiter {
        let gid: Gid
        let reply: ClientRequest.Reply<TransactionReading>
        /// Ends the wait.
        let timer: Scheduled<Void>
    }
    private var waiters: [UInt64: Waiter] = [:]
    private var byGid: [Gid: [UInt64]] = [:]

    var count: Int { self.waiters.count }
    /// Every transaction that somebody waits for.
    var gids: [Gid] { self.byGid.keys.sorted() }

    mutating func add(_ number: UInt64, _ waiter: Waiter) {
        self.waiters[number] = waiter
        self.byGid[waiter.gid, default: []].append(number)
    }

    /// The transaction is decided: everyone who waits for it.
    mutating func take(_ gid: Gid) -> [Waiter] {
        (self.byGid.removeValue(forKey: gid) ?? []).compactMap { self.waiters.removeValue(forKey: $0) }
    }

    /// One waiter's time is over.
    mutating func take(_ number: UInt64) -> Waiter? {
        guard let waiter = self.waiters.removeValue(forKey: number) else { return nil }
        self.byGid[waiter.gid]?.removeAll { $0 == number }
        if self.byGid[waiter.gid]?.isEmpty == true { self.byGid[waiter.gid] = nil }
        return waiter
    }

    mutating func takeAll() -> [Waiter] {
        defer {
            self.waiters = [:]
            self.byGid = [:]
        }
        return Array(self.waiters.values)
    }
}
