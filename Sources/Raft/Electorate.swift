// SPDX-License-Identifier: Apache-2.0

/// Whose agreement counts, as positions in the list of a node's peers: computed once for each membership, since every
/// acknowledgement asks.
struct Electorate: Hashable, Sendable {
    /// Voters of which a majority must agree.
    private struct Group: Hashable, Sendable {
        /// Positions in `peers`.
        var positions: [Int] = []
        var includesSelf = false
        /// Voters that make a majority.
        var majority = 1
    }

    /// Every other member, in the order of their ids.
    let peers: [NodeID]
    /// This node is among the voters.
    let isVoter: Bool
    /// One, or two in a joint phase (Raft paper, section 6).
    private let groups: [Group]

    /// - Parameter own: this node. A member of its name with another life of its folder isn't this node: what it promised
    ///   binds nobody here, and this node has no vote.
    init(_ membership: Membership, of own: OwnLife) {
        let peers = membership.members.map(\.nodeID).filter { $0 != own.nodeID }
        self.peers = peers
        self.isVoter = membership.isVoter(own)
        let sets = membership.isJoint ? [membership.voters, membership.outgoing] : [membership.voters]
        self.groups = sets.map { members in
            var group = Group()
            group.majority = members.count / 2 + 1
            for member in members {
                if own.isNamed(by: member) {
                    group.includesSelf = true
                } else if let position = peers.firstIndex(of: member.nodeID) {
                    group.positions.append(position)
                }
            }
            return group
        }
    }

    /// No other node has a vote.
    var isAlone: Bool { self.isVoter && self.groups.allSatisfy { $0.positions.isEmpty } }

    /// The peers with a vote, as positions.
    var votingPositions: [Int] {
        self.peers.indices.filter { position in self.groups.contains { $0.positions.contains(position) } }
    }

    /// Whether a majority, or each of two, says yes.
    /// - Parameters:
    ///   - own: this node's word, which counts only if it has a vote.
    ///   - agrees: the word of the peer at a position.
    func hasMajority(own: Bool, _ agrees: (Int) -> Bool) -> Bool {
        self.groups.allSatisfy { group in
            let count = group.positions.count(where: agrees) + (group.includesSelf && own ? 1 : 0)
            return count >= group.majority
        }
    }

    /// The highest index that a majority, or each of two, has on disk.
    func agreedIndex(own: LogIndex, _ matchIndex: (Int) -> LogIndex) -> LogIndex {
        var agreed: LogIndex?
        for group in self.groups {
            var indexes = group.positions.map(matchIndex)
            if group.includesSelf { indexes.append(own) }
            indexes.sort(by: >)
            let index = group.majority <= indexes.count ? indexes[group.majority - 1] : .zero
            agreed = min(agreed ?? index, index)
        }
        return agreed ?? .zero
    }
}
