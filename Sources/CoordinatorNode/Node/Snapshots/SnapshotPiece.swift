// SPDX-License-Identifier: Apache-2.0

import Bytes
import StateStore

/// A part of a snapshot's file, on its way from the leader to a follower.
struct SnapshotPiece: Sendable {
    let offset: UInt64
    let bytes: [UInt8]
    let checksum: UInt32

    init(offset: UInt64, bytes: [UInt8]) {
        self.offset = offset
        self.bytes = bytes
        self.checksum = SnapshotFile.checksum(of: bytes)
    }

    var isIntact: Bool { SnapshotFile.checksum(of: self.bytes) == self.checksum }

    func encode(into writer: inout ByteWriter) {
        writer.write(self.offset)
        writer.write(self.bytes)
        writer.write(self.checksum)
    }

    init(from reader: inout ByteReader) throws(ByteError) {
        self.offset = try reader.read()
        self.bytes = try reader.readBytes(limit: SnapshotFile.pieceLength)
        self.checksum = try reader.read()
    }
}
