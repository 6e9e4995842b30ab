// SPDX-License-Identifier: Apache-2.0

/// Changes of who takes part, by joint consensus (Raft paper, section 6; Ongaro's thesis, section 4.3).
extension RaftCore {
    /// Begins a change, unless there is a reason not to. It is over when `isMembershipSettled`.
    mutating func changeMembership(_ id: ProposalID, _ change: MembershipChange, _ known: [Member]) {
        do throws(MembershipProblem) {
            var current = self.membership.filled(from: known + [self.configuration.member])
            #if PlantedBugs
                // Without the joint phase two changes at once would be harmless: each step has a majority in common.
                if self.isPlanted(.changesAtOnce) { current = current.ending }
            #endif
            let membership = try self.checked(change, current)
            self.effects.append(.proposalAppended(id, first: self.log.lastIndex.next(), term: self.currentTerm))
            self.appendMembership(membership)
        } catch {
            self.effects.append(.membershipRefused(id, error))
        }
    }

    private func checked(
        _ change: MembershipChange, _ current: Membership
    ) throws(MembershipProblem) -> Membership {
        guard case .leader(let leader) = self.role, leader.isEstablished, leader.transfer == nil else {
            throw .notLeader(leaderID: self.leaderID == self.configuration.nodeID ? nil : self.leaderID)
        }
        // Going back may overtake the joint entry, which only this leader can have appended then: an inherited one is left
        // in the turn that commits it. Whoever is elected meanwhile has a majority of the old voters behind it.
        guard change == .goBack || self.memberships.latestIndex <= self.commitIndex || self.changesAtOnce else {
            throw .changeUnderWay
        }
        let membership = try current.beginning(change)
        guard case .change(let promote, _) = change else { return membership }
        for nodeID in promote {
            guard let position = self.peers.firstIndex(of: nodeID) else { throw .notMember(nodeID) }
            let progress = leader.progress[position]
            guard progress.mode == .replicate, self.isHeard(progress),
                progress.matchIndex.rawValue + self.configuration.promotionLag >= self.log.lastIndex.rawValue
            else {
                throw .behind(nodeID, matchIndex: progress.matchIndex, lastIndex: self.log.lastIndex)
            }
        }
        let electorate = Self.electorate(of: membership, self.configuration)
        // Whoever has lost a part of its log has no vote: where it is needed for a majority, nobody could be elected.
        let isHeard = electorate.hasMajority(own: true) { position in
            guard let known = self.peers.firstIndex(of: electorate.peers[position]) else { return false }
            return self.isHeard(leader.progress[known]) && !leader.progress[known].isRepairing
        }
        guard isHeard else { throw .majoritySilent }
        return membership
    }

    private var changesAtOnce: Bool {
        #if PlantedBugs
            self.isPlanted(.changesAtOnce)
        #else
            false
        #endif
    }

    private mutating func appendMembership(_ membership: Membership) {
        let index = self.log.lastIndex.next()
        let payload = MembershipCodec.encode(membership)
        self.log.append(Entry(index: index, term: self.currentTerm, kind: .membership, payload: payload))
        self.withLeader { _, leader in leader.uncommittedBytes += payload.count }
        self.memberships.append(membership, at: index)
        self.electorateChanged()
    }

    /// Whose agreement counts by a membership, as this node sees it.
    static func electorate(of membership: Membership, _ configuration: RaftConfiguration) -> Electorate {
        #if PlantedBugs
            let (voters, learners) = (membership.voters, membership.learners)
            if configuration.plantedBugs.contains(.jointNeedsNewAlone) {
                let leaving = membership.outgoing.filter { member in !voters.contains { $0.nodeID == member.nodeID } }
                return Electorate(Membership(voters: voters, learners: learners + leaving), of: configuration.own)
            }
        #endif
        return Electorate(membership, of: configuration.own)
    }

    /// Other members count from now on. A leader keeps what it knows of those that stay.
    mutating func electorateChanged() {
        let before = self.electorate
        let after = Self.electorate(of: self.membership, self.configuration)
        guard after != before else { return }
        self.withLeader { core, leader in
            leader.progress = after.peers.map { peer in
                guard let position = before.peers.firstIndex(of: peer) else {
                    return Progress(nextIndex: core.log.lastIndex.next(), now: core.now)
                }
                return leader.progress[position]
            }
        }
        self.electorate = after
    }

    /// What a leader does once the latest change is committed: it leaves a joint phase; and if it has no vote any more, it
    /// makes room for one who has (Ongaro's thesis, section 4.2.2).
    mutating func advanceMembership() {
        guard case .leader(let leader) = self.role, self.memberships.latestIndex <= self.commitIndex,
            self.commitIndex >= leader.firstIndex
        else { return }
        if self.membership.isJoint {
            self.appendMembership(self.membership.ending)
        } else if !self.electorate.isVoter {
            self.tellSuccessor()
            self.becomeFollower(term: self.currentTerm, leaderID: nil)
            self.leaderContact = nil
        }
    }

    mutating func reportMembership() {
        let membership = self.membership
        guard membership != self.reportedMembership else { return }
        self.reportedMembership = membership
        self.effects.append(.membershipChanged(membership))
    }
}
