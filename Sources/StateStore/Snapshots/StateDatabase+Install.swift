// SPDX-License-Identifier: Apache-2.0

extension StateDatabase {
    /// Lets a snapshot that was adopted take the place of the file.
    ///
    /// In this order, so that a crash at any step leaves either the old state or the new one with its marker: the old file
    /// is brought up to date without its WAL, the marker is synced, the new file is renamed over the old one, the folder is
    /// synced.
    /// - Parameters:
    ///   - old: this node's state until now; closed by this.
    ///   - snapshot: where the adopted file lies, in the same folder.
    ///   - marker: what names the snapshot for a start that must finish this.
    package static func install(
        _ snapshot: String, marker: [UInt8], over old: consuming StateDatabase, identity: StateIdentity
    ) throws(StateStoreError) -> StateDatabase {
        let path = old.path
        let known = old.recovery.known
        _ = try old.sync()
        _ = consume old
        try SnapshotMarker.write(marker, folder: DataFolder.folder(of: path))
        try DataFolder.syncFolder(of: path)
        try DataFolder.replace(path, with: snapshot)
        return try StateDatabase.open(path: path, identity: identity, known: known)
    }
}
