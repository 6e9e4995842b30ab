// SPDX-License-Identifier: Apache-2.0

internal import Bytes
package import Raft

/// What every transaction of the log writes: term and vote, and enough about the rest to show what is missing.
///
/// It has a fixed length, a magic word and a checksum of its own, so that it is known again in any page image: also in
/// frames of a WAL that nothing else vouches for. `commitCounter` goes up by one with every transaction on the file;
/// so a record that says n proves that transaction n - 1 was synced before.
package struct HardStateRecord: Hashable, Sendable {
    package var group: GroupID
    /// Counts the transactions on the file, from 1 for its initialisation.
    package var commitCounter: UInt64
    package var hardState: HardState
    package var base: LogPosition
    /// The checksum that the first row's continues from.
    package var baseChain: UInt32
    package var lastIndex: LogIndex
    /// The last row's checksum, which covers every row before it.
    package var lastChain: UInt32
    /// The checksum of the membership record that belongs to this state.
    package var membershipChecksum: UInt32
    package var identity: StoreIdentity

    package init(
        group: GroupID, commitCounter: UInt64, hardState: HardState, base: LogPosition, baseChain: UInt32,
        lastIndex: LogIndex, lastChain: UInt32, membershipChecksum: UInt32, identity: StoreIdentity
    ) {
        self.group = group
        self.commitCounter = commitCounter
        self.hardState = hardState
        self.base = base
        self.baseChain = baseChain
        self.lastIndex = lastIndex
        self.lastChain = lastChain
        self.membershipChecksum = membershipChecksum
        self.identity = identity
    }

    /// "VHSR" in a file.
    static let magic: [UInt8] = [0x56, 0x48, 0x53, 0x52]
    static let version: UInt16 = 2
    package static let encodedLength =
        4 + 2 + 4 + 8 + 8 + NodeID.fieldLength + 8 + 1 + 8 + 8 + 4 + 8 + 4 + 4 + StoreIdentity.encodedLength + 4

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: Self.encodedLength)
        writer.writeRaw(Self.magic)
        writer.write(Self.version)
        writer.write(self.group.rawValue)
        writer.write(self.commitCounter)
        writer.write(self.hardState.currentTerm.rawValue)
        NodeID.encodeField(self.hardState.votedFor, into: &writer)
        writer.write(self.hardState.losses)
        writer.write(self.hardState.isRepairing)
        writer.write(self.base.index.rawValue)
        writer.write(self.base.term.rawValue)
        writer.write(self.baseChain)
        writer.write(self.lastIndex.rawValue)
        writer.write(self.lastChain)
        writer.write(self.membershipChecksum)
        self.identity.encode(into: &writer)
        writer.write(Checksum.of(writer.bytes))
        return writer.bytes
    }

    /// - Returns: `nil` if the bytes aren't a whole record whose checksum matches.
    package static func decode(_ bytes: some Collection<UInt8>) -> HardStateRecord? {
        guard bytes.count == self.encodedLength, bytes.starts(with: self.magic) else { return nil }
        var reader = ByteReader(Array(bytes))
        return try? self.decode(from: &reader, checksum: Checksum.of(bytes.dropLast(4)))
    }

    private static func decode(from reader: inout ByteReader, checksum: UInt32) throws(ByteError) -> HardStateRecord? {
        _ = try reader.readRaw(self.magic.count)
        guard try reader.read(UInt16.self) == self.version else { return nil }
        let record = HardStateRecord(
            group: GroupID(rawValue: try reader.read()), commitCounter: try reader.read(),
            hardState: HardState(
                currentTerm: Term(rawValue: try reader.read()), votedFor: try NodeID.decodeField(from: &reader),
                losses: try reader.read(), isRepairing: try reader.readBool("repairing")),
            base: LogPosition(index: LogIndex(rawValue: try reader.read()), term: Term(rawValue: try reader.read())),
            baseChain: try reader.read(), lastIndex: LogIndex(rawValue: try reader.read()),
            lastChain: try reader.read(), membershipChecksum: try reader.read(),
            identity: try StoreIdentity.decode(from: &reader))
        return try reader.read(UInt32.self) == checksum ? record : nil
    }

    /// The highest commit counter of any record that stands anywhere in a page.
    static func highestCounter(in page: ArraySlice<UInt8>) -> UInt64? {
        var highest: UInt64?
        page.withUnsafeBytes { raw in
            let magic = UInt32(littleEndian: Self.magic.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
            var start = 0
            while start + self.encodedLength <= raw.count {
                let word = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: start, as: UInt32.self))
                if word == magic, let record = self.decode(raw[start..<start + self.encodedLength]) {
                    highest = max(highest ?? 0, record.commitCounter)
                }
                start += 1
            }
        }
        return highest
    }
}
