// SPDX-License-Identifier: Apache-2.0

/// Who leads after a hand-over.
public struct LeadershipTransfer: Codable, Hashable, Sendable {
    /// The node that led before.
    public let before: String
    /// The node that leads now.
    public let leader: String
    /// The new leader's term.
    public let term: UInt64
    /// The node that answered.
    public let node: String
}
