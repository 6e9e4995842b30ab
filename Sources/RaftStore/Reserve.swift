// SPDX-License-Identifier: Apache-2.0

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// A file that holds disk blocks back, to be let go of when the disk is full: what waits then, and the terms and votes
/// behind it, still find room while the leader hands over.
package struct Reserve: Sendable {
    /// Holds the largest entry, its copy in the WAL's checkpoint not counted, and many votes.
    package static let defaultLength = 8 << 20

    let path: String
    let length: Int

    init(folder: String, length: Int) {
        self.path = folder + "/" + DataFolder.Names.reserve
        self.length = length
    }

    var isThere: Bool { FileSystem.exists(self.path) }

    /// Lets go of the room. Some file systems give the blocks out again only once the removal is synced.
    func release() throws(StoreError) {
        try FileSystem.remove(self.path)
        try FileSystem.syncFolder(FileSystem.parent(of: self.path))
    }

    /// Takes the room again.
    /// - Throws: `StoreError.diskFull` if there isn't that much; nothing is held then.
    func refill() throws(StoreError) {
        do throws(StoreError) {
            let file = try File(self.path, flags: O_RDWR | O_CREAT)
            try file.allocate(self.length)
            try file.sync()
            try FileSystem.syncFolder(FileSystem.parent(of: self.path))
        } catch {
            try? FileSystem.remove(self.path)
            throw error
        }
    }

    /// - Returns: whether the room is held now.
    func refillIfThereIsRoom() throws(StoreError) -> Bool {
        do throws(StoreError) {
            try self.refill()
            return true
        } catch {
            guard case .diskFull = error else { throw error }
            return false
        }
    }
}
