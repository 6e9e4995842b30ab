// SPDX-License-Identifier: Apache-2.0

import Raft

/// An operator who hands the leadership over, adds, promotes, removes and replaces nodes, at any moment and without much
/// thought.
extension World {
    var leader: SimulatedNode? {
        self.nodes.filter { $0.isProcessAlive && $0.core?.summary.role == .leader }
            .max { ($0.core?.currentTerm ?? .zero) < ($1.core?.currentTerm ?? .zero) }
    }

    /// Who takes part as the leader sees it, but for nodes whose disk is lost: the cluster must work without them.
    var members: [SimulatedNode] {
        guard let membership = self.leader?.core?.membership else { return [] }
        return self.nodes.filter { node in
            // An earlier life's joining may have been committed after all: who runs now is nobody's member then, until an
            // operator replaces it.
            guard let member = membership.member(node.id), node.condition != .out else { return false }
            return member.storageID == .unknown || member.storageID == node.storage
        }
    }

    func scheduleMove() {
        self.queue.add(.membersMove, at: self.now + self.memberRandom.within(30_000_000...900_000_000))
    }

    func moveMembers() throws(Violation) {
        guard self.isFaulty else { return }
        self.scheduleMove()
        guard let leader = self.leader, leader.condition == .running, let core = leader.core else { return }
        let membership = core.membership
        self.retireRemoved(core)
        // A learner is wanted as a voter; else each of these has its turn.
        let isLearnerWaiting = !membership.learners.isEmpty && self.memberRandom.coin()
        switch isLearnerWaiting ? 6 : self.memberRandom.below(10) {
        case 0, 1, 2:
            let target = self.memberRandom.coin() ? nil : self.ids[self.memberRandom.below(self.ids.count)]
            self.record(.transfers, leader)
            self.statistics.transfers += 1
            try self.give(.transferLeadership(to: target), to: leader)
        case 3, 4, 5: try self.addSpare(to: membership, leader)
        case 6, 7:
            guard !membership.learners.isEmpty else { return }
            let learners = membership.learners.map(\.nodeID)
            let promoted = self.memberRandom.coin() ? learners : [learners[self.memberRandom.below(learners.count)]]
            // Often somebody leaves in the same step: the old and the new voters then have majorities without a common node.
            let leaving = self.memberRandom.coin() ? self.dispensable(membership, joining: promoted.count) : []
            try self.change(.change(promote: promoted, remove: leaving), leader)
        case 8:
            if self.memberRandom.below(4) == 0 { return try self.change(.goBack, leader) }
            let leaving = self.dispensable(membership, joining: 0)
            guard !leaving.isEmpty else { return }
            try self.change(.change(promote: [], remove: leaving), leader)
        case _: self.loseDisk(membership)
        }
    }

    private func change(_ change: MembershipChange, _ leader: SimulatedNode) throws(Violation) {
        self.counts[.membershipChange] += 1
        self.record(.changesMembers, leader)
        leader.nextRequest += 1
        try self.give(.changeMembership(ProposalID(rawValue: leader.nextRequest), change), to: leader)
        if leader.core?.membership.isJoint == true { self.troubleJointPhase(of: leader) }
    }

    /// The moment in which it matters most who hears whom.
    private func troubleJointPhase(of leader: SimulatedNode) {
        let kinds = [FaultKind.symmetricPartition, .oneWayPartition, .crash].filter(self.plan.enabled.contains)
        guard !kinds.isEmpty, self.memberRandom.below(3) == 0 else { return }
        switch kinds[self.memberRandom.below(kinds.count)] {
        case .crash: self.crash(leader, .crash)
        case let kind: self.partition(isOneWay: kind == .oneWayPartition)
        }
    }

    /// Whether a majority of the voters is whole though so many more come to harm, or leave: a node that lacks its state or
    /// its disk is as good as gone until it has it again.
    func toleratesHarm(of more: Int, leaving: Int = 0) -> Bool {
        let sizes = self.nodes.compactMap { $0.core?.membership }.flatMap { membership in
            membership.isJoint ? [membership.voters.count, membership.outgoing.count] : [membership.voters.count]
        }
        let voters = min(sizes.min() ?? self.voterCount, self.voterCount) - leaving
        return self.nodes.filter(\.isHarmed).count + more <= (voters - 1) / 2
    }

    /// Voters that may leave while so many join: at least three stay, so that faults can go on. One whose disk is lost comes
    /// first.
    private func dispensable(_ membership: Membership, joining: Int) -> [NodeID] {
        if let lost = self.nodes.first(where: { $0.isLost && membership.member($0.id) != nil }) { return [lost.id] }
        var voters = membership.voters.map(\.nodeID)
        var leaving: [NodeID] = []
        for _ in 0..<max(joining, 1) {
            guard !voters.isEmpty, voters.count + joining > 3,
                self.toleratesHarm(of: 0, leaving: max(0, leaving.count + 1 - joining))
            else {
                break
            }
            leaving.append(voters.remove(at: self.memberRandom.below(voters.count)))
        }
        return leaving
    }

    /// A node that takes no part joins as a learner, on an empty disk.
    private func addSpare(to membership: Membership, _ leader: SimulatedNode) throws(Violation) {
        guard
            let spare = self.nodes.first(where: {
                $0.condition == .out && !$0.isLost && membership.member($0.id) == nil
            })
        else { return }
        self.lastStorage += 1
        let storage = StorageID(rawValue: self.lastStorage)
        spare.loseDisk(clients: self.clients.count + 1, membership: membership, storage: storage)
        self.judge.loses(spare.number)
        spare.condition = .down
        spare.life += 1
        self.chooseVersion(of: spare, joining: leader)
        try self.start(spare)
        try self.change(.addLearners([Member(nodeID: spare.id, storageID: storage)]), leader)
    }

    /// Stops nodes that are certainly no members any more, so that they can join again one day.
    private func retireRemoved(_ core: RaftCore) {
        guard core.isMembershipSettled else { return }
        for node in self.nodes where node.condition != .out || node.isLost {
            guard core.membership.member(node.id) == nil, node.number != self.number(of: core.nodeID) else { continue }
            if node.isProcessAlive { self.crash(node, .crash) }
            node.life += 1
            node.condition = .out
            node.isLost = false
        }
    }

    /// A follower's disk is lost. It can't come back under its old identity: it must be removed and join anew. A majority
    /// always keeps its disks.
    private func loseDisk(_ membership: Membership) {
        let isAnyHarmed = self.nodes.contains(where: \.isHarmed)
        let followers = self.nodes.filter { node in
            node.isProcessAlive && node.core?.summary.role != .leader && membership.isVoter(node.id)
        }
        guard !isAnyHarmed, !membership.isJoint, membership.voters.count >= 3, !followers.isEmpty else { return }
        let node = followers[self.memberRandom.below(followers.count)]
        self.crash(node, .crash)
        self.counts[.diskLost] += 1
        self.record(.diskLost, node)
        node.life += 1
        node.condition = .out
        node.isLost = true
    }
}
