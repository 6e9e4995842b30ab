// SPDX-License-Identifier: Apache-2.0

import Raft

/// I4: nodes that have applied as far are in the same state (Raft paper, figure 3, state machine safety).
struct StateHashes: Sendable {
    /// That of index i is at i - 1.
    private var hashes: [UInt64] = []

    /// A node's state is a snapshot's now.
    func installed(_ index: LogIndex, hash: UInt64, node: Int) throws(Violation) {
        let position = Int(index.rawValue) - 1
        guard self.hashes.indices.contains(position), self.hashes[position] == hash else {
            throw Violation(.sameStateHash, "n\(node + 1) installs a state at \(index.rawValue) that no node was in")
        }
    }

    /// A node's state machine has reached an index. In its life it applies each index once, in order.
    mutating func reached(_ index: LogIndex, hash: UInt64, after previous: LogIndex, node: Int) throws(Violation) {
        guard index == previous.next() else {
            throw Violation(
                .sameStateHash, "n\(node + 1) applies entry \(index.rawValue) after \(previous.rawValue)")
        }
        let position = Int(index.rawValue) - 1
        guard position < self.hashes.count else {
            guard position == self.hashes.count else {
                throw Violation(.sameStateHash, "n\(node + 1) applies \(index.rawValue), which nobody reached in order")
            }
            self.hashes.append(hash)
            return
        }
        guard self.hashes[position] == hash else {
            throw Violation(
                .sameStateHash, "n\(node + 1) is in another state at \(index.rawValue) than the first that got there")
        }
    }
}
