// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft

/// What a node knows of itself after a turn: cheap to copy, so that status is read without asking the loop.
struct Vitals: Sendable {
    var role = RoleSummary.Role.follower
    var term: UInt64 = 0
    var leader: NodeID?
    var commitIndex: UInt64 = 0
    var appliedIndex: UInt64 = 0
    /// The term of the entry at `appliedIndex`.
    var appliedTerm: UInt64 = 0
    var lastIndex: UInt64 = 0
    var durableIndex: UInt64 = 0
    /// The first entry that the log still holds. Only the node itself knows.
    var firstIndex: UInt64 = 1
    var liveTransactions = 0
    /// What the cluster uses, as far as the node has applied it.
    var format = FormatLevel.first
    /// The newest that the node's program knows.
    var knownFormat = FormatLevel.first
    /// The log's disk has no room. Only the node itself knows.
    var isDiskFull = false
    /// A part of its log or its state is lost, and not made good yet.
    var isIncomplete = false
    /// Since when the node has had its role, in milliseconds since 1970.
    var since: UInt64 = 0
    /// What the leader knows of the others' disks; empty on other nodes.
    var matchIndexes: [NodeID: UInt64] = [:]

    func encode(into writer: inout ByteWriter) {
        writer.write(self.role.rawValue)
        writer.write(self.term)
        writer.writeOptional(self.leader) { $0.write($1.rawValue) }
        for number in [self.commitIndex, self.appliedIndex, self.appliedTerm, self.lastIndex, self.durableIndex] {
            writer.write(number)
        }
        writer.write(UInt64(self.liveTransactions))
        writer.write(self.since)
        writer.write(self.format.rawValue)
        writer.write(self.knownFormat.rawValue)
        writer.write(self.isIncomplete)
        writer.writeList(self.matchIndexes.sorted { $0.key < $1.key }) { writer, match in
            writer.write(match.key.rawValue)
            writer.write(match.value)
        }
    }

    init() {}

    init(from reader: inout ByteReader) throws(ByteError) {
        let start = reader.offset
        guard let role = RoleSummary.Role(rawValue: try reader.readString(limit: 16)) else {
            throw .invalidValue(offset: start, field: "role")
        }
        self.role = role
        self.term = try reader.read()
        self.leader = try reader.readOptional("leader") { reader throws(ByteError) in
            NodeID(rawValue: try reader.readString(limit: NodeID.maximumLength))
        }
        self.commitIndex = try reader.read()
        self.appliedIndex = try reader.read()
        self.appliedTerm = try reader.read()
        self.lastIndex = try reader.read()
        self.durableIndex = try reader.read()
        self.liveTransactions = Int(clamping: try reader.read(UInt64.self))
        self.since = try reader.read()
        self.format = FormatLevel(rawValue: try reader.read())
        self.knownFormat = FormatLevel(rawValue: try reader.read())
        self.isIncomplete = try reader.readBool("incomplete")
        let matches = try reader.readList(limit: 64) { reader throws(ByteError) in
            (NodeID(rawValue: try reader.readString(limit: NodeID.maximumLength)), try reader.read(UInt64.self))
        }
        self.matchIndexes = Dictionary(matches, uniquingKeysWith: max)
    }
}
