// SPDX-License-Identifier: Apache-2.0

import Raft

/// A few cores with disks, a network that loses, repeats and reorders, and a coin for what happens next. It judges safety
/// after each step (Raft paper, figure 3), and progress when all is well again.
struct ClusterWorld {
    /// One node: what it has in memory, on its disk, and in its applied state.
    struct Node {
        var core: RaftCore
        var isRunning = true
        var unsaved: [Batch] = []
        var hardState = HardState.initial
        var base = LogPosition.zero
        var membership: Membership?
        var log: [Entry] = []
        var applied: LogIndex = .zero
        var stateOnDisk: LogIndex = .zero
        /// The snapshot whose installation the log may not know yet.
        var marker: SnapshotOffer?
        var fetching: SnapshotOffer?
        var installing: SnapshotOffer?
        var isTakingSnapshot = false

        func term(at index: LogIndex) -> Term? {
            if index == self.base.index { return self.base.term }
            guard index > self.base.index, index.rawValue - self.base.index.rawValue <= UInt64(self.log.count) else {
                return nil
            }
            return self.log[Int(index.rawValue - self.base.index.rawValue) - 1].term
        }

        var lastIndex: LogIndex { self.log.last?.index ?? self.base.index }
    }

    static let ids: [NodeID] = ["n1", "n2", "n3", "n4", "n5"]
    static let founders = Membership.three

    private(set) var nodes: [NodeID: Node] = [:]
    private(set) var random: SplitMix64
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var network: [(message: Message, from: NodeID, to: NodeID)] = []
    private var blocked: Set<[NodeID]> = []
    private var leaders: [Term: NodeID] = [:]
    private(set) var committed: [Entry] = []
    private var readFloors: [ReadID: LogIndex] = [:]
    private var lastID: UInt64 = 0
    /// What went wrong, in order.
    private(set) var problems: [String] = []
    /// How often the interesting things happened.
    private(set) var counts: [String: Int] = [:]

    init(seed: UInt64) {
        self.random = SplitMix64(seed: seed)
        for id in Self.ids { self.nodes[id] = Node(core: self.core(of: id, nil)) }
    }

    private mutating func core(of id: NodeID, _ node: Node?) -> RaftCore {
        var configuration = RaftConfiguration(nodeID: id, voters: Self.founders.voters.map(\.nodeID))
        configuration.retainedLogBytes = 300
        configuration.promotionLag = 5
        configuration.maximumInflightMessages = 3
        configuration.maximumMessageBytes = 40
        configuration.maximumUncommittedBytes = 400
        return RaftCore(
            configuration: configuration,
            recovered: RecoveredLog(
                hardState: node?.hardState ?? .initial, base: node?.base ?? .zero, entries: node?.log ?? [],
                membership: node?.membership ?? Self.founders),
            appliedIndex: node?.stateOnDisk ?? .zero, seed: self.random.next(), now: self.now)
    }

    private mutating func chance(_ one: Int, in all: Int) -> Bool { Int.random(in: 0..<all, using: &self.random) < one }
    private mutating func anyNode() -> NodeID { Self.ids.randomElement(using: &self.random) ?? "n1" }

    private mutating func count(_ name: String) { self.counts[name, default: 0] += 1 }

    private mutating func check(_ holds: Bool, _ sentence: @autoclosure () -> String) {
        if !holds { self.problems.append(sentence()) }
    }

    // MARK: Steps

    /// One thing happens, by chance.
    mutating func chaos() {
        let id = self.anyNode()
        let leader = self.chance(4, in: 5) ? self.leader ?? id : id
        switch Int.random(in: 0..<100, using: &self.random) {
        case 0..<50: self.deliverOne()
        case 50..<60: self.tick(milliseconds: UInt64.random(in: 1...15, using: &self.random))
        case 60..<75: self.save(id, all: false)
        case 75..<80: self.syncState(id)
        case 80..<85: self.propose(on: leader)
        case 85..<87: self.read(on: leader)
        case 87..<91: self.finishSnapshotWork(id)
        case 91: self.changeMembership(on: leader)
        case 92:
            if self.chance(1, in: 4) {
                self.run(leader, [.transferLeadership(to: self.chance(1, in: 2) ? nil : self.anyNode())])
            }
        case 93: if self.chance(1, in: 4) { self.crash(id) }
        case 94: self.restart(id)
        case 95:
            if self.chance(1, in: 3) {
                self.blocked = self.chance(1, in: 2) ? [] : [[id, self.anyNode()], [self.anyNode(), id]]
                if self.chance(1, in: 3) {
                    for other in Self.ids { self.blocked.formUnion([[id, other], [other, id]]) }
                }
            }
        case 96: self.run(id, [.peerConnected(self.anyNode())])
        case 97: self.run(id, [.peerDisconnected(self.anyNode(), isRefused: false)])
        case 98: if self.chance(1, in: 3) { self.run(id, [.diskFull(self.chance(1, in: 3))]) }
        case _: self.network.removeAll { _ in self.random.next() % 4 == 0 }
        }
    }

    /// All is well for a while: everyone runs, everything arrives, disks are quick.
    /// - Returns: whether the members agree on all there is, and a change under way has come to its end.
    mutating func heal(milliseconds: UInt64) -> Bool {
        self.blocked = []
        for id in Self.ids {
            self.restart(id)
            self.run(id, [.diskFull(false)])
        }
        for _ in 0..<(milliseconds / 5) {
            self.tick(milliseconds: 5)
            for _ in 0..<4 {
                let wave = self.network
                self.network = []
                for entry in wave { self.run(entry.to, [.received(entry.message, from: entry.from)]) }
                for id in Self.ids {
                    self.save(id, all: true)
                    self.finishSnapshotWork(id)
                    self.syncState(id)
                }
            }
            if self.chance(1, in: 20) { self.propose(on: self.leader ?? "n1") }
        }
        return self.isSettled
    }

    var leader: NodeID? {
        self.nodes.filter { $0.value.isRunning && $0.value.core.summary.role == .leader }
            .max { $0.value.core.currentTerm < $1.value.core.currentTerm }?.key
    }

    var isSettled: Bool {
        guard let leader = self.leader, let core = self.nodes[leader]?.core, core.isMembershipSettled,
            core.commitIndex.rawValue + 3 >= core.lastIndex.rawValue
        else { return false }
        return core.membership.members.allSatisfy { member in
            guard let other = self.nodes[member.nodeID]?.core else { return false }
            return other.commitIndex.rawValue + 3 >= core.commitIndex.rawValue && other.membership == core.membership
        }
    }

    private mutating func deliverOne() {
        guard !self.network.isEmpty else { return }
        let position = Int.random(in: 0..<self.network.count, using: &self.random)
        let entry = self.network[position]
        if !self.chance(1, in: 20) {
            self.network.swapAt(position, self.network.count - 1)
            self.network.removeLast()
        }
        guard !self.blocked.contains([entry.from, entry.to]), !self.chance(1, in: 25) else { return }
        self.run(entry.to, [.received(entry.message, from: entry.from)])
    }

    private mutating func tick(milliseconds: UInt64) {
        self.now = self.now.advanced(byNanoseconds: milliseconds * Fixture.millisecond)
        for id in Self.ids {
            if let core = self.nodes[id]?.core, core.nextDeadline <= self.now { self.run(id, []) }
        }
    }

    private mutating func propose(on id: NodeID) {
        self.lastID += 1
        let payload = Array("\(self.lastID)".utf8)
        self.run(id, [.propose(ProposalID(rawValue: self.lastID), payloads: [payload])])
    }

    private mutating func read(on id: NodeID) {
        self.lastID += 1
        let read = ReadID(rawValue: self.lastID)
        self.readFloors[read] = LogIndex(rawValue: UInt64(self.committed.count))
        self.run(id, [.read(read)])
    }

    private mutating func changeMembership(on id: NodeID) {
        let membership = self.nodes[id]?.core.membership ?? Self.founders
        let others = Self.ids.filter { membership.member($0) == nil }
        let change: MembershipChange
        switch Int.random(in: 0..<8, using: &self.random) {
        case 0..<4: change = .addLearners(others.prefix(1 + Int(self.random.next() % 2)).map(Member.test))
        case 4: change = .goBack
        case _:
            let promote = membership.learners.map(\.nodeID).filter { _ in self.random.next() % 3 > 0 }
            let remove = membership.members.map(\.nodeID).filter { _ in self.random.next() % 5 == 0 }
            change = .change(promote: promote, remove: remove.filter { !promote.contains($0) })
        }
        self.lastID += 1
        self.run(id, [.changeMembership(ProposalID(rawValue: self.lastID), change)])
    }

    // MARK: The disk

    private mutating func save(_ id: NodeID, all: Bool) {
        guard let node = self.nodes[id], node.isRunning, !node.unsaved.isEmpty else { return }
        let count = all ? node.unsaved.count : Int.random(in: 1...node.unsaved.count, using: &self.random)
        for batch in node.unsaved.prefix(count) { self.write(batch, on: id) }
        self.nodes[id]?.unsaved.removeFirst(count)
        self.run(id, [.persisted(through: node.unsaved[count - 1].sequence)])
    }

    private mutating func write(_ batch: Batch, on id: NodeID) {
        guard var node = self.nodes[id] else { return }
        if let base = batch.base {
            Self.begin(base, &node)
            self.check(
                base.membership == self.membership(at: base.position.index),
                "\(id): the membership at its base \(base.position.index) is not what counted there")
        }
        if let from = batch.truncateFrom {
            self.check(from > node.base.index && from <= node.lastIndex.next(), "\(id): cuts at \(from)")
            node.log.removeAll { $0.index >= from }
        }
        for entry in batch.entries {
            self.check(entry.index == node.lastIndex.next(), "\(id): writes \(entry.index) behind \(node.lastIndex)")
            node.log.append(entry)
        }
        self.check(batch.hardState.currentTerm >= node.hardState.currentTerm, "\(id): its term goes back")
        self.check(
            batch.hardState.currentTerm > node.hardState.currentTerm || node.hardState.votedFor == nil
                || node.hardState.votedFor == batch.hardState.votedFor, "\(id): it changes its vote")
        node.hardState = batch.hardState
        self.nodes[id] = node
    }

    private static func begin(_ base: LogBase, _ node: inout Node) {
        if base.keepsEntries {
            node.log.removeAll { $0.index <= base.position.index }
        } else {
            node.log = []
        }
        node.base = base.position
        node.membership = base.membership
        if node.marker?.position == base.position { node.marker = nil }
    }

    private mutating func syncState(_ id: NodeID) {
        guard let node = self.nodes[id], node.isRunning, node.installing == nil else { return }
        let index = min(node.applied, node.core.durableIndex)
        guard index > node.stateOnDisk else { return }
        self.nodes[id]?.stateOnDisk = index
        self.run(id, [.compact(through: index)])
    }

    private mutating func finishSnapshotWork(_ id: NodeID) {
        guard let node = self.nodes[id], node.isRunning else { return }
        if let offer = node.installing {
            self.nodes[id]?.installing = nil
            self.nodes[id]?.applied = offer.position.index
            self.nodes[id]?.stateOnDisk = offer.position.index
            self.nodes[id]?.marker = offer
            self.count("installed")
            self.run(id, [.snapshotInstalled(offer)])
        } else if let offer = node.fetching {
            self.nodes[id]?.fetching = nil
            self.run(id, [.snapshotReceived(offer)])
        } else if node.isTakingSnapshot {
            self.nodes[id]?.isTakingSnapshot = false
            if self.chance(1, in: 10) { return self.run(id, [.snapshotFailed]) }
            guard let entry = self.committedEntry(at: node.applied) else { return self.run(id, [.snapshotFailed]) }
            let position = LogPosition(index: entry.index, term: entry.term)
            self.run(id, [.snapshotTaken(SnapshotDescription(position: position, length: 1, checksum: 1))])
        }
    }

    private mutating func crash(_ id: NodeID) {
        guard self.nodes[id]?.isRunning == true else { return }
        self.count("crashed")
        // Some of what was under way may have reached the disk.
        if let node = self.nodes[id], !node.unsaved.isEmpty {
            for batch in node.unsaved.prefix(Int.random(in: 0...node.unsaved.count, using: &self.random)) {
                self.write(batch, on: id)
            }
        }
        self.nodes[id]?.isRunning = false
        for other in Self.ids where other != id && self.chance(1, in: 2) {
            self.run(other, [.peerDisconnected(id, isRefused: true)])
        }
    }

    private mutating func restart(_ id: NodeID) {
        guard var node = self.nodes[id], !node.isRunning else { return }
        if let offer = node.marker {
            let keeps = node.term(at: offer.position.index) == offer.position.term
            Self.begin(LogBase(position: offer.position, membership: offer.membership, keepsEntries: keeps), &node)
        }
        (node.unsaved, node.fetching, node.installing) = ([], nil, nil)
        (node.isTakingSnapshot, node.isRunning) = (false, true)
        node.applied = node.stateOnDisk
        node.core = self.core(of: id, node)
        self.nodes[id] = node
    }

    // MARK: Judgement

    private func committedEntry(at index: LogIndex) -> Entry? {
        guard index > .zero, index.rawValue <= UInt64(self.committed.count) else { return nil }
        return self.committed[Int(index.rawValue) - 1]
    }

    /// What counted at an index, by all that is committed.
    private func membership(at index: LogIndex) -> Membership {
        let entry = self.committed.prefix(Int(index.rawValue)).last { $0.kind == .membership }
        return entry.flatMap { try? MembershipCodec.decode($0.payload) } ?? Self.founders
    }

    private mutating func run(_ id: NodeID, _ inputs: [RaftInput]) {
        guard var node = self.nodes[id], node.isRunning else { return }
        let wasLeader = node.core.summary.role == .leader
        let effects = node.core.step(inputs, now: self.now)
        for case .persist(let batch) in effects { node.unsaved.append(batch) }
        self.nodes[id] = node
        self.noteCommitted(node.core, on: id)
        if node.core.summary.role == .leader, !wasLeader { self.judgeLeader(node.core, id) }
        for effect in effects { self.carryOut(effect, on: id) }
    }

    /// State machine safety and log matching: what is committed is the same everywhere.
    private mutating func noteCommitted(_ core: RaftCore, on id: NodeID) {
        let overlap: UInt64 = 20
        let known = min(core.commitIndex.rawValue, UInt64(self.committed.count))
        var index = LogIndex(rawValue: max(core.base.index.rawValue, known - min(known, overlap)))
        while index < core.commitIndex {
            index = index.next()
            guard let entry = core.entry(at: index) else {
                self.check(false, "\(id): \(index) is committed and not in its log")
                return
            }
            if let known = self.committedEntry(at: index) {
                self.check(known == entry, "\(id): another entry is committed at \(index)")
            } else {
                self.check(index.rawValue == UInt64(self.committed.count) + 1, "\(id): commits \(index) behind a gap")
                if index.rawValue == UInt64(self.committed.count) + 1 { self.committed.append(entry) }
            }
        }
        if core.base.index > .zero {
            self.check(
                self.committedEntry(at: core.base.index)?.term == core.base.term, "\(id): its base isn't committed")
        }
    }

    /// Election safety and leader completeness.
    private mutating func judgeLeader(_ core: RaftCore, _ id: NodeID) {
        self.count("elected")
        self.check(self.leaders[core.currentTerm] ?? id == id, "two leaders of term \(core.currentTerm)")
        self.leaders[core.currentTerm] = id
        for entry in self.committed where entry.index > core.base.index {
            self.check(core.entry(at: entry.index) == entry, "\(id): leads without the committed \(entry.index)")
        }
        if core.membership.isJoint { self.count("elected in a joint phase") }
    }

    private mutating func carryOut(_ effect: RaftEffect, on id: NodeID) {
        guard let node = self.nodes[id] else { return }
        switch effect {
        case .send(let message, let peer):
            self.judge(message, to: peer, by: node, id)
            if case .installSnapshot(let request) = message {
                self.count("offered")
                self.check(
                    request.offer.membership == self.membership(at: request.offer.position.index),
                    "\(id): its offer's membership isn't that of its index")
            }
            if case .timeoutNow = message { self.count("told to stand") }
            if self.network.count < 400 { self.network.append((message, id, peer)) }
        case .apply(let entries):
            for entry in entries {
                self.check(entry.index == self.nodes[id]?.applied.next(), "\(id): applies \(entry.index) out of turn")
                self.check(self.committedEntry(at: entry.index) == entry, "\(id): applies what isn't committed")
                self.nodes[id]?.applied = entry.index
            }
            self.check(node.installing == nil, "\(id): applies while it installs")
        case .readReady(let read, let index):
            self.count("read")
            self.check(index >= self.readFloors[read] ?? .zero, "\(id): a stale read at \(index)")
        case .takeSnapshot:
            self.check(!node.isTakingSnapshot || node.core.summary.role == .leader, "\(id): no leader")
            self.nodes[id]?.isTakingSnapshot = true
        case .fetchSnapshot(let offer, _): self.nodes[id]?.fetching = offer
        case .installSnapshot(let offer): self.nodes[id]?.installing = offer
        case .membershipChanged(let membership): self.count(membership.isJoint ? "joint" : "membership")
        case .membershipRefused(_, let problem):
            self.count("refused: \(problem)".split(separator: "(").first.map(String.init) ?? "")
        case .persist, .proposalAppended, .proposalRefused, .readRefused, .roleChanged, .leaderEstablished,
            .logRepaired:
            return
        }
    }

    /// Nothing is promised that isn't on disk.
    private mutating func judge(_ message: Message, to peer: NodeID, by node: Node, _ id: NodeID) {
        switch message {
        case .requestVote(let request):
            self.check(
                node.hardState == HardState(currentTerm: request.term, votedFor: id)
                    || node.hardState.currentTerm > request.term, "\(id): asks before its own vote is on disk")
        case .requestVoteReply(let reply):
            self.check(node.hardState.currentTerm >= reply.term, "\(id): its vote's term isn't on disk")
            self.check(
                !reply.isGranted || node.hardState.currentTerm > reply.term || node.hardState.votedFor == peer,
                "\(id): votes before that is on disk")
        case .appendEntriesReply(let reply):
            self.check(node.hardState.currentTerm >= reply.term, "\(id): its answer's term isn't on disk")
            guard case .success(let matchIndex) = reply.outcome else { return }
            let reach = max(node.lastIndex, node.marker?.position.index ?? .zero)
            self.check(matchIndex <= reach, "\(id): acknowledges \(matchIndex), has \(reach) on disk")
        case .preVote, .preVoteReply, .appendEntries, .installSnapshot, .timeoutNow: return
        }
    }
}

extension ClusterWorld: CustomStringConvertible {
    var description: String {
        Self.ids.compactMap { id in
            guard let core = self.nodes[id]?.core else { return nil }
            return
                "\(id): \(core.summary), base \(core.base.index), commit \(core.commitIndex), last \(core.lastIndex), "
                + "voters \(core.membership.voters.map(\.nodeID)), outgoing \(core.membership.outgoing.map(\.nodeID)), "
                + "learners \(core.membership.learners.map(\.nodeID)), matching \(core.matchIndexes)"
        }.joined(separator: "\n")
    }
}
