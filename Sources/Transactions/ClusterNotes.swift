// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// What the state knows of the cluster's own past: that it came from a backup, and what operators did about that.
package struct ClusterNotes: Hashable, Sendable {
    /// Stands from a restore until an operator lifts it.
    package internal(set) var mark: RestoreMark?
    /// In the order in which it happened; the oldest leave when there are more than `Limits.auditRecords`.
    package internal(set) var audit: [AuditRecord]
    /// What the cluster uses.
    package internal(set) var format: FormatLevel

    package init(mark: RestoreMark? = nil, audit: [AuditRecord] = [], format: FormatLevel = .first) {
        self.mark = mark
        self.audit = audit
        self.format = format
    }

    mutating func record(_ record: AuditRecord) {
        self.audit.append(record)
        if self.audit.count > Limits.auditRecords { self.audit.removeFirst(self.audit.count - Limits.auditRecords) }
    }

    /// The notes of a state that becomes the beginning of another cluster.
    /// - Parameters:
    ///   - source: the cluster that the state is of; 16 bytes.
    ///   - index: the last entry whose effect it holds.
    ///   - certain: the last entry that is known to have been committed.
    ///   - earlier: the mark that stood there. What it has left in doubt stays so.
    ///   - time: log time there. Nothing else may enter: every node must write the same.
    package func restored(
        _ kind: AuditRecord.Kind, from source: [UInt8], at index: UInt64, certain: UInt64, earlier: RestoreMark?,
        time: LogTime
    ) -> ClusterNotes {
        var notes = self
        let doubts = Array((earlier?.doubts ?? []).suffix(Limits.doubts))
        notes.mark = RestoreMark(source: source, index: index, certain: certain, earlier: doubts)
        let name = source.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        notes.record(
            AuditRecord(kind: kind, time: time, index: index, actor: "", detail: "from the state of cluster \(name)"))
        return notes
    }
}

/// Something that an operator did to the cluster as a whole.
package struct AuditRecord: Hashable, Sendable {
    package enum Kind: UInt8, CaseIterable, Sendable {
        /// The cluster began from a backup.
        case restored = 1
        /// The cluster began from what one node of another one had.
        case recovered = 2
        /// The mark of a restore was lifted.
        case markLifted = 3
        /// All members knew the next format, and it is used from then on.
        case formatRaised = 4
        #if NextFormat
            case remark = 5
        #endif

        package var name: String {
            switch self {
            case .restored: "restored"
            case .recovered: "recovered"
            case .markLifted: "mark-lifted"
            case .formatRaised: "format-raised"
            #if NextFormat
                case .remark: "remark"
            #endif
            }
        }
    }

    package let kind: Kind
    package let time: LogTime
    /// The entry of the log that it came with.
    package let index: UInt64
    /// Who, in that person's own words; empty if nobody said.
    package let actor: String
    /// Why, or what else there is to say.
    package let detail: String

    package init(kind: Kind, time: LogTime, index: UInt64, actor: String, detail: String) {
        self.kind = kind
        self.time = time
        self.index = index
        self.actor = bounded(actor)
        self.detail = bounded(detail)
    }
}

extension ClusterNotes {
    /// A version byte. In the first format it stands alone; in every later one the format follows, so that any program can
    /// tell that it doesn't know it.
    private static let versions: (withoutFormat: UInt8, withFormat: UInt8) = (1, 2)

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        if self.format == .first {
            writer.write(Self.versions.withoutFormat)
        } else {
            writer.write(Self.versions.withFormat)
            writer.write(self.format.rawValue)
        }
        writer.writeOptional(self.mark) { writer, mark in
            writer.write(mark.source)
            writer.write(mark.index)
            writer.write(mark.certain)
            writer.writeList(mark.earlier) { writer, doubt in
                writer.write(doubt.after)
                writer.write(doubt.through)
            }
        }
        writer.writeList(self.audit) { writer, record in
            writer.write(record.kind.rawValue)
            writer.write(record.time.rawValue)
            writer.write(record.index)
            writer.write(record.actor)
            writer.write(record.detail)
        }
        return writer.bytes
    }

    /// The format of the cluster whose notes these are, also if a newer program has written them.
    package static func format(of bytes: [UInt8]) throws(ByteError) -> FormatLevel {
        var reader = ByteReader(bytes)
        return try Self.readFormat(from: &reader)
    }

    private static func readFormat(from reader: inout ByteReader) throws(ByteError) -> FormatLevel {
        let start = reader.offset
        let version: UInt8 = try reader.read()
        guard version != Self.versions.withoutFormat else { return .first }
        let format = FormatLevel(rawValue: try reader.read())
        // Nothing else is known of what a newer program's version holds.
        guard version >= Self.versions.withFormat, format > .first else {
            throw .invalidValue(offset: start, field: "version")
        }
        return format
    }

    /// - Throws: `ByteError` if these bytes are not exactly one cluster's notes.
    package init(decoding bytes: [UInt8]) throws(ByteError) {
        var reader = ByteReader(bytes)
        self.format = try Self.readFormat(from: &reader)
        self.mark = try reader.readOptional("mark") { reader throws(ByteError) in
            let source = try reader.readBytes(limit: 16)
            let index: UInt64 = try reader.read()
            let offset = reader.offset
            let certain: UInt64 = try reader.read()
            guard certain <= index else { throw .invalidValue(offset: offset, field: "mark") }
            let earlier = try reader.readList(limit: Limits.doubts) { reader throws(ByteError) in
                RestoreMark.Doubt(after: try reader.read(), through: try reader.read())
            }
            return RestoreMark(source: source, index: index, certain: certain, earlier: earlier)
        }
        self.audit = try reader.readList(limit: Limits.auditRecords) { reader throws(ByteError) in
            AuditRecord(
                kind: try reader.readRaw("kind", AuditRecord.Kind.init(rawValue:)), time: try reader.readLogTime(),
                index: try reader.read(), actor: try reader.readString(limit: Limits.textLength),
                detail: try reader.readString(limit: Limits.textLength))
        }
        try reader.finish()
    }
}
