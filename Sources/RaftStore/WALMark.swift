// SPDX-License-Identifier: Apache-2.0

internal import Bytes
internal import Raft

/// What the small file `wal.mark` knows about the log from outside SQLite: what must be there.
///
/// SQLite treats a lost WAL, or one with a damaged header or tail, as if the transactions in it had never been. The
/// mark is the witness against that. It names the WAL's generation, and a commit counter: **the transaction of that
/// number was synced before the mark was written**, so any start that finds a lower counter in the log has lost
/// something.
///
/// When it is written:
/// 1. After a commit that opened a new generation (SQLite restarts the WAL in the first commit after a complete
///    checkpoint): written *and synced* before that commit is reported.
/// 2. After every other commit: written (by a mapping), not synced. The page cache keeps it over the death of the
///    process; a power loss may lose it, which takes a witness away but never makes a false one.
/// 3. At the end of a start and at a close: written and synced.
///
/// Why no crash gives a false alarm. The mark is only ever written after the sync of what it names, so at every moment,
/// whatever subset of unsynced writes a power loss keeps, the log holds at least what the mark says. A crash between
/// the commit of (1) and the mark's sync leaves a WAL one generation ahead of the mark with that one transaction in it,
/// whole or torn: this, and no more, is accepted. It can't be further ahead, since a second transaction of a generation
/// begins only after the mark's sync. SQLite syncs a restarted header before the frames behind it, and restarts only
/// when the database file holds everything and is synced: so a header is either the old one or the new one (32 bytes
/// within one sector), and with the new one nothing of the old generation is missed. The WAL is never cut or removed: a
/// close leaves it, checkpoints are never of the truncating kind, and `initialise` makes the first one before the mark.
///
/// Why no lost WAL goes unseen. A generation's transactions are reported only once the synced mark names the
/// generation. So a WAL that is missing, or whose header is damaged or of an earlier generation, contradicts the mark;
/// one that was cut is shorter than the length in the mark or ends before its counter; a frame damaged in the middle
/// hides transactions whose hard state records still stand behind it with counters that are too high; and the last
/// transaction alone, with nothing behind it, is vouched for by the counter. What is left is damage to the last
/// transactions whose mark a power loss took away in the same moment, which no single copy can show: Raft's other
/// copies hold these.
///
/// The file has two records in sectors of their own, written in turn, so that a torn write leaves the other one.
package struct WALMark: Hashable, Sendable {
    /// Counts the writes of the mark: the higher one of the two records is the current one.
    package var sequence: UInt64
    package var identity: StoreIdentity
    /// The highest transaction known to be synced.
    package var commitCounter: UInt64
    /// The WAL's generation at that moment.
    package var generation: WALInspection.Generation
    /// The WAL's length when the generation was marked: it never becomes shorter.
    package var walLength: UInt64

    package init(
        sequence: UInt64, identity: StoreIdentity, commitCounter: UInt64, generation: WALInspection.Generation,
        walLength: UInt64
    ) {
        self.sequence = sequence
        self.identity = identity
        self.commitCounter = commitCounter
        self.generation = generation
        self.walLength = walLength
    }

    /// Distance of the two records, in bytes: no device tears within a sector.
    package static let slotLength = 512
    package static let fileLength = 2 * Self.slotLength

    /// "VWMK" in a file.
    private static let magic: [UInt8] = [0x56, 0x57, 0x4D, 0x4B]
    private static let version: UInt16 = 1
    private static let recordLength = 4 + 2 + 8 + StoreIdentity.encodedLength + 8 + 12 + 8 + 4

    /// Where a record of this sequence goes.
    var offset: Int { Int(self.sequence % 2) * Self.slotLength }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: Self.recordLength)
        writer.writeRaw(Self.magic)
        writer.write(Self.version)
        writer.write(self.sequence)
        self.identity.encode(into: &writer)
        writer.write(self.commitCounter)
        writer.write(self.generation.checkpointSequence)
        writer.write(self.generation.salt1)
        writer.write(self.generation.salt2)
        writer.write(self.walLength)
        writer.write(Checksum.of(writer.bytes))
        return writer.bytes
    }

    /// The current record of a mark's file.
    /// - Returns: `nil` if neither record is whole.
    package static func newest(in file: [UInt8]) -> WALMark? {
        guard file.count == self.fileLength else { return nil }
        let records = (0..<2).compactMap { slot in
            let start = slot * self.slotLength
            return self.decode(Array(file[start..<start + self.recordLength]))
        }
        return records.max { $0.sequence < $1.sequence }
    }

    private static func decode(_ bytes: [UInt8]) -> WALMark? {
        guard bytes.starts(with: self.magic) else { return nil }
        var reader = ByteReader(bytes)
        return try? self.decode(from: &reader, checksum: Checksum.of(bytes.dropLast(4)))
    }

    private static func decode(from reader: inout ByteReader, checksum: UInt32) throws(ByteError) -> WALMark? {
        _ = try reader.readRaw(self.magic.count)
        guard try reader.read(UInt16.self) == self.version else { return nil }
        let mark = WALMark(
            sequence: try reader.read(), identity: try StoreIdentity.decode(from: &reader),
            commitCounter: try reader.read(),
            generation: WALInspection.Generation(
                checkpointSequence: try reader.read(), salt1: try reader.read(), salt2: try reader.read()),
            walLength: try reader.read())
        return try reader.read(UInt32.self) == checksum ? mark : nil
    }
}
