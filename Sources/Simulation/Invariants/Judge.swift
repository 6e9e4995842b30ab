// SPDX-License-Identifier: Apache-2.0

package import Raft
package import Transactions

/// Watches a cluster and says when an invariant breaks: after every event, at a cost that doesn't grow with the log.
///
/// It sees what a node's driver sees (batches, messages that leave, applied entries, roles) and what a node finds on its
/// disk when it comes back. It believes nothing that a node says about itself beyond that.
package struct Judge: Sendable {
    /// What a node shows after a turn.
    package struct View: Sendable {
        package let role: RoleSummary.Role
        package let term: Term
        package let commitIndex: LogIndex
        package let lastIndex: LogIndex

        package init(role: RoleSummary.Role, term: Term, commitIndex: LogIndex, lastIndex: LogIndex) {
            self.role = role
            self.term = term
            self.commitIndex = commitIndex
            self.lastIndex = lastIndex
        }
    }

    private struct Subject: Sendable {
        let id: NodeID
        var log = LogHistory()
        var promises = Promises()
        var lastSequence: UInt64 = 0
        var commitIndex: LogIndex = .zero
        var appliedIndex: LogIndex = .zero
        var term: Term = .zero
        var leads: Term?
    }

    private var subjects: [Subject]
    private var leaders = LeaderPerTerm()
    private var matching = LogMatching()
    private var committed = CommittedEntries()
    private var memberships: BaseMemberships
    private var states = StateHashes()
    private var reads = ReadFreshness()
    private var outcomes = Outcomes()

    /// - Parameters:
    ///   - nodes: all that may ever take part.
    ///   - founders: how many of them, from the first on, take part when it begins; nil: all.
    package init(nodes: [NodeID], founders: Int? = nil) {
        self.subjects = nodes.map { Subject(id: $0) }
        self.memberships = BaseMemberships(
            founders: Membership(
                voters: nodes.prefix(founders ?? nodes.count).map { Member(nodeID: $0, storageID: .unknown) }))
    }

    /// The highest index that was ever seen committed.
    package var committedIndex: LogIndex { self.committed.lastIndex }
    /// What a linearizable read that begins now must at least show.
    package var readFloor: LogIndex { self.reads.floor }

    // MARK: A turn of a node, in the order of its effects

    package mutating func persists(_ batch: Batch, node: Int) throws(Violation) {
        guard batch.sequence == self.subjects[node].lastSequence + 1 else {
            throw Violation(
                .driverContract,
                "\(self.subjects[node].id)'s batch \(batch.sequence) follows \(self.subjects[node].lastSequence)")
        }
        self.subjects[node].lastSequence = batch.sequence
        try self.subjects[node].promises.persists(batch.hardState, node: self.subjects[node].id)
        if let base = batch.base {
            if base.keepsEntries {
                let hash = self.subjects[node].log.hash(through: base.position.index)
                guard hash != nil, hash == self.committed.hash(through: base.position.index) else {
                    throw Violation(
                        .committedStays,
                        "\(self.subjects[node].id) lets go of entries through \(base.position.index.rawValue) that "
                            + "aren't the committed ones")
                }
            } else {
                let before = self.subjects[node].log
                let log = try self.committed.log(through: base.position, of: node)
                self.subjects[node].log = log
                // It takes the place of what conflicts with it as the leader's entries would.
                if let first = log.firstDifference(from: before) {
                    self.subjects[node].promises.truncates(from: first, term: batch.hardState.currentTerm, log: log)
                }
            }
            try self.memberships.names(base.membership, at: base.position.index, node: node)
        }
        if let start = batch.truncateFrom {
            try self.committed.truncates(
                node, term: batch.hardState.currentTerm, log: self.subjects[node].log, from: start)
            self.subjects[node].promises.truncates(
                from: start, term: batch.hardState.currentTerm, log: self.subjects[node].log)
            self.subjects[node].log.truncate(from: start)
        }
        for entry in batch.entries {
            let hash = try self.subjects[node].log.append(entry)
            try self.matching.stands(entry, hash: hash, on: node)
            self.memberships.stands(entry, hash: hash)
        }
    }

    package mutating func sends(_ message: Message, to receiver: NodeID, node: Int) throws(Violation) {
        if case .appendEntries(let request) = message { try self.leaders.leads(node, term: request.term) }
        if case .installSnapshot(let request) = message {
            let offer = request.offer
            try self.memberships.names(offer.membership, at: offer.position.index, node: node)
        }
        try self.subjects[node].promises.sends(
            message, to: receiver, from: self.subjects[node].id, log: self.subjects[node].log)
    }

    /// The node gives committed entries to its state machine.
    package mutating func applies(_ entries: [Entry], node: Int, term: Term) throws(Violation) {
        for entry in entries {
            guard self.subjects[node].log.hash(appending: entry) == self.subjects[node].log.hash(through: entry.index)
            else {
                throw Violation(
                    .committedStays,
                    "\(self.subjects[node].id) applies an entry at \(entry.index.rawValue) that isn't in its log")
            }
        }
        if let last = entries.last { try self.commits(through: last.index, node: node, term: term) }
    }

    /// The node's state machine has reached an index.
    package mutating func reaches(_ index: LogIndex, stateHash: UInt64, node: Int) throws(Violation) {
        try self.states.reached(index, hash: stateHash, after: self.subjects[node].appliedIndex, node: node)
        self.subjects[node].appliedIndex = index
    }

    /// The node's state is a snapshot's now; its log follows.
    package mutating func installs(_ index: LogIndex, stateHash: UInt64, node: Int) throws(Violation) {
        try self.states.installed(index, hash: stateHash, node: node)
        self.subjects[node].appliedIndex = index
    }

    /// The node's turn is over.
    package mutating func ends(_ view: View, node: Int) throws(Violation) {
        let subject = self.subjects[node]
        guard view.term >= subject.term else {
            throw Violation(
                .promisesSurvive,
                "\(subject.id) goes back from term \(subject.term.rawValue) to \(view.term.rawValue)")
        }
        guard view.lastIndex == subject.log.lastIndex else {
            throw Violation(
                .driverContract,
                "\(subject.id)'s log ends at \(view.lastIndex.rawValue), its batches at "
                    + "\(subject.log.lastIndex.rawValue)")
        }
        guard view.commitIndex >= subject.commitIndex else {
            throw Violation(
                .committedStays,
                "\(subject.id)'s commit index goes back from \(subject.commitIndex.rawValue) to "
                    + "\(view.commitIndex.rawValue)")
        }
        self.subjects[node].term = view.term
        if view.commitIndex > subject.commitIndex {
            try self.commits(through: view.commitIndex, node: node, term: view.term)
        }
        guard view.role == .leader else {
            if subject.leads != nil { self.subjects[node].leads = nil }
            return
        }
        if subject.leads != view.term {
            self.subjects[node].leads = view.term
            try self.leaders.leads(node, term: view.term)
            try self.committed.leads(node, term: view.term, log: self.subjects[node].log)
        }
    }

    // MARK: Lives of a node

    package mutating func stops(_ node: Int) {
        self.subjects[node].leads = nil
    }

    /// The node's disk is lost: whoever comes back is another one, to whom no promise holds.
    package mutating func loses(_ node: Int) {
        let id = self.subjects[node].id
        self.subjects[node] = Subject(id: id)
    }

    /// The node's log has lost entries to rot, as it says of itself: what it acknowledged holds only as far as the log
    /// reaches now; its votes hold.
    package mutating func losesEntries(_ node: Int, through end: LogIndex) {
        self.subjects[node].promises.losesEntries(behind: end, log: self.subjects[node].log)
    }

    /// The node comes back with what it found on its disk.
    package mutating func restarts(_ node: Int, recovered: RecoveredLog, appliedIndex: LogIndex) throws(Violation) {
        var log = try self.committed.log(through: recovered.base, of: node)
        for entry in recovered.entries {
            let hash = try log.append(entry)
            guard self.matching.isKnown(entry, hash: hash) else {
                throw Violation(
                    .logMatching,
                    "\(self.subjects[node].id) comes back with an entry \(entry.index.rawValue) that no log ever held")
            }
        }
        try self.subjects[node].promises.restarts(
            self.subjects[node].id, hardState: recovered.hardState, log: log)
        self.subjects[node].log = log
        self.subjects[node].lastSequence = 0
        self.subjects[node].commitIndex = appliedIndex
        self.subjects[node].appliedIndex = appliedIndex
        self.subjects[node].term = recovered.hardState.currentTerm
        self.subjects[node].leads = nil
    }

    // MARK: Clients

    package mutating func writeAcknowledged(at index: LogIndex) {
        self.reads.writeAcknowledged(at: index)
    }

    package mutating func readAnswered(at index: LogIndex, floorAtBegin: LogIndex, node: Int) throws(Violation) {
        try self.reads.readAnswered(at: index, floorAtBegin: floorAtBegin, node: node)
    }

    // MARK: Global transactions

    /// Every transaction that was ever acknowledged or of which an outcome was told.
    package var gids: [Gid] { self.outcomes.gids }
    package func isAcknowledged(_ gid: Gid) -> Bool { self.outcomes.isAcknowledged(gid) }

    package mutating func transactionAcknowledged(_ gid: Gid) {
        self.outcomes.acknowledged(gid)
    }

    package mutating func told(_ gid: Gid, _ decision: Decision, node: Int) throws(Violation) {
        try self.outcomes.told(gid, decision, node: node)
    }

    package mutating func called(_ gid: Gid, _ branchID: BranchID, _ operation: Operation) throws(Violation) {
        try self.outcomes.called(gid, branchID, operation)
    }

    package func unknown(_ gid: Gid, wasAcknowledged: Bool, node: Int) throws(Violation) {
        try self.outcomes.unknown(gid, wasAcknowledged: wasAcknowledged, node: node)
    }

    private mutating func commits(through index: LogIndex, node: Int, term: Term) throws(Violation) {
        let before = self.subjects[node].commitIndex
        guard index > before else { return }
        let known = self.committed.lastIndex
        try self.committed.commits(
            self.subjects[node].log, from: before.next(), through: index, node: node, term: term)
        self.subjects[node].commitIndex = index
        guard self.committed.lastIndex > known else { return }
        var next = known.next()
        while next <= self.committed.lastIndex {
            if let hash = self.committed.hash(through: next) { self.memberships.commits(next, hash: hash) }
            next = next.next()
        }
        // A leader of a later term, elected before this was seen, must have had it too.
        for other in self.subjects.indices where other != node {
            guard let leads = self.subjects[other].leads, leads > term else { continue }
            try self.committed.leads(other, term: leads, log: self.subjects[other].log)
        }
    }
}
