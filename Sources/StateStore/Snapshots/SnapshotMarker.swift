// SPDX-License-Identifier: Apache-2.0

import Bytes

/// The small file that names the snapshot whose install has begun: if the process dies between the replacement of the state
/// and the log's own change, the next start finishes it (Docs/architecture.md, "Applied state").
package enum SnapshotMarker {
    package static let name = "snapshot.marker"
    /// "VSNM" in a file.
    private static let magic: UInt32 = 0x4D4E_5356
    private static let longest = 64 << 10

    /// Writes it and syncs it; the folder is for the caller to sync.
    /// - Parameter offer: what names the snapshot; of no meaning here.
    static func write(_ offer: [UInt8], folder: String) throws(StateStoreError) {
        var writer = ByteWriter(capacity: offer.count + 12)
        writer.write(self.magic)
        writer.write(offer)
        writer.write(crc32c(writer.bytes))
        let file = try SnapshotFile(creating: folder + "/" + self.name)
        try file.write(writer.bytes, at: 0)
        try file.sync()
    }

    /// - Returns: what names the snapshot; `nil` if there is no marker, or one whose writing was cut off: then nothing was
    ///   replaced yet.
    package static func read(folder: String) throws(StateStoreError) -> [UInt8]? {
        let path = folder + "/" + self.name
        guard DataFolder.exists(path) else { return nil }
        let bytes = try SnapshotFile(reading: path).read(self.longest, at: 0)
        do {
            var reader = ByteReader(bytes)
            guard try reader.read(UInt32.self) == self.magic else { return nil }
            let offer = try reader.readBytes(limit: self.longest)
            let checksum = try reader.read(UInt32.self)
            try reader.finish()
            return checksum == crc32c(Array(bytes.dropLast(4))) ? offer : nil
        } catch {
            return nil
        }
    }
}
