// SPDX-License-Identifier: Apache-2.0

/// What operators did to the cluster as a whole, as one node has it applied.
public struct ClusterAudit: Codable, Hashable, Sendable {
    /// The cluster began from a backup, and no operator has answered yet for what that leaves open.
    public struct RestoreMark: Codable, Hashable, Sendable {
        /// The cluster that the backup is of: 32 hexadecimal digits.
        public let source: String
        /// The last entry whose effect the backup holds. Transactions that were undecided there are held.
        public let index: UInt64
        /// The last of these that is known to have been committed. What later ones decided is held too.
        public let certain: UInt64
    }

    /// Something that was done.
    public struct Record: Codable, Hashable, Sendable {
        /// `restored`, `recovered`, `mark-lifted` or `format-raised`.
        public let event: String
        /// When, by the cluster's log.
        public let time: Timestamp
        /// The entry of the log that it came with.
        public let index: UInt64
        /// Who, in their own words; empty if nobody said.
        public let actor: String
        /// Why, or what else there is to say.
        public let detail: String
    }

    /// Nil if none stands.
    public let restoreMark: RestoreMark?
    /// In the order in which it happened.
    public let audit: [Record]
    /// The node that answered.
    public let node: String

    private enum CodingKeys: String, CodingKey {
        case restoreMark = "restore_mark"
        case audit, node
    }
}

/// What lifting the mark of a restore came to.
public struct MarkLift: Codable, Hashable, Sendable {
    /// False if no mark stood.
    public let lifted: Bool
    /// The node that answered.
    public let node: String
}

/// What a node says of a backup that it has sent.
public struct BackupReceipt: Codable, Hashable, Sendable {
    /// The node's address.
    public let address: String
    /// Bytes that came.
    public let length: UInt64
    /// CRC32C of all of them, as the node computed it.
    public let checksum: UInt32
    /// The last entry of the log whose effect the backup holds.
    public let index: UInt64
}
