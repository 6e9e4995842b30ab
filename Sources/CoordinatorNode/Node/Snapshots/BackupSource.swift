// SPDX-License-Identifier: Apache-2.0

package import StateStore

/// A backup on its way to a client. Its file has no name any more: it goes with the last reader, however that ends.
package final class BackupSource: Sendable {
    package let snapshot: StateSnapshot
    private let file: SnapshotFile

    /// Takes the file, and its name from it.
    package init(_ snapshot: StateSnapshot) throws(StateStoreError) {
        self.snapshot = snapshot
        self.file = try SnapshotFile(reading: snapshot.path)
        try StateSnapshot.remove(snapshot.path)
    }

    /// A part of it; empty behind its end.
    package func read(at offset: UInt64) throws(StateStoreError) -> [UInt8] {
        try self.file.read(SnapshotFile.pieceLength, at: offset)
    }
}
