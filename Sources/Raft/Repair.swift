// SPDX-License-Identifier: Apache-2.0

/// A log that has lost entries to rot, and gets them back from the others (Docs/architecture.md, "The log in SQLite").
///
/// What such a node has acknowledged may be committed by its word, and it doesn't have it any more. So it votes for nobody
/// and doesn't stand: whoever was elected by its vote might lack what is committed. It takes entries like any follower, and
/// what it acknowledges from now on is true. Each loss has a number, which stands in every answer: a leader that sees a
/// higher one forgets what this node has acknowledged before, and an answer of a lower one isn't heard any more.
///
/// All that its old acknowledgements have helped to commit lies at or below the commit index of the leader that hears of the
/// loss, once that leader has committed an entry of its own term T. The node's term, which is whole, is at most T, so it has
/// acknowledged nothing to later leaders. What earlier ones have committed stands in this leader's log before its first entry
/// (Raft paper, section 5.4.3). And of its own entries the leader counts nothing that was acknowledged before the loss once it
/// has heard of it. That holds whether or not it still leads. Once the node has everything through that index, it is again
/// what its promises say.
package struct RepairTarget: Hashable, Sendable {
    /// The loss that it makes good, as the node has numbered it.
    package let loss: UInt64
    /// The node votes again once it has everything through here.
    package let index: LogIndex

    package init(loss: UInt64, index: LogIndex) {
        self.loss = loss
        self.index = index
    }
}

extension RaftCore {
    /// This node's log has lost entries, and doesn't have them all again: it has no vote.
    package var isRepairing: Bool { self.hardState.isRepairing }

    /// Whether what this node has promised allows it to vote.
    var isTrueToPromises: Bool {
        #if PlantedBugs
            if self.isPlanted(.votesWithLostLog) { return true }
        #endif
        return !self.hardState.isRepairing
    }

    // MARK: The node itself

    mutating func take(_ target: RepairTarget?) {
        guard let target, self.isRepairing, target.loss == self.hardState.losses else { return }
        self.repairTarget = target.index
    }

    /// Has its vote again when everything that it may have helped to commit is on its disk. No vote leaves before this is
    /// there too.
    mutating func finishRepair() {
        #if PlantedBugs
            if self.isPlanted(.repairWithoutTarget), self.leaderID != nil { self.repairTarget = self.commitIndex }
        #endif
        guard self.isRepairing, let target = self.repairTarget, self.installing == nil, self.commitIndex >= target,
            self.durableIndex >= target
        else { return }
        self.repairTarget = nil
        var hardState = self.hardState
        hardState.isRepairing = false
        self.setHardState(hardState)
        self.effects.append(.logRepaired(through: target))
    }

    // MARK: Its leader

    /// Tells every follower that has said it is under repair, and hasn't been told, what it must have.
    func setRepairTargets(_ leader: inout LeaderState) {
        guard self.commitIndex >= leader.firstIndex else { return }
        for position in leader.progress.indices
        where leader.progress[position].isRepairing && leader.progress[position].repairTarget == nil {
            leader.progress[position].repairTarget = RepairTarget(
                loss: leader.progress[position].losses, index: self.commitIndex)
        }
    }
}

extension Progress {
    /// Takes what an answer says of the follower's losses.
    /// - Parameter next: behind the leader's last entry, where the search begins anew after a loss.
    /// - Returns: false for an answer of before a loss: it may acknowledge what is lost.
    mutating func hears(_ reply: AppendEntriesReply, next: LogIndex) -> Bool {
        guard reply.losses >= self.losses else { return false }
        if reply.losses > self.losses { self.loses(reply.losses, next: next) }
        self.isRepairing = reply.isRepairing
        if !reply.isRepairing { self.repairTarget = nil }
        return true
    }
}
