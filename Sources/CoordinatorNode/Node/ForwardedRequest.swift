// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Transactions

/// What a node asks another one on behalf of a client; it travels as a request of the peer transport.
enum ForwardedRequest: Sendable {
    /// Commit this. Asked of the leader.
    case command(Command)
    /// At which index is a read that arrives now linearizable? Asked of the leader.
    case readIndex
    /// How are you? Asked of any node.
    case status
    /// A part of the snapshot that the asked node offers.
    case snapshotPiece(SnapshotDescription, offset: UInt64)
    /// Let another voter lead. Asked of the leader.
    case transferLeadership(to: NodeID?)
    /// Who takes part, after this change if one is given? Asked of the leader.
    case members(MembershipChange?)
    /// What digest did your applied state have at this index?
    case stateDigest(at: UInt64, version: UInt32)
    /// The majority's digest at this index, to a node that has another one. It isn't answered.
    case stateDiffers(at: UInt64, majority: UInt64, version: UInt32)

    private enum Tag: UInt8 {
        case command = 1
        case readIndex = 2
        case status = 3
        case snapshotPiece = 4
        case transferLeadership = 5
        case members = 6
        case stateDigest = 7
        case stateDiffers = 8
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        switch self {
        case .command(let command):
            writer.write(Tag.command.rawValue)
            writer.writeRaw(command.encoded())
        case .readIndex: writer.write(Tag.readIndex.rawValue)
        case .status: writer.write(Tag.status.rawValue)
        case .snapshotPiece(let description, let offset):
            writer.write(Tag.snapshotPiece.rawValue)
            MessageCodec.encode(description, into: &writer)
            writer.write(offset)
        case .transferLeadership(let target):
            writer.write(Tag.transferLeadership.rawValue)
            writer.writeOptional(target) { MessageCodec.encode($1, into: &$0) }
        case .members(let change):
            writer.write(Tag.members.rawValue)
            writer.writeOptional(change) { $1.encode(into: &$0) }
        case .stateDigest(let index, let version):
            writer.write(Tag.stateDigest.rawValue)
            writer.write(version)
            writer.write(index)
        case .stateDiffers(let index, let majority, let version):
            writer.write(Tag.stateDiffers.rawValue)
            writer.write(version)
            writer.write(index)
            writer.write(majority)
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8], known: FormatLevel = .newest) throws(ByteError) {
        var reader = ByteReader(bytes)
        switch Tag(rawValue: try reader.read()) {
        case .command: self = .command(try Command(decoding: try reader.readRaw(reader.remaining), known: known))
        case .readIndex: self = .readIndex
        case .status: self = .status
        case .snapshotPiece:
            self = .snapshotPiece(try MessageCodec.decodeDescription(from: &reader), offset: try reader.read())
        case .transferLeadership:
            self = .transferLeadership(
                to: try reader.readOptional("target") { reader throws(ByteError) in
                    try MessageCodec.decodeNode(from: &reader)
                })
        case .members:
            self = .members(
                try reader.readOptional("change") { reader throws(ByteError) in try MembershipChange(from: &reader) })
        case .stateDigest:
            let version: UInt32 = try reader.read()
            self = .stateDigest(at: try reader.read(), version: version)
        case .stateDiffers:
            let version: UInt32 = try reader.read()
            let index: UInt64 = try reader.read()
            self = .stateDiffers(at: index, majority: try reader.read(), version: version)
        case nil: throw .invalidValue(offset: 0, field: "request")
        }
        try reader.finish()
    }
}

/// The answer to a `ForwardedRequest`.
enum ForwardedReply: Sendable {
    /// The command was committed and applied.
    case committed(CommittedAnswer)
    case readIndex(UInt64)
    case status(Vitals)
    /// The node that was asked doesn't lead; the command is certainly not in its log.
    case notLeader
    /// The leader takes no more for now; the command is certainly not in its log.
    case overloaded
    /// The command was in a log and was cut off there; nobody knows whether it lives on in another one.
    case unknown
    case snapshotPiece(SnapshotPiece)
    /// The asked node has no such snapshot, or no longer.
    case noSnapshot
    /// Who leads after a hand-over.
    case leadership(LeadershipAnswer)
    /// The leader can't do that, and why.
    case refused(String)
    /// Who takes part.
    case members(MembersAnswer)
    /// The digest that was asked for; nil if the node hasn't come to the index yet, or no longer knows.
    case stateDigest(UInt64?)

    private enum Tag: UInt8 {
        case committed = 1
        case readIndex = 2
        case status = 3
        case notLeader = 4
        case overloaded = 5
        case unknown = 6
        case snapshotPiece = 7
        case noSnapshot = 8
        case leadership = 9
        case refused = 10
        case members = 11
        case stateDigest = 12
    }

    /// The longest answer of a command, in bytes: far above any transaction's.
    private static let longestResult = 1 << 20
    private static let longestReason = 4 << 10

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        switch self {
        case .committed(let answer):
            writer.write(Tag.committed.rawValue)
            writer.write(answer.term)
            writer.write(answer.index)
            writer.write(answer.result.encoded())
            writer.write(answer.transaction != nil)
            if let transaction = answer.transaction { writer.writeRaw(transaction.encoded(payloads: .digest)) }
        case .readIndex(let index):
            writer.write(Tag.readIndex.rawValue)
            writer.write(index)
        case .status(let vitals):
            writer.write(Tag.status.rawValue)
            vitals.encode(into: &writer)
        case .notLeader: writer.write(Tag.notLeader.rawValue)
        case .overloaded: writer.write(Tag.overloaded.rawValue)
        case .unknown: writer.write(Tag.unknown.rawValue)
        case .snapshotPiece(let piece):
            writer.write(Tag.snapshotPiece.rawValue)
            piece.encode(into: &writer)
        case .noSnapshot: writer.write(Tag.noSnapshot.rawValue)
        case .leadership(let answer):
            writer.write(Tag.leadership.rawValue)
            writer.write(answer.before)
            writer.write(answer.leader)
            writer.write(answer.term)
        case .refused(let reason):
            writer.write(Tag.refused.rawValue)
            writer.write(reason)
        case .members(let answer):
            writer.write(Tag.members.rawValue)
            answer.encode(into: &writer)
        case .stateDigest(let digest):
            writer.write(Tag.stateDigest.rawValue)
            writer.writeOptional(digest) { $0.write($1) }
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(ByteError) {
        var reader = ByteReader(bytes)
        switch Tag(rawValue: try reader.read()) {
        case .committed:
            let term: UInt64 = try reader.read()
            let index: UInt64 = try reader.read()
            let result = try CommandResult(decoding: try reader.readBytes(limit: Self.longestResult))
            let hasTransaction = try reader.readBool("transaction")
            let transaction =
                hasTransaction
                ? try GlobalTransaction(decoding: try reader.readRaw(reader.remaining), payloads: .digest) : nil
            self = .committed(CommittedAnswer(result: result, transaction: transaction, term: term, index: index))
        case .readIndex: self = .readIndex(try reader.read())
        case .status: self = .status(try Vitals(from: &reader))
        case .notLeader: self = .notLeader
        case .overloaded: self = .overloaded
        case .unknown: self = .unknown
        case .snapshotPiece: self = .snapshotPiece(try SnapshotPiece(from: &reader))
        case .noSnapshot: self = .noSnapshot
        case .leadership:
            self = .leadership(
                LeadershipAnswer(
                    before: try reader.readString(limit: NodeID.maximumLength),
                    leader: try reader.readString(limit: NodeID.maximumLength), term: try reader.read()))
        case .refused: self = .refused(try reader.readString(limit: Self.longestReason))
        case .members: self = .members(try MembersAnswer(from: &reader))
        case .stateDigest:
            self = .stateDigest(
                try reader.readOptional("digest") { reader throws(ByteError) -> UInt64 in try reader.read() })
        case nil: throw .invalidValue(offset: 0, field: "reply")
        }
        try reader.finish()
    }
}
