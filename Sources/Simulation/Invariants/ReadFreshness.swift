// SPDX-License-Identifier: Apache-2.0

import Raft

/// I15: a linearizable read sees every write that was acknowledged, and whatever another read saw, before it began.
struct ReadFreshness: Sendable {
    /// The highest index that a client knows to be applied. A read that begins now must reach it.
    private(set) var floor: LogIndex = .zero

    /// A client was told that its write is applied at an index.
    mutating func writeAcknowledged(at index: LogIndex) {
        self.floor = max(self.floor, index)
    }

    /// A client was given a state as of an index, having asked when the floor was `floorAtBegin`.
    mutating func readAnswered(at index: LogIndex, floorAtBegin: LogIndex, node: Int) throws(Violation) {
        guard index >= floorAtBegin else {
            throw Violation(
                .freshReads,
                "a read at n\(node + 1) shows the state at \(index.rawValue), but \(floorAtBegin.rawValue) was known "
                    + "before it began")
        }
        self.floor = max(self.floor, index)
    }
}
