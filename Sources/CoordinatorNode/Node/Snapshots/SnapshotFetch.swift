// SPDX-License-Identifier: Apache-2.0

import Raft

/// The snapshot that a follower is fetching, and how far it has come. It asks for one piece at a time.
struct SnapshotFetch {
    let offer: SnapshotOffer
    /// Who is asked for the next piece.
    var leader: NodeID
    /// Bytes that are on this node's disk.
    var offset: UInt64 = 0
    /// A piece is asked for, on its way to the disk, or waits for its turn.
    var isUnderWay = false
    /// All of it is there and verified.
    var isAdopted = false
    /// Counts the attempts, so that a late answer to an earlier one isn't taken.
    let number: UInt64

    var isWhole: Bool { self.offset == self.offer.description.length }

    /// Whether a piece is what should come next.
    func fits(_ piece: SnapshotPiece) -> Bool {
        piece.offset == self.offset && !piece.bytes.isEmpty
            && UInt64(piece.bytes.count) <= self.offer.description.length - self.offset && piece.isIntact
    }
}
