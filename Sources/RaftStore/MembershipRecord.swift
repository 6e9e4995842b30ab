// SPDX-License-Identifier: Apache-2.0

internal import Bytes
internal import Raft

/// Who takes part at the log's base, and the lives of data folders that this node has learned of since.
struct MembershipRecord: Hashable, Sendable {
    var membership: Membership
    /// Of members whose storage id the membership doesn't know: the first that each of them gave.
    var learned: [NodeID: StorageID] = [:]

    /// Names the state that the group began with, if it began with this very folder; nil if the folder joined later.
    let founding: UInt64?

    /// What a new folder is given. One that the group begins with notes its own life too: later records may not know it.
    init(_ membership: Membership, identity: StoreIdentity, founding: UInt64?) {
        self.init(
            membership, learned: founding == nil ? [:] : [identity.nodeID: identity.storageID], founding: founding)
    }

    private init(_ membership: Membership, learned: [NodeID: StorageID], founding: UInt64?) {
        self.membership = membership
        self.learned = learned
        self.founding = founding
    }

    /// The members at the base, with everything that is known of their folders.
    var members: [Member] {
        self.membership.members.map { member in
            Member(
                nodeID: member.nodeID, storageID: self.storageID(of: member.nodeID), peerAddress: member.peerAddress,
                clientAddress: member.clientAddress)
        }
    }

    /// What is known of the life of a member's folder.
    func storageID(of nodeID: NodeID) -> StorageID {
        if let known = self.membership.member(nodeID)?.storageID, known != .unknown { return known }
        return self.learned[nodeID] ?? .unknown
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        MembershipCodec.encode(self.membership, into: &writer)
        writer.writeList(self.learned.sorted { $0.key < $1.key }) { writer, learned in
            MessageCodec.encode(learned.key, into: &writer)
            writer.write(learned.value.rawValue)
        }
        writer.writeOptional(self.founding) { $0.write($1) }
        writer.write(Checksum.of(writer.bytes))
        return writer.bytes
    }

    /// - Returns: `nil` if the bytes aren't a whole record whose checksum matches.
    static func decode(_ bytes: [UInt8]) -> MembershipRecord? {
        guard bytes.count > 4 else { return nil }
        var reader = ByteReader(bytes)
        return try? self.decode(from: &reader, checksum: Checksum.of(bytes.dropLast(4)))
    }

    private static func decode(from reader: inout ByteReader, checksum: UInt32) throws(ByteError) -> MembershipRecord? {
        let membership = try MembershipCodec.decode(from: &reader)
        let learned = try reader.readList(limit: Membership.maximumMembers) { reader throws(ByteError) in
            (try MessageCodec.decodeNode(from: &reader), StorageID(rawValue: try reader.read()))
        }
        let founding = try reader.readOptional("founding") { reader throws(ByteError) in try reader.read(UInt64.self) }
        guard try reader.read(UInt32.self) == checksum else { return nil }
        try reader.finish()
        return MembershipRecord(
            membership, learned: Dictionary(learned, uniquingKeysWith: { first, _ in first }), founding: founding)
    }
}
