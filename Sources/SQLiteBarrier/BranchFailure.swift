// SPDX-License-Identifier: Apache-2.0

/// A participant's own no, thrown by an effect: too little money, no such account. What the effect has changed is
/// undone, and the coordinator is told 409.
public struct BranchFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Why, for people.
    public let reason: String

    /// A no for this reason.
    public init(_ reason: String) { self.reason = reason }

    /// The reason.
    public var description: String { self.reason }
}
