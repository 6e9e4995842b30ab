// SPDX-License-Identifier: Apache-2.0

import Raft

/// I3: an entry that was once committed, as any node's commit index or `apply` showed it, stays as it is: every other
/// node commits the same one, every later leader has it (Raft paper, figure 3, leader completeness and state machine
/// safety), and nobody who holds it cuts it off.
struct CommittedEntries: Sendable {
    private struct Committed: Sendable {
        let hash: UInt64
        /// The entry's own term.
        let entryTerm: Term
        /// The term of the node that was first seen to commit it. Leaders of later terms must have the entry.
        let term: Term
    }
    /// That of index i is at i - 1.
    private var entries: [Committed] = []

    var lastIndex: LogIndex { LogIndex(rawValue: UInt64(self.entries.count)) }

    /// A node of a term says that its log is committed through an index.
    mutating func commits(_ log: LogHistory, from first: LogIndex, through last: LogIndex, node: Int, term: Term)
        throws(Violation)
    {
        var index = first
        while index <= last {
            guard let hash = log.hash(through: index) else {
                throw Violation(
                    .committedStays,
                    "n\(node + 1) commits through \(last.rawValue) but its log ends at \(log.lastIndex.rawValue)")
            }
            if index > self.lastIndex {
                self.entries.append(Committed(hash: hash, entryTerm: log.term(at: index) ?? .zero, term: term))
            } else if self.entries[Int(index.rawValue) - 1].hash != hash {
                throw Violation(
                    .committedStays,
                    "n\(node + 1) commits another entry at \(index.rawValue) than was committed there before")
            }
            index = index.next()
        }
    }

    /// What was committed through an index, as a hash; nil if nothing was yet.
    func hash(through index: LogIndex) -> UInt64? {
        if index == .zero { return StableHash().value }
        return index <= self.lastIndex ? self.entries[Int(index.rawValue) - 1].hash : nil
    }

    /// The log that a snapshot stands for: what was committed there.
    func log(through position: LogPosition, of node: Int) throws(Violation) -> LogHistory {
        guard position.index <= self.lastIndex else {
            throw Violation(
                .committedStays,
                "n\(node + 1)'s log begins at \(position.index.rawValue), which was never committed")
        }
        let committed = self.entries[..<Int(position.index.rawValue)]
        guard position.index == .zero || committed.last?.entryTerm == position.term else {
            throw Violation(
                .committedStays,
                "n\(node + 1)'s log begins at \(position.index.rawValue) of term \(position.term.rawValue), "
                    + "committed there was term \(committed.last?.entryTerm.rawValue ?? 0)")
        }
        return LogHistory(committed: committed.lazy.map { ($0.entryTerm, $0.hash) })
    }

    /// A node leads a term: it must have whatever was committed in terms before it.
    func leads(_ node: Int, term: Term, log: LogHistory) throws(Violation) {
        guard let position = self.entries.lastIndex(where: { $0.term < term }) else { return }
        let index = LogIndex(rawValue: UInt64(position + 1))
        guard log.hash(through: index) == self.entries[position].hash else {
            throw Violation(
                .committedStays,
                "n\(node + 1) leads term \(term.rawValue) without entry \(index.rawValue), "
                    + "committed in term \(self.entries[position].term.rawValue)")
        }
    }

    /// A node cuts its log, because a leader of its current term says so. That leader has all that was committed in
    /// terms up to its own, so none of it may go.
    func truncates(_ node: Int, term: Term, log: LogHistory, from start: LogIndex) throws(Violation) {
        var index = start
        while index <= min(log.lastIndex, self.lastIndex) {
            let committed = self.entries[Int(index.rawValue) - 1]
            if committed.term <= term, log.hash(through: index) == committed.hash {
                throw Violation(
                    .committedStays,
                    "n\(node + 1) cuts off entry \(index.rawValue) in term \(term.rawValue), "
                        + "committed in term \(committed.term.rawValue)")
            }
            index = index.next()
        }
    }
}
