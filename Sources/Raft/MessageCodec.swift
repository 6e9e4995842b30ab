// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// The binary form of what peers say to each other: a version byte, the header, a byte that names the message, its fields.
///
/// Integers are little-endian, names are UTF-8 with a 32-bit length, entries are `EntryCodec`'s. Decoding hostile bytes
/// gives an error: every length and count is checked before memory is taken for it.
package enum MessageCodec {
    /// Raised when the bytes change. A reader refuses every other version.
    package static let version: UInt8 = 2

    /// The byte that names a message.
    private enum Tag: UInt8 {
        case preVote = 1
        case preVoteReply = 2
        case requestVote = 3
        case requestVoteReply = 4
        case appendEntries = 5
        case appendEntriesReply = 6
        case installSnapshot = 7
        case timeoutNow = 8
    }

    /// The byte that names the outcome of an AppendEntries.
    private enum OutcomeTag: UInt8 {
        case success = 1
        case conflict = 2
        case staleTerm = 3
        case installing = 4
    }

    package static func encode(_ message: Message, header: MessageHeader) -> [UInt8] {
        var writer = ByteWriter(capacity: self.capacity(for: message))
        writer.write(self.version)
        self.encode(header, into: &writer)
        self.encode(message, into: &writer)
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(ByteError) -> (header: MessageHeader, message: Message) {
        var reader = ByteReader(bytes)
        guard try reader.read(UInt8.self) == self.version else {
            throw .invalidValue(offset: 0, field: "message version")
        }
        let header = try self.decodeHeader(from: &reader)
        let message = try self.decodeMessage(from: &reader)
        try reader.finish()
        return (header, message)
    }

    /// Room for the message with the longest header, so that encoding allocates once.
    private static func capacity(for message: Message) -> Int {
        let longestWithoutEntries = 256
        return switch message {
        case .appendEntries(let request): longestWithoutEntries + EntryCodec.encodedLength(of: request.entries)
        case .preVote, .preVoteReply, .requestVote, .requestVoteReply, .appendEntriesReply, .timeoutNow,
            .installSnapshot:
            longestWithoutEntries
        }
    }
}

// MARK: - Identifiers

extension MessageCodec {
    package static func encode(_ cluster: ClusterID, into writer: inout ByteWriter) {
        writer.write(cluster.high)
        writer.write(cluster.low)
    }

    package static func decodeCluster(from reader: inout ByteReader) throws(ByteError) -> ClusterID {
        ClusterID(high: try reader.read(), low: try reader.read())
    }

    package static func encode(_ node: NodeID, into writer: inout ByteWriter) {
        writer.write(node.rawValue)
    }

    /// A name of 1 to `NodeID.maximumLength` bytes.
    package static func decodeNode(from reader: inout ByteReader) throws(ByteError) -> NodeID {
        let start = reader.offset
        let name = try reader.readString(limit: NodeID.maximumLength)
        guard !name.isEmpty else { throw .invalidValue(offset: start, field: "node id") }
        return NodeID(rawValue: name)
    }

    private static func encode(_ header: MessageHeader, into writer: inout ByteWriter) {
        self.encode(header.cluster, into: &writer)
        writer.write(header.group.rawValue)
        self.encode(header.from, into: &writer)
        writer.write(header.fromStorage.rawValue)
        self.encode(header.to, into: &writer)
    }

    private static func decodeHeader(from reader: inout ByteReader) throws(ByteError) -> MessageHeader {
        let cluster = try self.decodeCluster(from: &reader)
        let group = GroupID(rawValue: try reader.read())
        let from = try self.decodeNode(from: &reader)
        let storage = StorageID(rawValue: try reader.read())
        let to = try self.decodeNode(from: &reader)
        return MessageHeader(cluster: cluster, group: group, from: from, fromStorage: storage, to: to)
    }
}

// MARK: - Encoding

extension MessageCodec {
    private static func encode(_ message: Message, into writer: inout ByteWriter) {
        switch message {
        case .preVote(let request):
            writer.write(Tag.preVote.rawValue)
            self.encode(request, into: &writer)
        case .preVoteReply(let reply):
            writer.write(Tag.preVoteReply.rawValue)
            writer.write(reply.term.rawValue)
            writer.write(reply.candidacyTerm.rawValue)
            writer.write(reply.isGranted)
        case .requestVote(let request):
            writer.write(Tag.requestVote.rawValue)
            self.encode(request, into: &writer)
        case .requestVoteReply(let reply):
            writer.write(Tag.requestVoteReply.rawValue)
            writer.write(reply.term.rawValue)
            writer.write(reply.isGranted)
        case .appendEntries(let request):
            writer.write(Tag.appendEntries.rawValue)
            self.encode(request, into: &writer)
        case .appendEntriesReply(let reply):
            writer.write(Tag.appendEntriesReply.rawValue)
            self.encode(reply, into: &writer)
        case .installSnapshot(let request):
            writer.write(Tag.installSnapshot.rawValue)
            writer.write(request.term.rawValue)
            writer.write(request.readRound)
            self.encode(request.offer, into: &writer)
        case .timeoutNow(let request):
            writer.write(Tag.timeoutNow.rawValue)
            writer.write(request.term.rawValue)
        }
    }

    package static func encode(_ description: SnapshotDescription, into writer: inout ByteWriter) {
        writer.write(description.position.index.rawValue)
        writer.write(description.position.term.rawValue)
        writer.write(description.length)
        writer.write(description.checksum)
    }

    package static func encode(_ offer: SnapshotOffer, into writer: inout ByteWriter) {
        self.encode(offer.description, into: &writer)
        MembershipCodec.encode(offer.membership, into: &writer)
    }

    private static func encode(_ request: VoteRequest, into writer: inout ByteWriter) {
        writer.write(request.term.rawValue)
        writer.write(request.lastLogIndex.rawValue)
        writer.write(request.lastLogTerm.rawValue)
        writer.write(request.isLeadershipTransfer)
    }

    private static func encode(_ request: AppendEntries, into writer: inout ByteWriter) {
        writer.write(request.term.rawValue)
        writer.write(request.prevLogIndex.rawValue)
        writer.write(request.prevLogTerm.rawValue)
        writer.write(request.leaderCommit.rawValue)
        writer.write(request.readRound)
        writer.writeOptional(request.repair) { writer, repair in
            writer.write(repair.loss)
            writer.write(repair.index.rawValue)
        }
        writer.write(UInt32(request.entries.count))
        EntryCodec.encode(request.entries, into: &writer)
    }

    private static func encode(_ reply: AppendEntriesReply, into writer: inout ByteWriter) {
        writer.write(reply.term.rawValue)
        writer.write(reply.readRound)
        switch reply.outcome {
        case .success(let matchIndex):
            writer.write(OutcomeTag.success.rawValue)
            writer.write(matchIndex.rawValue)
        case .conflict(let rejectedIndex, let conflictTerm, let conflictIndex):
            writer.write(OutcomeTag.conflict.rawValue)
            writer.write(rejectedIndex.rawValue)
            writer.writeOptional(conflictTerm) { $0.write($1.rawValue) }
            writer.write(conflictIndex.rawValue)
        case .staleTerm:
            writer.write(OutcomeTag.staleTerm.rawValue)
        case .installing:
            writer.write(OutcomeTag.installing.rawValue)
        }
        writer.writeOptional(reply.needsStateFrom) { $0.write($1.rawValue) }
        writer.write(reply.losses)
        writer.write(reply.isRepairing)
    }
}

// MARK: - Decoding

extension MessageCodec {
    private static func decodeMessage(from reader: inout ByteReader) throws(ByteError) -> Message {
        let start = reader.offset
        guard let tag = Tag(rawValue: try reader.read()) else {
            throw .invalidValue(offset: start, field: "message kind")
        }
        return switch tag {
        case .preVote: .preVote(try self.decodeVoteRequest(from: &reader))
        case .preVoteReply: .preVoteReply(try self.decodePreVoteReply(from: &reader))
        case .requestVote: .requestVote(try self.decodeVoteRequest(from: &reader))
        case .requestVoteReply: .requestVoteReply(try self.decodeRequestVoteReply(from: &reader))
        case .appendEntries: .appendEntries(try self.decodeAppendEntries(from: &reader))
        case .appendEntriesReply: .appendEntriesReply(try self.decodeAppendEntriesReply(from: &reader))
        case .installSnapshot: .installSnapshot(try self.decodeInstallSnapshot(from: &reader))
        case .timeoutNow: .timeoutNow(TimeoutNow(term: Term(rawValue: try reader.read())))
        }
    }

    private static func decodeInstallSnapshot(from reader: inout ByteReader) throws(ByteError) -> InstallSnapshot {
        let term = Term(rawValue: try reader.read())
        let readRound = try reader.read(UInt64.self)
        return InstallSnapshot(term: term, offer: try self.decodeOffer(from: &reader), readRound: readRound)
    }

    package static func decodeOffer(from reader: inout ByteReader) throws(ByteError) -> SnapshotOffer {
        let description = try self.decodeDescription(from: &reader)
        return SnapshotOffer(description: description, membership: try MembershipCodec.decode(from: &reader))
    }

    package static func decodeDescription(from reader: inout ByteReader) throws(ByteError) -> SnapshotDescription {
        let position = LogPosition(
            index: LogIndex(rawValue: try reader.read()), term: Term(rawValue: try reader.read()))
        return SnapshotDescription(position: position, length: try reader.read(), checksum: try reader.read())
    }

    private static func decodeVoteRequest(from reader: inout ByteReader) throws(ByteError) -> VoteRequest {
        let term = Term(rawValue: try reader.read())
        let lastLogIndex = LogIndex(rawValue: try reader.read())
        let lastLogTerm = Term(rawValue: try reader.read())
        let isTransfer = try reader.readBool("leadership transfer")
        return VoteRequest(
            term: term, lastLogIndex: lastLogIndex, lastLogTerm: lastLogTerm, isLeadershipTransfer: isTransfer)
    }

    private static func decodePreVoteReply(from reader: inout ByteReader) throws(ByteError) -> PreVoteReply {
        let term = Term(rawValue: try reader.read())
        let candidacyTerm = Term(rawValue: try reader.read())
        return PreVoteReply(term: term, candidacyTerm: candidacyTerm, isGranted: try reader.readBool("vote"))
    }

    private static func decodeRequestVoteReply(from reader: inout ByteReader) throws(ByteError) -> RequestVoteReply {
        let term = Term(rawValue: try reader.read())
        return RequestVoteReply(term: term, isGranted: try reader.readBool("vote"))
    }

    private static func decodeAppendEntries(from reader: inout ByteReader) throws(ByteError) -> AppendEntries {
        let term = Term(rawValue: try reader.read())
        let prevLogIndex = LogIndex(rawValue: try reader.read())
        let prevLogTerm = Term(rawValue: try reader.read())
        let leaderCommit = LogIndex(rawValue: try reader.read())
        let readRound = try reader.read(UInt64.self)
        let repair = try reader.readOptional("repair") { reader throws(ByteError) in
            RepairTarget(loss: try reader.read(), index: LogIndex(rawValue: try reader.read()))
        }
        // More entries than the bytes that are left could hold are refused before room is made for them.
        let mostEntries = reader.remaining / EntryCodec.overhead
        let entries = try reader.readList(limit: mostEntries) { reader throws(ByteError) in
            try EntryCodec.decodeOne(from: &reader)
        }
        return AppendEntries(
            term: term, prevLogIndex: prevLogIndex, prevLogTerm: prevLogTerm, entries: entries,
            leaderCommit: leaderCommit, readRound: readRound, repair: repair)
    }

    private static func decodeAppendEntriesReply(
        from reader: inout ByteReader
    ) throws(ByteError) -> AppendEntriesReply {
        let term = Term(rawValue: try reader.read())
        let readRound = try reader.read(UInt64.self)
        return AppendEntriesReply(
            term: term, outcome: try self.decodeOutcome(from: &reader), readRound: readRound,
            needsStateFrom: try reader.readOptional("needs state") { reader throws(ByteError) in
                LogIndex(rawValue: try reader.read())
            }, losses: try reader.read(), isRepairing: try reader.readBool("repairing"))
    }

    private static func decodeOutcome(
        from reader: inout ByteReader
    ) throws(ByteError) -> AppendEntriesReply.Outcome {
        let start = reader.offset
        guard let tag = OutcomeTag(rawValue: try reader.read()) else {
            throw .invalidValue(offset: start, field: "AppendEntries outcome")
        }
        switch tag {
        case .success:
            return .success(matchIndex: LogIndex(rawValue: try reader.read()))
        case .conflict:
            let rejectedIndex = LogIndex(rawValue: try reader.read())
            let conflictTerm = try reader.readOptional("conflict term") { reader throws(ByteError) in
                Term(rawValue: try reader.read())
            }
            let conflictIndex = LogIndex(rawValue: try reader.read())
            return .conflict(rejectedIndex: rejectedIndex, conflictTerm: conflictTerm, conflictIndex: conflictIndex)
        case .staleTerm:
            return .staleTerm
        case .installing:
            return .installing
        }
    }
}
