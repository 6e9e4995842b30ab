// SPDX-License-Identifier: Apache-2.0

import Raft

/// What goes wrong, and how everything heals.
extension World {
    func scheduleFault(_ kind: FaultKind) {
        self.queue.add(.fault(kind), at: self.now + self.plan.interval(to: kind, random: &self.faultRandom))
    }

    func fault(_ kind: FaultKind) throws(Violation) {
        guard self.isFaulty else { return }
        self.scheduleFault(kind)
        switch kind {
        case .clog: self.clog()
        case .symmetricPartition: self.partition(isOneWay: false)
        case .oneWayPartition: self.partition(isOneWay: true)
        case .partialPartition: self.cutSomePairs()
        case .connectionReset: self.resetConnections()
        case .crash: self.crashSome(.crash)
        case .powerLoss: self.losePower()
        case .pause: self.pauseSome()
        case .clockJump: self.jumpClock()
        case .diskFull: self.fillDisk()
        case .slowDisk: self.slowDisk()
        case .bitFlip: self.harmDisk()
        case .participantUnreachable: self.hideParticipants()
        case .loss, .duplicate, .reorder, .delay, .clockDrift, .inputOutputError, .diskLost, .membershipChange,
            .participantTimeout, .participantError, .lateAnswer, .participantDuplicate, .contradictoryAnswer,
            .mixedVersions:
            break  // Drawn for each message, sync or call, not by the clock.
        }
    }

    /// A node whose process lives: the leader as often as any other, since most trouble is there.
    private func victim() -> SimulatedNode? {
        let alive = self.nodes.filter(\.isProcessAlive)
        let leading = alive.filter { $0.core?.summary.role == .leader }
        let choice = !leading.isEmpty && self.faultRandom.coin() ? leading : alive
        return choice.isEmpty ? nil : choice[self.faultRandom.below(choice.count)]
    }

    // MARK: Processes

    private func crashSome(_ kind: FaultKind) {
        guard let node = self.victim() else { return }
        if self.plan.aimsAtDisk, self.faultRandom.coin() {
            node.crashesAtNextBatch = kind
        } else {
            self.crash(node, kind)
        }
    }

    private func losePower() {
        guard self.faultRandom.below(4) == 0 else { return self.crashSome(.powerLoss) }
        for node in self.nodes where node.isProcessAlive { self.crash(node, .powerLoss) }
    }

    func crash(_ node: SimulatedNode, _ kind: FaultKind) {
        // Damage, a lost disk and a removal end a process too, also in a world without crashes.
        if self.plan.enabled.contains(kind) { self.counts[kind] += 1 }
        let unsynced = node.disk.unsyncedCount
        // Without power the half-written tail is torn and dropped; else the operating system may still write any first
        // part of what the process handed over.
        let survivors = kind == .powerLoss ? 0 : self.faultRandom.below(unsynced + 1)
        self.record(.down(kind, survivors: survivors, of: unsynced), node)
        self.judge.stops(node.number)
        node.die(survivors: survivors, losesUnsyncedState: kind == .powerLoss && self.faultRandom.coin())
        self.disconnectAll(node)
        let downtime =
            self.plan.isStorm || self.faultRandom.coin()
            ? self.faultRandom.within(2_000_000...100_000_000)
            : self.faultRandom.within(100_000_000...3_000_000_000)
        self.queue.add(.restart(node.number, life: node.life), at: self.now + downtime)
    }

    private func pauseSome() {
        guard let node = self.victim(), node.condition == .running else { return }
        let duration = self.faultRandom.within(20_000_000...1_500_000_000)
        self.counts[.pause] += 1
        self.record(.paused(nanoseconds: duration), node)
        node.condition = .paused
        node.wakeAt = nil
        self.queue.add(.resume(node.number, life: node.life), at: self.now + duration)
    }

    /// A wall clock is wrong for a while, by a second or by a month, either way.
    private func jumpClock() {
        guard let node = self.victim() else { return }
        let distances: [Int64] = [1_000, 20_000, 3_600_000, 31 * 86_400_000]
        let distance = distances[self.faultRandom.below(distances.count)]
        let jump = self.faultRandom.coin() ? distance : -distance
        self.counts[.clockJump] += 1
        self.record(.clockJumps(milliseconds: jump), node)
        node.clockJump = jump
        self.queue.add(.clockIsRight(node.number), at: self.now + self.faultRandom.within(20_000_000...3_000_000_000))
    }

    // MARK: Disks

    private func slowDisk() {
        guard let node = self.victim() else { return }
        // Mostly a slow sync; sometimes a disk that hangs for longer than an election takes.
        let longest: UInt64 = self.faultRandom.below(4) == 0 ? 1_500_000_000 : 150_000_000
        let duration = self.faultRandom.within(5_000_000...longest)
        self.counts[.slowDisk] += 1
        self.record(.stalled(.slowDisk, nanoseconds: duration), node)
        node.diskStalledUntil = max(node.diskStalledUntil, self.now + duration)
    }

    /// Something else fills the disk, and later makes room again.
    private func fillDisk() {
        guard let node = self.victim(), !node.isDiskFull else { return }
        let duration = self.faultRandom.within(50_000_000...2_000_000_000)
        self.counts[.diskFull] += 1
        self.record(.stalled(.diskFull, nanoseconds: duration), node)
        node.isDiskFull = true
        node.reservedSyncs = self.faultRandom.below(8)
        self.queue.add(.diskHasRoom(node.number), at: self.now + duration)
    }

    /// There is room again. What waited is written by the next try of the log's store.
    func makeRoom(on node: SimulatedNode) throws(Violation) {
        node.isDiskFull = false
        guard node.isToldFull, node.isProcessAlive else { return }
        node.isToldFull = false
        self.record(.diskFull(false), node)
        try self.give(.diskFull(false), to: node)
    }

    /// Harms a row of a disk, and mostly lets the node die soon, since only a start reads the disk. Never harms a
    /// majority: the world would stand still until it heals.
    private func harmDisk() {
        guard self.toleratesHarm(of: 1), let node = self.victim(), !node.disk.isHarmed else { return }
        self.counts[.bitFlip] += 1
        let kinds = ModelledDisk.Damage.allCases
        if let damage = self.faultRandom.below(4) == 0 ? nil : kinds[self.faultRandom.below(kinds.count)] {
            guard node.disk.harm(damage, random: &self.faultRandom) else { return }
            self.record(.harmed(damage), node)
        } else {
            node.isStateHarmed = true
            self.record(.stateLost, node)
        }
        if self.faultRandom.below(4) > 0 {
            let delay = self.faultRandom.within(1_000_000...500_000_000)
            self.queue.add(.crash(node.number, .crash, life: node.life), at: self.now + delay)
        }
    }

    // MARK: Links

    private func clog() {
        let duration = self.faultRandom.within(10_000_000...800_000_000)
        let from = self.faultRandom.below(self.nodes.count)
        let everyLink = self.faultRandom.coin()
        let only = self.faultRandom.below(self.nodes.count)
        for to in self.nodes.indices where to != from && (everyLink || to == only) {
            self.counts[.clog] += 1
            self.record(.clogged(from: from, to: to, nanoseconds: duration))
            self.network[from, to].cloggedUntil = max(self.network[from, to].cloggedUntil, self.now + duration)
        }
    }

    /// Cuts the links between two sides, both ways or one way; the connections break, or just fall silent.
    func partition(isOneWay: Bool) {
        var isOnOneSide = self.nodes.map { _ in self.faultRandom.coin() }
        // Both sides have someone. Often it is the leader that is left alone, and goes on without knowing it.
        let leader = self.nodes.firstIndex { $0.core?.summary.role == .leader }
        let lonely = leader ?? self.faultRandom.below(self.nodes.count)
        if self.faultRandom.below(3) == 0 { isOnOneSide = self.nodes.indices.map { $0 == lonely } }
        if !isOnOneSide.contains(true) || !isOnOneSide.contains(false) { isOnOneSide[lonely].toggle() }
        self.counts[isOneWay ? .oneWayPartition : .symmetricPartition] += 1
        let isNoticed = self.faultRandom.coin()
        var links: [(from: Int, to: Int)] = []
        for from in self.nodes.indices {
            for to in self.nodes.indices where isOnOneSide[from] != isOnOneSide[to] {
                guard isOnOneSide[from] || !isOneWay else { continue }
                links.append((from, to))
            }
        }
        self.cut(links, isNoticed: isNoticed)
    }

    /// Cuts single pairs, which others still reach both of: nobody is alone, and not everybody hears the same.
    private func cutSomePairs() {
        let count = 1 + self.faultRandom.below(max(1, self.nodes.count / 2))
        self.counts[.partialPartition] += 1
        let isNoticed = self.faultRandom.coin()
        var links: [(from: Int, to: Int)] = []
        for _ in 0..<count {
            guard let (first, second) = self.somePair() else { continue }
            links += [(first, second), (second, first)]
        }
        self.cut(links, isNoticed: isNoticed)
    }

    private func cut(_ links: [(from: Int, to: Int)], isNoticed: Bool) {
        for link in links {
            self.network[link.from, link.to].cuts += 1
            self.record(.cut(from: link.from, to: link.to))
            if isNoticed { self.breakConnection(self.nodes[link.from], self.nodes[link.to]) }
        }
        self.queue.add(.partitionEnds(links), at: self.now + self.faultRandom.within(30_000_000...3_000_000_000))
    }

    private func somePair() -> (Int, Int)? {
        guard self.nodes.count > 1 else { return nil }
        let first = self.faultRandom.below(self.nodes.count)
        let second = (first + 1 + self.faultRandom.below(self.nodes.count - 1)) % self.nodes.count
        return (first, second)
    }

    /// Connections end although both processes and the links live; what was under way may still arrive.
    private func resetConnections() {
        for _ in 0...self.faultRandom.below(3) {
            guard let (first, second) = self.somePair(), self.connections.isUp(first, second) else { continue }
            self.counts[.connectionReset] += 1
            self.breakConnection(self.nodes[first], self.nodes[second])
        }
        // The ends of no partition: everybody connects again.
        self.queue.add(.partitionEnds([]), at: self.now + self.faultRandom.within(1_000_000...400_000_000))
    }

    /// All calls to some participants, or to all of them, are refused for a while.
    private func hideParticipants() {
        self.unreachableParticipants = self.faultRandom.coin() ? 2 : 1
        self.participantsHiddenUntil = self.now + self.faultRandom.within(50_000_000...5_000_000_000)
    }

    func endPartition(_ links: [(from: Int, to: Int)]) {
        guard self.isFaulty else { return }
        for link in links {
            self.network[link.from, link.to].cuts -= 1
            self.record(.healedLink(from: link.from, to: link.to))
        }
        for node in self.nodes { self.connectAll(node) }
    }

    // MARK: Healing

    /// Ends every fault: links are whole, disks take what they are given, rotten ones are repaired, every process runs.
    func heal() throws(Violation) {
        self.isFaulty = false
        self.plan = .calm
        self.record(.healed)
        self.network.heal()
        self.participantsHiddenUntil = self.now
        for node in self.nodes {
            node.crashesAtNextBatch = nil
            node.clockJump = 0
            node.diskStalledUntil = self.now
            try self.makeRoom(on: node)
            node.disk.repair()
            switch node.condition {
            case .running: break
            case .paused: try self.resume(node, life: node.life)
            case .down, .rotten: try self.start(node)
            case .out: break
            }
        }
        for node in self.nodes { self.connectAll(node) }
    }

    /// The cluster has had its time: there must be one leader that all follow. It gets a proposal of its own.
    func probe() throws(Violation) {
        guard let leader = self.leader,
            self.members.allSatisfy({
                $0.core?.summary.leaderID == leader.id && $0.core?.currentTerm == leader.core?.currentTerm
            })
        else { throw Violation(.liveness, "no leader that all nodes follow: \(self.overview)") }
        let write = RegisterWrite(client: UInt32(self.clients.count), sequence: 1, value: self.clientRandom.next())
        try self.receive(
            Request(client: self.clients.count, attempt: 1, operation: .write(write)), at: leader)
    }

    /// The clients have stopped a while ago: the probe is committed, and all nodes are in the same state.
    func checkEnd() throws(Violation) {
        self.isOver = true
        guard self.isProbeWritten, let probeIndex = self.probeIndex else {
            throw Violation(.liveness, "the proposal after the healing was not committed: \(self.overview)")
        }
        let members = self.members
        guard let first = members.first?.state else { throw Violation(.liveness, "no leader: \(self.overview)") }
        for node in members {
            guard node.state.register == first.register, node.state.hash == first.hash,
                node.state.appliedIndex >= probeIndex,
                node.core?.lastIndex == first.appliedIndex, node.core?.isRepairing == false
            else { throw Violation(.liveness, "the nodes did not come to the same state: \(self.overview)") }
        }
        try self.checkTransactions()
    }

    private var overview: String {
        self.nodes.map { node -> String in
            guard let core = node.core else { return "\(node.id) \(node.condition)" }
            return "\(node.id) \(Describe.role(core.summary)) last=\(core.lastIndex.rawValue) "
                + "commit=\(core.commitIndex.rawValue) applied=\(node.state.appliedIndex.rawValue)"
        }.joined(separator: "; ")
    }
}
