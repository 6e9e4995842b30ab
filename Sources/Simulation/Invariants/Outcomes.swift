// SPDX-License-Identifier: Apache-2.0

import Transactions

/// I6: an outcome that was told to anyone is the only one that is ever told; I7: a participant is told it too, by a confirm,
/// a cancel or a compensation; I8: a transaction that was acknowledged is known from then on.
struct Outcomes: Sendable {
    private var told: [Gid: Decision] = [:]
    private var acknowledged: Set<Gid> = []
    /// In the order in which they were first told or acknowledged.
    private(set) var gids: [Gid] = []

    func isAcknowledged(_ gid: Gid) -> Bool { self.acknowledged.contains(gid) }

    /// A client hears an outcome.
    mutating func told(_ gid: Gid, _ decision: Decision, node: Int) throws(Violation) {
        try self.tell(gid, decision, .outcomeStays, "n\(node + 1) tells")
    }

    /// A participant is called.
    mutating func called(_ gid: Gid, _ branchID: BranchID, _ operation: Operation) throws(Violation) {
        switch operation {
        case .action, .try: break
        case .confirm: try self.tell(gid, .commit, .oneEndForBranches, "branch \(branchID) hears")
        case .compensate, .cancel: try self.tell(gid, .abort, .oneEndForBranches, "branch \(branchID) hears")
        }
    }

    mutating func acknowledged(_ gid: Gid) {
        guard self.acknowledged.insert(gid).inserted else { return }
        if self.told[gid] == nil { self.gids.append(gid) }
    }

    /// A node that is as far as a client may expect doesn't know a transaction.
    func unknown(_ gid: Gid, wasAcknowledged: Bool, node: Int) throws(Violation) {
        guard wasAcknowledged else { return }
        throw Violation(.submitSurvives, "n\(node + 1) doesn't know \(gid), which was acknowledged before it was asked")
    }

    private mutating func tell(
        _ gid: Gid, _ decision: Decision, _ invariant: Invariant, _ who: String
    ) throws(Violation) {
        if let first = self.told[gid] {
            guard first == decision else {
                throw Violation(
                    invariant, "\(who) that \(gid) is \(decision.outcomeName), which was \(first.outcomeName) before")
            }
            return
        }
        self.told[gid] = decision
        if !self.acknowledged.contains(gid) { self.gids.append(gid) }
    }
}
