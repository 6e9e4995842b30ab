// SPDX-License-Identifier: Apache-2.0

/// Leadership transfer (Ongaro's thesis, section 3.10): the leader takes no more proposals, brings its successor's log to the
/// end of its own, and tells it to stand for election at once.
extension RaftCore {
    /// - Parameter target: nil for the voter whose log reaches furthest. Nothing happens if no voter can take over.
    mutating func beginTransfer(to target: NodeID?) {
        guard let target = target ?? self.successor,
            let position = self.peers.firstIndex(of: target), self.electorate.votingPositions.contains(position),
            self.mayBeTold(target)
        else { return }
        let deadline = self.now.advanced(byNanoseconds: self.configuration.electionTimeout.upperBound)
        self.withLeader { _, leader in
            guard leader.transfer == nil else { return }
            leader.transfer = LeaderState.Transfer(target: target, deadline: deadline)
        }
    }

    /// This node leads, and another voter that answers could take over.
    package var canHandOver: Bool { self.successor != nil }

    /// Whether the node would stand if it was told to: who lacks its state, or a part of its log, doesn't.
    package func mayBeTold(_ target: NodeID) -> Bool {
        guard case .leader(let leader) = self.role, let position = self.peers.firstIndex(of: target) else {
            return false
        }
        return !leader.progress[position].needsState && !leader.progress[position].isRepairing
    }

    /// The voter that would lose least time: heard of late, with the longest log of those.
    var successor: NodeID? {
        guard case .leader(let leader) = self.role else { return nil }
        let heard = self.electorate.votingPositions.filter {
            self.isHeard(leader.progress[$0]) && self.mayBeTold(self.peers[$0])
        }
        return heard.max { leader.progress[$0].matchIndex < leader.progress[$1].matchIndex }.map { self.peers[$0] }
    }

    /// Tells the successor as soon as it has everything; gives up when the time is over.
    mutating func advanceTransfer() {
        guard case .leader(var leader) = self.role, var transfer = leader.transfer else { return }
        guard self.now < transfer.deadline, let position = self.peers.firstIndex(of: transfer.target) else {
            leader.transfer = nil
            self.role = .leader(leader)
            return
        }
        guard !transfer.isTold, leader.progress[position].matchIndex == self.log.lastIndex else { return }
        transfer.isTold = true
        leader.transfer = transfer
        self.role = .leader(leader)
        self.send(.timeoutNow(TimeoutNow(term: self.currentTerm)), to: transfer.target)
    }

    /// A leader that steps down by itself lets the best placed voter stand at once, whether or not it has everything: if it
    /// lacks something committed, it isn't elected.
    mutating func tellSuccessor() {
        guard case .leader = self.role, let successor = self.successor else { return }
        self.send(.timeoutNow(TimeoutNow(term: self.currentTerm)), to: successor)
    }

    mutating func handle(_ request: TimeoutNow, from leader: NodeID) {
        guard request.term == self.currentTerm, case .follower(leaderID: leader) = self.role, self.mayStand else {
            return
        }
        self.startElection(isTransfer: true)
    }
}
