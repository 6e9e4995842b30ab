// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// All participants of a world: each branch of each transaction takes effect here, behind a barrier as the product gives
/// it to its participants, so that calls may come twice, late and in the wrong order.
package struct Participants {
    private struct Key: Hashable {
        let gid: Gid
        let branchID: BranchID
    }

    /// What a branch has come to.
    package struct Branch: Hashable, Sendable {
        /// The action or the try took effect.
        package var isTaken = false
        /// Compensated or cancelled: whatever had taken effect is undone, and nothing takes effect any more.
        package var isUndone = false
        package var isConfirmed = false
        /// It has said yes and no to the same call: what it said is not what took effect.
        package var isContradictory = false
    }

    private var branches: [Key: Branch] = [:]
    /// How many branches in a thousand refuse their action or try.
    private let refusals: UInt64

    package init(refusalsPerThousand: UInt64) {
        self.refusals = refusalsPerThousand
    }

    /// A call arrives.
    package mutating func hear(_ operation: Operation, gid: Gid, branchID: BranchID) -> BranchVerdict {
        let key = Key(gid: gid, branchID: branchID)
        var branch = self.branches[key, default: Branch()]
        defer { self.branches[key] = branch }
        switch operation {
        case .action, .try:
            guard !branch.isUndone else { return .failure }
            if branch.isTaken { return .success }
            guard !self.refuses(key) else { return .failure }
            branch.isTaken = true
        case .compensate, .cancel: branch.isUndone = true
        case .confirm: branch.isConfirmed = true
        }
        return .success
    }

    mutating func contradicts(_ gid: Gid, _ branchID: BranchID) {
        self.branches[Key(gid: gid, branchID: branchID), default: Branch()].isContradictory = true
    }

    /// Which half of the participants, 0 or 1, the branch is at.
    static func side(of gid: Gid, _ branchID: BranchID) -> Int {
        Int(Self.hash(Key(gid: gid, branchID: branchID)) >> 32 & 1)
    }

    package func branch(_ gid: Gid, _ branchID: BranchID) -> Branch {
        self.branches[Key(gid: gid, branchID: branchID)] ?? Branch()
    }

    /// A participant's "no" depends on the branch alone, so that it says the same whenever it is asked.
    private func refuses(_ key: Key) -> Bool { Self.hash(key) % 1000 < self.refusals }

    private static func hash(_ key: Key) -> UInt64 {
        var hash = StableHash()
        hash.mix(Array(key.gid.rawValue.utf8))
        hash.mix(Array(key.branchID.rawValue.utf8))
        return hash.value
    }
}
