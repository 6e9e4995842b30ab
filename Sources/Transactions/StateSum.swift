// SPDX-License-Identifier: Apache-2.0

/// The sum over the digests of all transactions, kept up to date in steps: a transaction that has changed is digested when
/// the sum is asked for, however often it changed meanwhile. The order of the terms doesn't matter to a sum, so it can't
/// depend on a dictionary's.
package struct StateSum: Sendable {
    /// Raised whenever transactions are encoded otherwise: a test holds it against a recorded digest.
    package static let version: UInt32 = 2

    private var sum: UInt64 = 0
    /// What transactions in memory have in the sum.
    private var terms: [Gid: UInt64] = [:]
    private var undigested: Set<Gid> = []

    init() {}

    /// - Parameters:
    ///   - sum: as it stood.
    ///   - live: the transactions in memory, all of which are in it.
    init(_ sum: UInt64, of live: [GlobalTransaction]) {
        self.sum = sum
        self.terms.reserveCapacity(live.count)
        for transaction in live { self.terms[transaction.gid] = Self.term(of: transaction) }
    }

    mutating func changed(_ gid: Gid) { self.undigested.insert(gid) }

    /// The transaction leaves memory, and stays in the sum.
    mutating func evicted(_ transaction: GlobalTransaction) {
        if self.undigested.remove(transaction.gid) != nil { self.digest(transaction) }
        self.terms.removeValue(forKey: transaction.gid)
    }

    mutating func value(_ transactions: [Gid: GlobalTransaction]) -> UInt64 {
        for gid in self.undigested { if let transaction = transactions[gid] { self.digest(transaction) } }
        self.undigested.removeAll(keepingCapacity: true)
        return self.sum
    }

    private mutating func digest(_ transaction: GlobalTransaction) {
        let term = Self.term(of: transaction)
        self.sum &+= term &- (self.terms.updateValue(term, forKey: transaction.gid) ?? 0)
    }

    private static func term(of transaction: GlobalTransaction) -> UInt64 {
        scattered(fnv1a(transaction.encoded(payloads: .digest)))
    }
}

/// Lets every bit depend on every other one (the finisher of SplitMix64), so that sums of similar values differ.
func scattered(_ value: UInt64) -> UInt64 {
    var value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
}

/// FNV-1a of 64 bits: the same on every node and in every run, which Swift's own hashes are not.
func fnv1a(_ bytes: [UInt8]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
}
