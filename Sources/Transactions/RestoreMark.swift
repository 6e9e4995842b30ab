// SPDX-License-Identifier: Apache-2.0

/// The state was taken from a backup, or from one node that was left over. What was decided and told behind `index` is not
/// known here. So no transaction is said not to exist; a client's own gid that isn't known gets no new transaction; and what
/// was undecided there is held: nothing happens to it before an operator releases it, or lifts the mark.
package struct RestoreMark: Hashable, Sendable {
    /// The cluster that the state is of; 16 bytes.
    package let source: [UInt8]
    /// The last entry whose effect the restored state holds.
    package let index: UInt64
    /// The last of these that is known to have been committed. A node that was left over may have later ones in its log for
    /// which there never was a majority; what these decided may have been decided otherwise, and is held too.
    package let certain: UInt64
    /// What earlier restores have left in doubt, and nobody has answered for yet.
    package let earlier: [Doubt]

    /// Entries of which it isn't known whether a majority ever had them.
    package struct Doubt: Hashable, Sendable {
        package let after: UInt64
        package let through: UInt64

        package init(after: UInt64, through: UInt64) {
            self.after = after
            self.through = through
        }

        func holds(_ index: UInt64) -> Bool { index > self.after && index <= self.through }
    }

    package init(source: [UInt8], index: UInt64, certain: UInt64, earlier: [Doubt] = []) {
        self.source = source
        self.index = index
        self.certain = certain
        self.earlier = earlier
    }

    /// All that is in doubt.
    var doubts: [Doubt] {
        self.certain < self.index ? self.earlier + [Doubt(after: self.certain, through: self.index)] : self.earlier
    }

    /// Whether the transaction's outcome may be another than is known here.
    package func holds(_ transaction: GlobalTransaction) -> Bool {
        guard transaction.acceptedIndex <= self.index else { return false }
        if let decided = transaction.decidedIndex, !self.doubts.contains(where: { $0.holds(decided) }) { return false }
        if let released = transaction.releasedIndex, released > self.index { return false }
        return true
    }
}
