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

    /// A message leaves the node, whose log is `log` and whose latest batch carried `ownTerm`.
    mutating func sends(
        _ message: Message, to receiver: NodeID, from node: NodeID, ownTerm: Term, log: LogHistory
    ) throws(Violation) {
        switch message {
        case .preVote: break  // Asks about a term that is nobody's yet.
        case .preVoteReply(let reply): self.show(reply.term)
        case .requestVote(let request):
            self.show(request.term)
            try self.votes(for: node, term: request.term, voter: node)
        case .requestVoteReply(let reply):
            self.show(reply.term)
            if reply.isGranted { try self.votes(for: receiver, term: reply.term, voter: node) }
        case .appendEntries(let request): self.show(request.term)
        case .appendEntriesReply(let reply):
            self.show(reply.term)
            if case .success(let matchIndex) = reply.outcome {
                try self.acknowledges(matchIndex, isOutdated: reply.term < ownTerm, node: node, log: log)
            }
        }
    }

    /// The node cuts its log: what it acknowledged to an earlier leader from there on is no promise to the present one.
    mutating func truncates(from index: LogIndex, log: LogHistory) {
        guard index <= self.acknowledged.index, let hash = log.hash(through: index.previous()) else { return }
        self.acknowledged = (index.previous(), hash)
    }

    /// The node comes back with this hard state and log.
    func restarts(_ node: NodeID, hardState: HardState, log: LogHistory) throws(Violation) {
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

    /// - Parameter isOutdated: the acknowledgement is of an earlier term than the node's own. What one turn appended for
    ///   that term's leader, the same turn may have cut off again for the present one. To the others this is as if the
    ///   acknowledgement had been sent between two batches and come late, so that nothing of it need be on the disk.
    private mutating func acknowledges(
        _ index: LogIndex, isOutdated: Bool, node: NodeID, log: LogHistory
    ) throws(Violation) {
        guard let hash = log.hash(through: index) else {
            if isOutdated { return }
            throw Violation(
                .promisesSurvive,
                "\(node) acknowledges through \(index.rawValue) but its log ends at \(log.lastIndex.rawValue)")
        }
        if index > self.acknowledged.index { self.acknowledged = (index, hash) }
    }
}
