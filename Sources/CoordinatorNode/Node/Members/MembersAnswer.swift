// SPDX-License-Identifier: Apache-2.0

import Bytes
package import Raft

/// Who takes part, as the leader's log says.
package struct MembersAnswer: Hashable, Sendable {
    /// With every address and storage id that the leader knows.
    package let membership: Membership
    /// No change is under way.
    package let isSettled: Bool
    package let leader: String
    package let term: UInt64
    package let index: UInt64

    package init(membership: Membership, isSettled: Bool, leader: String, term: UInt64, index: UInt64) {
        self.membership = membership
        self.isSettled = isSettled
        self.leader = leader
        self.term = term
        self.index = index
    }

    func encode(into writer: inout ByteWriter) {
        MembershipCodec.encode(self.membership, into: &writer)
        writer.write(self.isSettled)
        writer.write(self.leader)
        writer.write(self.term)
        writer.write(self.index)
    }

    init(from reader: inout ByteReader) throws(ByteError) {
        self.membership = try MembershipCodec.decode(from: &reader)
        self.isSettled = try reader.readBool("settled")
        self.leader = try reader.readString(limit: NodeID.maximumLength)
        self.term = try reader.read()
        self.index = try reader.read()
    }
}

extension MembershipChange {
    private enum Tag: UInt8 {
        case addLearners = 1
        case change = 2
        case goBack = 3
    }

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .addLearners(let members):
            writer.write(Tag.addLearners.rawValue)
            writer.writeList(members) { MembershipCodec.encode($1, into: &$0) }
        case .change(let promote, let remove):
            writer.write(Tag.change.rawValue)
            for nodeIDs in [promote, remove] { writer.writeList(nodeIDs) { MessageCodec.encode($1, into: &$0) } }
        case .goBack: writer.write(Tag.goBack.rawValue)
        }
    }

    init(from reader: inout ByteReader) throws(ByteError) {
        let start = reader.offset
        func nodeIDs(_ reader: inout ByteReader) throws(ByteError) -> [NodeID] {
            try reader.readList(limit: Membership.maximumMembers) { reader throws(ByteError) in
                try MessageCodec.decodeNode(from: &reader)
            }
        }
        switch Tag(rawValue: try reader.read()) {
        case .addLearners:
            self = .addLearners(
                try reader.readList(limit: Membership.maximumMembers) { reader throws(ByteError) in
                    try MembershipCodec.decodeMember(from: &reader)
                })
        case .change: self = .change(promote: try nodeIDs(&reader), remove: try nodeIDs(&reader))
        case .goBack: self = .goBack
        case nil: throw .invalidValue(offset: start, field: "membership change")
        }
    }
}

extension MembershipProblem {
    /// For people: why nothing was changed.
    var text: String {
        switch self {
        case .notLeader: "this node doesn't lead, or has only just begun to"
        case .changeUnderWay: "another change of the members is under way"
        case .alreadyMember(let node): "\(node) is a member already"
        case .notMember(let node): "\(node) is no member"
        case .notLearner(let node): "\(node) is no learner, and only learners are promoted"
        case .behind(let node, let match, let last):
            "\(node) hasn't caught up: it is known to have entry \(match) of \(last), or hasn't answered of late"
        case .noVoterLeft: "no voter would be left"
        case .namedTwice(let node): "\(node) is named twice"
        case .tooManyMembers(let limit): "a cluster has at most \(limit) members"
        case .malformed(let node): "the name or an address of '\(node)' is empty or too long"
        case .storageUnknown(let node): "the storage id of \(node)'s data folder isn't given"
        case .majoritySilent: "too few of the nodes that would vote have answered of late"
        case .notJoint: "no change is under way that could be taken back"
        case .nothingToChange: "nothing would change"
        }
    }
}

extension MemberStanding {
    init(of nodeID: NodeID, in membership: Membership) {
        let isComing = membership.voters.contains { $0.nodeID == nodeID }
        let isThere = membership.outgoing.contains { $0.nodeID == nodeID }
        switch (membership.isJoint, isComing, isThere) {
        case (false, true, _), (true, true, true): self = .voter
        case (true, true, false): self = .joining
        case (_, false, true): self = .leaving
        case (_, false, false): self = .learner
        }
    }
}
