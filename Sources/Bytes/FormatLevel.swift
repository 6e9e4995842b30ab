// SPDX-License-Identifier: Apache-2.0

/// The level of everything that nodes share: the kinds of commands in the log, how applied state is encoded, and what nodes
/// say to each other once a connection stands.
///
/// A program knows all levels through `newest`. A cluster uses one, which is part of its applied state and only rises: when
/// every member knows the next one, the leader writes that into the log, and from that entry on the next one is used. So a
/// node of a newer program can take part in a cluster of an older one, and nobody ever meets what it doesn't know.
package struct FormatLevel: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// What every cluster begins with.
    package static let first = FormatLevel(rawValue: 1)
    /// The highest that this program knows. Whoever adds a kind of command, or encodes anything shared otherwise, raises it,
    /// and lets nobody meet the new thing in a cluster of a lower level.
    package static let newest = FormatLevel(rawValue: 1)
    #if NextFormat
        /// Of a program that doesn't exist yet, and that knows one more kind of command: for tests.
        package static let next = FormatLevel(rawValue: Self.newest.rawValue + 1)
    #endif

    package static func < (one: FormatLevel, other: FormatLevel) -> Bool { one.rawValue < other.rawValue }

    package var description: String { "\(self.rawValue)" }
}
