// SPDX-License-Identifier: Apache-2.0

import Raft

/// One node's log as its batches built it, each entry replaced by a hash of itself and everything before it: two logs are
/// the same through an index exactly if their hashes there are.
struct LogHistory: Sendable {
    private struct Link: Sendable {
        let term: Term
        let hash: UInt64
    }
    /// The link of index i is at i - 1.
    private var links: [Link] = []

    var lastIndex: LogIndex { LogIndex(rawValue: UInt64(self.links.count)) }

    /// The hash of everything through an index; nil beyond the end. Nothing at all has a hash too.
    func hash(through index: LogIndex) -> UInt64? {
        if index == .zero { return StableHash().value }
        guard index <= self.lastIndex else { return nil }
        return self.links[Int(index.rawValue) - 1].hash
    }

    func term(at index: LogIndex) -> Term? {
        guard index > .zero, index <= self.lastIndex else { return nil }
        return self.links[Int(index.rawValue) - 1].term
    }

    /// The hash that the entry gives when it follows `index - 1` of this log.
    func hash(appending entry: Entry) -> UInt64? {
        guard var hash = self.hash(through: entry.index.previous()).map({ StableHash($0) }) else { return nil }
        hash.mix(entry)
        return hash.value
    }

    mutating func append(_ entry: Entry) throws(Violation) -> UInt64 {
        guard entry.index == self.lastIndex.next(), let hash = self.hash(appending: entry) else {
            throw Violation(
                .driverContract,
                "entry \(entry.index.rawValue) was persisted behind \(self.lastIndex.rawValue): the indexes have a gap")
        }
        self.links.append(Link(term: entry.term, hash: hash))
        return hash
    }

    /// A log that begins behind a snapshot: what the snapshot stands for is what was committed.
    init(committed hashes: some Sequence<(term: Term, hash: UInt64)>) {
        self.links = hashes.map { Link(term: $0.term, hash: $0.hash) }
    }

    init() {}

    /// The first index at which both logs have an entry, and not the same one.
    func firstDifference(from other: LogHistory) -> LogIndex? {
        var (low, high) = (UInt64(0), min(self.lastIndex, other.lastIndex).rawValue)
        guard self.hash(through: LogIndex(rawValue: high)) != other.hash(through: LogIndex(rawValue: high)) else {
            return nil
        }
        // Through `low` they are the same, through `high` they aren't.
        while high - low > 1 {
            let middle = LogIndex(rawValue: low + (high - low) / 2)
            if self.hash(through: middle) == other.hash(through: middle) {
                low = middle.rawValue
            } else {
                high = middle.rawValue
            }
        }
        return LogIndex(rawValue: high)
    }

    mutating func truncate(from index: LogIndex) {
        let kept = min(Int(index.previous().rawValue), self.links.count)
        self.links.removeLast(self.links.count - kept)
    }
}
