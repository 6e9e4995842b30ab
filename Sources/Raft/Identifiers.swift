// SPDX-License-Identifier: Apache-2.0

/// A Raft term: a logical clock that only moves forward (Raft paper, section 5.1).
package struct Term: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package var description: String { String(self.rawValue) }
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The term before any election. No log entry carries it.
    package static let zero = Term(rawValue: 0)
    /// The term that a candidate of this term moves to.
    package func next() -> Term { Term(rawValue: self.rawValue + 1) }
    package static func < (lhs: Term, rhs: Term) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The position of an entry in the log. The first entry has index 1 (Raft paper, figure 2).
package struct LogIndex: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package var description: String { String(self.rawValue) }
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The position before the first entry.
    package static let zero = LogIndex(rawValue: 0)
    package func next() -> LogIndex { LogIndex(rawValue: self.rawValue + 1) }
    /// The position before this one; zero has none before it and stays.
    package func previous() -> LogIndex { LogIndex(rawValue: self.rawValue == 0 ? 0 : self.rawValue - 1) }
    package func advanced(by count: Int) -> LogIndex { LogIndex(rawValue: self.rawValue + UInt64(count)) }
    package static func < (lhs: LogIndex, rhs: LogIndex) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A node's name as the configuration gives it, 1 to 32 bytes. It never changes while the node is a member.
package struct NodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { self.rawValue }
    package static func < (lhs: NodeID, rhs: NodeID) -> Bool { lhs.rawValue < rhs.rawValue }
    /// The longest name, in bytes of UTF-8.
    package static let maximumLength = 32
}

/// Which Raft group of a cluster a message, a row or a request belongs to. There is one group, 0, by default.
package struct GroupID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let zero = GroupID(rawValue: 0)
}

/// 128 random bits that name a cluster, drawn when it is initialised: nodes of another cluster are never believed.
package struct ClusterID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 16 bytes, the highest first.
    package var bytes: [UInt8] {
        [self.high, self.low].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * UInt64($0))) }
        }
    }
}

/// 64 random bits that name one life of a data folder. A node that comes back with another one has lost its disk,
/// and its old votes and acknowledgements are not to be believed. Zero means "not known yet".
package struct StorageID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static let unknown = StorageID(rawValue: 0)
}

/// A moment of the monotonic clock, in nanoseconds from an arbitrary start. Never wall time.
package struct Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    package func advanced(byNanoseconds amount: UInt64) -> Instant {
        Instant(nanoseconds: self.nanoseconds + amount)
    }
    /// Nanoseconds since an earlier moment; zero if that moment is later.
    package func nanoseconds(since earlier: Instant) -> UInt64 {
        self.nanoseconds > earlier.nanoseconds ? self.nanoseconds - earlier.nanoseconds : 0
    }
    package static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}
