// SPDX-License-Identifier: Apache-2.0

/// A member of a group, with the life of its data folder that its votes and acknowledgements count for.
package struct Member: Hashable, Sendable {
    package let nodeID: NodeID
    package let storageID: StorageID
    /// Where its peers and its clients find it, as `host:port`. Empty: where the configuration file says.
    package let peerAddress: String
    package let clientAddress: String

    package init(nodeID: NodeID, storageID: StorageID, peerAddress: String = "", clientAddress: String = "") {
        self.nodeID = nodeID
        self.storageID = storageID
        self.peerAddress = peerAddress
        self.clientAddress = clientAddress
    }

    /// As far as both say: the same node, and the same life of its folder.
    private func isSame(as other: Member) -> Bool {
        self.nodeID == other.nodeID
            && (self.storageID == other.storageID || self.storageID == .unknown || other.storageID == .unknown)
    }

    /// An entry can name it.
    var isWellFormed: Bool {
        (1...NodeID.maximumLength).contains(self.nodeID.rawValue.utf8.count)
            && max(self.peerAddress.utf8.count, self.clientAddress.utf8.count) <= Self.maximumAddressLength
    }

    /// Takes over what this doesn't know, unless the other is of another life of the folder.
    fileprivate func filled(from other: Member) -> Member {
        guard self.isSame(as: other) else { return self }
        return Member(
            nodeID: self.nodeID, storageID: self.storageID == .unknown ? other.storageID : self.storageID,
            peerAddress: self.peerAddress.isEmpty ? other.peerAddress : self.peerAddress,
            clientAddress: self.clientAddress.isEmpty ? other.clientAddress : self.clientAddress)
    }

    /// The longest address, in bytes of UTF-8: a DNS name of 253 and a port.
    package static let maximumAddressLength = 260
}

/// Who takes part in a group, as one entry of its log says (Raft paper, section 6).
///
/// Between an old and a new set of voters there is a joint phase, in which both must agree. A membership counts from the
/// moment at which its entry stands in a node's log, committed or not.
package struct Membership: Hashable, Sendable {
    /// Whose majority decides, in the order of their ids; in a joint phase those that are to come.
    package let voters: [Member]
    /// In a joint phase the voters that are to go or to stay, whose majority must agree too; else empty.
    package let outgoing: [Member]
    /// They get the log and don't count (Ongaro's thesis, section 4.2.1).
    package let learners: [Member]

    package init(voters: [Member], outgoing: [Member] = [], learners: [Member] = []) {
        self.voters = voters.sorted { $0.nodeID < $1.nodeID }
        self.outgoing = outgoing.sorted { $0.nodeID < $1.nodeID }
        self.learners = learners.sorted { $0.nodeID < $1.nodeID }
    }

    package var isJoint: Bool { !self.outgoing.isEmpty }

    /// Everyone, each once, in the order of their ids.
    package var members: [Member] {
        var members = self.voters
        for member in self.outgoing + self.learners where !members.contains(where: { $0.nodeID == member.nodeID }) {
            members.append(member)
        }
        return members.sorted { $0.nodeID < $1.nodeID }
    }

    package func member(_ nodeID: NodeID) -> Member? { self.members.first { $0.nodeID == nodeID } }

    package func isVoter(_ nodeID: NodeID) -> Bool {
        (self.voters + self.outgoing).contains { $0.nodeID == nodeID }
    }

    /// The same of one life of a node's folder.
    func isVoter(_ own: OwnLife) -> Bool {
        (self.voters + self.outgoing).contains { own.isNamed(by: $0) }
    }

    package func isLearner(_ nodeID: NodeID) -> Bool { self.learners.contains { $0.nodeID == nodeID } }

    /// The most members of a group.
    package static let maximumMembers = 64
}

/// A wish to change who takes part. One change is under way at a time.
package enum MembershipChange: Hashable, Sendable {
    /// These get the log from now on, without a vote.
    case addLearners([Member])
    /// At once: these learners become voters, and these members leave.
    case change(promote: [NodeID], remove: [NodeID])
    /// Back to the old voters, while the joint phase is not yet left (under joint rules: both majorities must live).
    case goBack
}

/// Why a membership isn't changed.
package enum MembershipProblem: Error, Hashable, Sendable {
    /// Only a leader changes it, and only once it has committed an entry of its own term.
    case notLeader(leaderID: NodeID?)
    /// Another change hasn't been committed yet.
    case changeUnderWay
    case alreadyMember(NodeID)
    case notMember(NodeID)
    /// Only learners are promoted.
    case notLearner(NodeID)
    /// A learner is promoted once its log has caught up, and as long as it answers.
    case behind(NodeID, matchIndex: LogIndex, lastIndex: LogIndex)
    /// Nobody would be left who votes.
    case noVoterLeft
    /// The same node is named twice.
    case namedTwice(NodeID)
    case tooManyMembers(limit: Int)
    /// Its name or an address is empty or too long for an entry.
    case malformed(NodeID)
    /// The life of its folder isn't named.
    case storageUnknown(NodeID)
    /// Too few of those who would vote were heard of late: the change might never be committed.
    case majoritySilent
    /// There is no joint phase to go back from.
    case notJoint
    /// Nothing would change.
    case nothingToChange
}

extension Membership {
    /// The membership whose entry begins a change: joint, if the voters change.
    package func beginning(_ change: MembershipChange) throws(MembershipProblem) -> Membership {
        switch change {
        case .goBack:
            guard self.isJoint else { throw .notJoint }
            // Who was to become a voter goes on as a learner.
            let newcomers = self.voters.filter { voter in !self.outgoing.contains { $0.nodeID == voter.nodeID } }
            return Membership(voters: self.outgoing, learners: self.learners + newcomers)
        case .addLearners(let members):
            guard !self.isJoint else { throw .changeUnderWay }
            guard !members.isEmpty else { throw .nothingToChange }
            try Self.requireDistinct(members.map(\.nodeID))
            // What the codec can't read back must never be written.
            for member in members where !member.isWellFormed { throw .malformed(member.nodeID) }
            // A node that joins later is never believed at first use: whoever counts its word must know whose it is.
            for member in members where member.storageID == .unknown { throw .storageUnknown(member.nodeID) }
            for member in members where self.member(member.nodeID) != nil { throw .alreadyMember(member.nodeID) }
            let membership = Membership(voters: self.voters, learners: self.learners + members)
            guard membership.members.count <= Self.maximumMembers else {
                throw .tooManyMembers(limit: Self.maximumMembers)
            }
            return membership
        case .change(let promote, let remove):
            guard !self.isJoint else { throw .changeUnderWay }
            return try self.changing(promote: promote, remove: remove)
        }
    }

    private func changing(promote: [NodeID], remove: [NodeID]) throws(MembershipProblem) -> Membership {
        guard !promote.isEmpty || !remove.isEmpty else { throw .nothingToChange }
        try Self.requireDistinct(promote + remove)
        for nodeID in promote where !self.isLearner(nodeID) {
            throw self.isVoter(nodeID) ? .notLearner(nodeID) : .notMember(nodeID)
        }
        for nodeID in remove where self.member(nodeID) == nil { throw .notMember(nodeID) }
        let voters =
            self.voters.filter { !remove.contains($0.nodeID) } + self.learners.filter { promote.contains($0.nodeID) }
        let learners = self.learners.filter { !promote.contains($0.nodeID) && !remove.contains($0.nodeID) }
        guard !voters.isEmpty else { throw .noVoterLeft }
        let changed = Membership(voters: voters, learners: learners)
        guard changed.voters != self.voters else { return changed }
        return Membership(voters: voters, outgoing: self.voters, learners: learners)
    }

    /// The same members, with what was learned of them where nothing is known yet. Nothing that is known changes.
    package func filled(from known: [Member]) -> Membership {
        func fill(_ members: [Member]) -> [Member] {
            members.map { member in known.filter { $0.nodeID == member.nodeID }.reduce(member) { $0.filled(from: $1) } }
        }
        return Membership(
            voters: fill(self.voters), outgoing: fill(self.outgoing), learners: fill(self.learners))
    }

    /// The membership whose entry ends a joint phase.
    package var ending: Membership { Membership(voters: self.voters, learners: self.learners) }

    private static func requireDistinct(_ nodeIDs: [NodeID]) throws(MembershipProblem) {
        for (position, nodeID) in nodeIDs.enumerated() where nodeIDs[..<position].contains(nodeID) {
            throw .namedTwice(nodeID)
        }
    }
}
