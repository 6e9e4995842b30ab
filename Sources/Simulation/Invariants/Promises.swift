// SPDX-License-Identifier: Apache-2.0

import Raft

/// I5: what a node has told others about its disk is still true after a restart: its term, its vote, and the head of the
/// log that it acknowledged (Raft paper, figure 2, persistent state). It also never votes twice in a term.
struct Promises: Sendable {
    /// The highest term that left the node.
    private(set) var term: Term = .zero
    /// Whom it voted for in the highest term it voted in.
    private(set) var vote: (term: Term, candidate: NodeID)?
    /// How far it has acknowledged its log, and the log's hash through there.
    private(set) var acknowledged: (index: LogIndex, hash: UInt64) = (.zero, StableHash().value)
    /// How often its log has lost entries, and whether it hasn't got all of them back, by its own word.
    private var losses: UInt64 = 0
    private var isRepairing = false
    /// Where it cut its log in this life, and in which term.
    private var truncations: [(term: Term, from: LogIndex)] = []

    /// A message leaves the node, whose log is `log`.
    mutating func sends(_ message: Message, to receiver: NodeID, from node: NodeID, log: LogHistory) throws(Violation) {
        switch message {
        case .preVote: break  // Asks about a term that is nobody's yet.
        case .preVoteReply(let reply): self.show(reply.term)
        case .requestVote(let request):
            self.show(request.term)
            try self.votes(for: node, term: request.term, voter: node)
        case .requestVoteReply(let reply):
            self.show(reply.term)
            guard !reply.isGranted || !self.isRepairing else {
                throw Violation(.promisesSurvive, "\(node) votes without a part of its log")
            }
            if reply.isGranted { try self.votes(for: receiver, term: reply.term, voter: node) }
        case .appendEntries(let request): self.show(request.term)
        case .installSnapshot(let request): self.show(request.term)
        case .timeoutNow(let request): self.show(request.term)
        case .appendEntriesReply(let reply):
            self.show(reply.term)
            if case .success(let matchIndex) = reply.outcome {
                try self.acknowledges(matchIndex, in: reply.term, node: node, log: log)
            }
        }
    }

    /// The node cuts its log: what it acknowledged to an earlier leader from there on is no promise to the present one.
    mutating func truncates(from index: LogIndex, term: Term, log: LogHistory) {
        self.truncations.append((term, index))
        guard index <= self.acknowledged.index, let hash = log.hash(through: index.previous()) else { return }
        self.acknowledged = (index.previous(), hash)
    }

    /// The node has lost entries, and says so: its term and its vote are still true.
    mutating func losesEntries(behind end: LogIndex, log: LogHistory) {
        guard end < self.acknowledged.index else { return }
        self.acknowledged = log.hash(through: end).map { (end, $0) } ?? (.zero, StableHash().value)
    }

    /// The node writes its hard state. No loss is forgotten.
    mutating func persists(_ hardState: HardState, node: NodeID) throws(Violation) {
        guard hardState.losses == self.losses else {
            throw Violation(
                .promisesSurvive, "\(node) has lost entries \(self.losses) times, and writes \(hardState.losses)")
        }
        self.isRepairing = hardState.isRepairing
    }

    /// The node comes back with this hard state and log.
    mutating func restarts(_ node: NodeID, hardState: HardState, log: LogHistory) throws(Violation) {
        self.truncations.removeAll()
        guard hardState.losses >= self.losses else {
            throw Violation(.promisesSurvive, "\(node) has lost entries \(self.losses) times, and forgets that")
        }
        self.losses = hardState.losses
        self.isRepairing = hardState.isRepairing
        guard hardState.currentTerm >= self.term else {
            throw Violation(
                .promisesSurvive,
                "\(node) spoke in term \(self.term.rawValue) and comes back in \(hardState.currentTerm.rawValue)")
        }
        if let vote, vote.term == hardState.currentTerm, hardState.votedFor != vote.candidate {
            throw Violation(
                .promisesSurvive,
                "\(node) voted for \(vote.candidate) in term \(vote.term.rawValue) and comes back with a vote for "
                    + "\(hardState.votedFor?.rawValue ?? "nobody")")
        }
        guard log.hash(through: self.acknowledged.index) == self.acknowledged.hash else {
            throw Violation(
                .promisesSurvive,
                "\(node) acknowledged its log through \(self.acknowledged.index.rawValue) and comes back without it "
                    + "(its log ends at \(log.lastIndex.rawValue))")
        }
    }

    private mutating func show(_ term: Term) {
        self.term = max(self.term, term)
    }

    private mutating func votes(for candidate: NodeID, term: Term, voter: NodeID) throws(Violation) {
        if let vote, vote.term == term, vote.candidate != candidate {
            throw Violation(
                .promisesSurvive,
                "\(voter) votes for \(vote.candidate) and for \(candidate) in term \(term.rawValue)")
        }
        if term >= self.vote?.term ?? .zero { self.vote = (term, candidate) }
    }

    /// - Parameter term: that of the leader who is answered. What a later leader has cut off since is no promise any more:
    ///   the answer is as good as one that was sent before and comes late.
    private mutating func acknowledges(
        _ index: LogIndex, in term: Term, node: NodeID, log: LogHistory
    ) throws(Violation) {
        var promised = index
        for truncation in self.truncations where truncation.term > term {
            promised = min(promised, truncation.from.previous())
        }
        guard let hash = log.hash(through: promised) else {
            throw Violation(
                .promisesSurvive,
                "\(node) acknowledges through \(index.rawValue) but its log ends at \(log.lastIndex.rawValue)")
        }
        if promised > self.acknowledged.index { self.acknowledged = (promised, hash) }
    }
}
