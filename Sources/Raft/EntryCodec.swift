// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// The binary form of entries: the same bytes stand in the log's rows and in AppendEntries.
///
/// An entry is index (8), term (8), kind (1), length of the payload (4), payload; integers are little-endian.
package enum EntryCodec {
    /// Bytes of one encoded entry beside its payload.
    package static let overhead = 21

    package static func encode(_ entries: [Entry], into writer: inout ByteWriter) {
        for entry in entries {
            writer.write(entry.index.rawValue)
            writer.write(entry.term.rawValue)
            writer.write(entry.kind.rawValue)
            writer.write(entry.payload)
        }
    }

    package static func encode(_ entries: [Entry]) -> [UInt8] {
        var writer = ByteWriter(capacity: self.encodedLength(of: entries))
        self.encode(entries, into: &writer)
        return writer.bytes
    }

    /// Length of the encoding, in bytes.
    package static func encodedLength(of entries: some Sequence<Entry>) -> Int {
        entries.reduce(0) { $0 + self.encodedLength(of: $1) }
    }

    package static func encodedLength(of entry: Entry) -> Int { self.overhead + entry.payload.count }

    package static func decodeOne(from reader: inout ByteReader) throws(ByteError) -> Entry {
        let index = LogIndex(rawValue: try reader.read())
        let term = Term(rawValue: try reader.read())
        let kindOffset = reader.offset
        guard let kind = Entry.Kind(rawValue: try reader.read()) else {
            throw .invalidValue(offset: kindOffset, field: "entry kind")
        }
        let payload = try reader.readBytes(limit: Entry.maximumPayloadLength)
        return Entry(index: index, term: term, kind: kind, payload: payload)
    }

    /// Every entry of a row: the bytes must be used up.
    package static func decode(_ bytes: [UInt8]) throws(ByteError) -> [Entry] {
        var reader = ByteReader(bytes)
        var entries: [Entry] = []
        while reader.remaining > 0 { entries.append(try self.decodeOne(from: &reader)) }
        return entries
    }
}
