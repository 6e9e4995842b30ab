// SPDX-License-Identifier: Apache-2.0

/// The name of a global transaction: 1 to 128 bytes of printable ASCII (0x21 to 0x7e).
///
/// Only ASCII, so that two gids that look equal to Swift's `String` are equal byte by byte on every node.
package struct Gid: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// - Returns: `nil` if the text is empty, too long, or holds another byte than printable ASCII.
    package init?(rawValue: String) {
        guard isPrintableName(rawValue, limit: Self.maximumLength) else { return nil }
        self.rawValue = rawValue
    }

    package var description: String { self.rawValue }
    package static func < (lhs: Gid, rhs: Gid) -> Bool { lhs.rawValue < rhs.rawValue }
    /// The longest gid, in bytes.
    package static let maximumLength = 128
}

/// The name of a branch within its transaction: 1 to 64 bytes of printable ASCII (0x21 to 0x7e).
package struct BranchID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// - Returns: `nil` if the text is empty, too long, or holds another byte than printable ASCII.
    package init?(rawValue: String) {
        guard isPrintableName(rawValue, limit: Self.maximumLength) else { return nil }
        self.rawValue = rawValue
    }

    package var description: String { self.rawValue }
    package static func < (lhs: BranchID, rhs: BranchID) -> Bool { lhs.rawValue < rhs.rawValue }
    /// The longest branch id, in bytes.
    package static let maximumLength = 64
}

private func isPrintableName(_ text: String, limit: Int) -> Bool {
    let utf8 = text.utf8
    return !utf8.isEmpty && utf8.count <= limit && utf8.allSatisfy { (0x21...0x7e).contains($0) }
}
