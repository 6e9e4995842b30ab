// SPDX-License-Identifier: Apache-2.0

package import Raft

/// Digests of the applied state at certain indexes, the same on every node: so that nodes can compare what they have come
/// to without stopping, although each applies in its own time.
package struct StatePoints: Sendable {
    package struct Point: Hashable, Sendable {
        package let index: UInt64
        package let digest: UInt64
    }

    /// Entries between two points.
    package static let spacing: UInt64 = 1024
    /// How many are kept: a node that applies later than the leader by more is compared another time.
    package static let kept = 8

    private var points: [Point] = []

    package init() {}

    package static func isPoint(_ index: UInt64) -> Bool { index.isMultiple(of: Self.spacing) }

    package mutating func add(_ digest: UInt64, at index: UInt64) {
        self.points.append(Point(index: index, digest: digest))
        if self.points.count > Self.kept { self.points.removeFirst() }
    }

    package func digest(at index: UInt64) -> UInt64? { self.points.last { $0.index == index }?.digest }
}

/// What comes of a comparison at one index.
package enum StateVerdict: Hashable, Sendable {
    /// All that have answered agree.
    case equal
    /// A majority of the voters agrees on a digest that these nodes don't have.
    case odd([NodeID], majority: UInt64)
    /// They differ, and too few have answered to say who is wrong.
    case undecided([NodeID: UInt64])

    /// - Parameters:
    ///   - digests: of the nodes that have answered, this one included.
    ///   - voters: whose majority decides. While the voters change, those of either half: then a majority of all of them.
    package init(_ digests: [NodeID: UInt64], voters: Set<NodeID>) {
        let counts = Dictionary(grouping: digests.values) { $0 }
        guard counts.count > 1 else {
            self = .equal
            return
        }
        let majority = counts.keys.first { digest in
            2 * digests.count { $0.value == digest && voters.contains($0.key) } > voters.count
        }
        guard let majority else {
            self = .undecided(digests)
            return
        }
        self = .odd(
            digests.filter { $0.value != majority }.map(\.key).sorted { $0.rawValue < $1.rawValue }, majority: majority)
    }
}
