// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// The binary form of a membership: the payload of an entry of kind `membership`, and a part of InstallSnapshot.
///
/// A version byte, then voters, outgoing voters and learners, each a list of (name, storage id, peers' address, clients'
/// address).
package enum MembershipCodec {
    package static let version: UInt8 = 1

    package static func encode(_ membership: Membership, into writer: inout ByteWriter) {
        writer.write(self.version)
        for members in [membership.voters, membership.outgoing, membership.learners] {
            writer.writeList(members) { self.encode($1, into: &$0) }
        }
    }

    package static func encode(_ member: Member, into writer: inout ByteWriter) {
        MessageCodec.encode(member.nodeID, into: &writer)
        writer.write(member.storageID.rawValue)
        writer.write(member.peerAddress)
        writer.write(member.clientAddress)
    }

    package static func decodeMember(from reader: inout ByteReader) throws(ByteError) -> Member {
        Member(
            nodeID: try MessageCodec.decodeNode(from: &reader), storageID: StorageID(rawValue: try reader.read()),
            peerAddress: try reader.readString(limit: Member.maximumAddressLength),
            clientAddress: try reader.readString(limit: Member.maximumAddressLength))
    }

    package static func encode(_ membership: Membership) -> [UInt8] {
        var writer = ByteWriter()
        self.encode(membership, into: &writer)
        return writer.bytes
    }

    package static func decode(from reader: inout ByteReader) throws(ByteError) -> Membership {
        let start = reader.offset
        guard try reader.read(UInt8.self) == self.version else {
            throw .invalidValue(offset: start, field: "membership version")
        }
        let voters = try self.decodeMembers(from: &reader)
        let outgoing = try self.decodeMembers(from: &reader)
        let learners = try self.decodeMembers(from: &reader)
        guard !voters.isEmpty else { throw .invalidValue(offset: start, field: "voters") }
        let voting = Set((voters + outgoing).map(\.nodeID))
        guard voting.isDisjoint(with: learners.map(\.nodeID)) else {
            throw .invalidValue(offset: start, field: "learners")
        }
        return Membership(voters: voters, outgoing: outgoing, learners: learners)
    }

    /// A whole payload.
    package static func decode(_ bytes: [UInt8]) throws(ByteError) -> Membership {
        var reader = ByteReader(bytes)
        let membership = try self.decode(from: &reader)
        try reader.finish()
        return membership
    }

    private static func decodeMembers(from reader: inout ByteReader) throws(ByteError) -> [Member] {
        let start = reader.offset
        let members = try reader.readList(limit: Membership.maximumMembers) { reader throws(ByteError) in
            try self.decodeMember(from: &reader)
        }
        // In their order, each once: so the same membership always has the same bytes.
        guard zip(members, members.dropFirst()).allSatisfy({ $0.nodeID < $1.nodeID }) else {
            throw .invalidValue(offset: start, field: "members")
        }
        return members
    }
}
