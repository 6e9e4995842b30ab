// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// The deadlines of undecided transactions, as a pure value: which are to be proposed as reached, and when to look again.
package struct DeadlineQueue: Sendable {
    private struct Entry: Comparable {
        let time: LogTime
        let gid: Gid
        static func < (lhs: Entry, rhs: Entry) -> Bool { (lhs.time, lhs.gid) < (rhs.time, rhs.gid) }
    }

    private let proposeAgainMilliseconds: UInt64
    private var heap = BinaryHeap<Entry>()
    /// The moment of each transaction that counts; entries of the heap with another one are stale.
    private var timeOfTransaction: [Gid: LogTime] = [:]

    /// - Parameter proposeAgainMilliseconds: when a reached deadline is proposed once more if the transaction is still
    ///   undecided then, which happens only if the proposal got lost.
    package init(proposeAgainMilliseconds: UInt64) {
        self.proposeAgainMilliseconds = max(1, proposeAgainMilliseconds)
    }

    /// Transactions with a deadline ahead, or reached and not yet decided.
    package var count: Int { self.timeOfTransaction.count }

    package mutating func set(_ gid: Gid, _ deadline: LogTime) {
        guard self.timeOfTransaction[gid] != deadline else { return }
        self.timeOfTransaction[gid] = deadline
        self.heap.insert(Entry(time: deadline, gid: gid))
    }

    /// The transaction is decided: its deadline means nothing any more.
    package mutating func remove(_ gid: Gid) {
        guard self.timeOfTransaction.removeValue(forKey: gid) != nil else { return }
        self.dropStale()
    }

    package mutating func removeAll() {
        self.heap.removeAll()
        self.timeOfTransaction.removeAll()
    }

    /// The earliest moment at which `takeReached` gives something.
    package var next: LogTime? { self.heap.first?.time }

    /// At most `limit` transactions whose deadline is at or before `now`, in order of deadline, then gid.
    package mutating func takeReached(now: LogTime, limit: Int) -> [Gid] {
        var reached: [Gid] = []
        while reached.count < limit, let first = self.heap.first, first.time <= now {
            _ = self.heap.popFirst()
            guard self.timeOfTransaction[first.gid] == first.time else { continue }
            reached.append(first.gid)
        }
        for gid in reached {
            self.set(gid, now.advanced(byMilliseconds: self.proposeAgainMilliseconds))
        }
        self.dropStale()
        return reached
    }

    /// Keeps the head of the heap a deadline that counts, and the heap in proportion to them: most transactions end long
    /// before their deadline.
    private mutating func dropStale() {
        while let first = self.heap.first, self.timeOfTransaction[first.gid] != first.time { _ = self.heap.popFirst() }
        guard self.heap.count > 64, self.heap.count > 2 * self.timeOfTransaction.count else { return }
        self.heap.removeAll()
        for (gid, time) in self.timeOfTransaction { self.heap.insert(Entry(time: time, gid: gid)) }
    }
}
