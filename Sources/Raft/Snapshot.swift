// SPDX-License-Identifier: Apache-2.0

/// A snapshot of the applied state, as its file is known by: what it stands for, and what its bytes must come to.
package struct SnapshotDescription: Hashable, Sendable {
    /// The last entry whose effect it holds (Raft paper, figure 13: lastIncludedIndex and lastIncludedTerm).
    package let position: LogPosition
    /// Bytes of the file.
    package let length: UInt64
    /// CRC32C of the file.
    package let checksum: UInt32

    package init(position: LogPosition, length: UInt64, checksum: UInt32) {
        self.position = position
        self.length = length
        self.checksum = checksum
    }
}

/// A snapshot that a leader offers, with who takes part at its place in the log.
package struct SnapshotOffer: Hashable, Sendable {
    package let description: SnapshotDescription
    /// The latest membership at or before the snapshot's index, both halves if it is joint.
    package let membership: Membership

    package init(description: SnapshotDescription, membership: Membership) {
        self.description = description
        self.membership = membership
    }

    package var position: LogPosition { self.description.position }
}

/// A change of where a node's log begins.
package struct LogBase: Hashable, Sendable {
    /// What the first entry follows from now on.
    package let position: LogPosition
    /// What counts there.
    package let membership: Membership
    /// The log holds that very entry, so what stands behind it stays; else every entry goes (Raft paper, section 7).
    package let keepsEntries: Bool

    package init(position: LogPosition, membership: Membership, keepsEntries: Bool) {
        self.position = position
        self.membership = membership
        self.keepsEntries = keepsEntries
    }
}
