// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft

/// A cluster of production cores in a world of our own making: one thread, a virtual clock, and one seed from which all
/// chance comes. Same seed, same run.
///
/// The world is faulty at first, then everything heals and the cluster must work again. After every event the judge
/// looks at what happened.
package final class World {
    /// How long before the end everything heals, when the cluster must work again, and when the clients stop, so that
    /// all nodes can come to the same state.
    enum Healing {
        static let duration: UInt64 = 5_000_000_000
        static let probeAfter: UInt64 = 3_000_000_000
        static let clientsStopAfter: UInt64 = 3_500_000_000
    }

    let options: SimulationOptions
    let nodes: [SimulatedNode]
    let ids: [NodeID]
    let cluster: ClusterID

    var now: UInt64 = 0
    var queue = EventQueue<WorldEvent>()
    var plan: FaultPlan
    var isFaulty = true
    var isOver = false
    var network: Network
    var connections: Connections
    var clients: [Client]
    var areClientsActive = true
    /// The index of the proposal that must commit after the healing.
    var probeIndex: LogIndex?
    var isProbeWritten = false

    var counts = FaultCounts()
    var statistics = SimulationOutcome.Statistics()
    var participants: Participants
    /// Until then calls to so many of every two participants are refused.
    var participantsHiddenUntil: UInt64 = 0
    var unreachableParticipants = 0
    var judge: Judge
    var trace: Trace

    var faultRandom: SeededRandom
    var diskRandom: SeededRandom
    var clientRandom: SeededRandom
    var participantRandom: SeededRandom
    var nodeRandom: SeededRandom
    let clientPause: ClosedRange<UInt64>
    let isDense: Bool
    /// How many nodes the cluster begins with; the others may join later.
    let voterCount: Int
    let movesMembers: Bool
    var memberRandom: SeededRandom
    var lastStorage: UInt64
    /// Programs of two versions run, and are upgraded one by one.
    package let mixesVersions: Bool
    var versionRandom: SeededRandom

    package init(_ options: SimulationOptions) {
        self.options = options
        var random = SeededRandom(seed: options.seed)
        // Drawn even when the caller chooses, so that the rest of the world stays the same.
        let drawn = random.below(UInt64(1_000_000))
        let size = options.nodeCount ?? Self.size(drawn: drawn)
        self.voterCount = size
        // In half of the worlds nodes come and go, and the leadership is handed over.
        self.movesMembers = random.coin() && !options.without.contains(.membershipChange)
        let spares = self.movesMembers ? 1 + random.below(2) : 0
        self.ids = (1...(size + spares)).map { NodeID(rawValue: "n\($0)") }
        self.cluster = ClusterID(high: random.next(), low: random.next())
        self.plan = FaultPlan(random: &random).without(options.without)
        self.network = Network(size: size + spares, random: random.forked())
        self.connections = Connections(size: size + spares)
        self.judge = Judge(nodes: self.ids, founders: size)
        self.trace = Trace(limit: options.keepsWholeTrace ? nil : 60)
        let registerClients = 1 + random.below(3)
        let clientCount = registerClients + 1 + random.below(3)
        self.clients = (0..<clientCount).map {
            Client(
                number: $0, leaderHint: random.below(size),
                transactions: $0 < registerClients ? nil : TransactionWork())
        }
        self.participants = Participants(refusalsPerThousand: random.below(200))
        // In some worlds the clients hardly pause, so that something is under way at every moment.
        self.isDense = random.below(4) == 0
        let mean = self.isDense ? random.within(4_000_000...40_000_000) : random.within(60_000_000...400_000_000)
        self.clientPause = mean / 4...mean
        let timing = World.timing(isDense: self.isDense, random: &random)
        // In some worlds the log keeps nothing that the state holds, so that often no entry is left.
        let retained = random.below(8) == 0 ? 0 : Int(random.within(200...6_000)) * (self.isDense ? 10 : 1)
        let offsets = self.ids.map { _ in Int64(random.below(UInt64(400))) }
        // Up to a second in a hundred, either way.
        let isDrifting = self.plan.enabled.contains(.clockDrift)
        let drifts = self.ids.map { _ in Int64(random.below(UInt64(20_001))) - 10_000 }.map { isDrifting ? $0 : 0 }
        if isDrifting { self.counts[.clockDrift] += UInt64(drifts.count { $0 != 0 }) }
        // Drawn from chance of its own, so that a world is the same but for this.
        var versions = SeededRandom(seed: ~options.seed)
        self.mixesVersions = Self.canMixVersions && versions.below(6) == 0 && !options.without.contains(.mixedVersions)
        if self.mixesVersions { self.plan = self.plan.mixingVersions() }
        let known = self.mixesVersions ? self.ids.map { _ in Self.version(&versions) } : self.ids.map { _ in .newest }
        self.versionRandom = versions
        self.nodes = self.ids.indices.map { [ids] number in
            var configuration = RaftConfiguration(nodeID: ids[number], voters: Array(ids.prefix(size)))
            timing(&configuration)
            configuration.retainedLogBytes = retained
            configuration.promotionLag = 40
            #if PlantedBugs
                configuration.plantedBugs = options.plantedBugs
            #endif
            return SimulatedNode(
                configuration: configuration, number: number, clients: clientCount + 1, clockOffset: offsets[number],
                clockDrift: drifts[number], known: known[number])
        }
        self.faultRandom = random.forked()
        self.diskRandom = random.forked()
        self.clientRandom = random.forked()
        self.nodeRandom = random.forked()
        self.participantRandom = random.forked()
        self.memberRandom = random.forked()
        self.lastStorage = UInt64(size + spares)
    }

    private static func size(drawn number: UInt64) -> Int { number < 700_000 ? 3 : number < 930_000 ? 5 : 7 }

    /// Half of the worlds have the product's timing and bounds; the others have narrow bounds and slower clocks. Where the
    /// clients hardly pause, the bounds are wider: a node that was away must be able to catch up.
    private static func timing(isDense: Bool, random: inout SeededRandom) -> (inout RaftConfiguration) -> Void {
        guard random.coin() else { return { _ in } }
        let heartbeat = random.within(20_000_000...80_000_000)
        let shortest = heartbeat * random.within(3...5)
        let messageBytes = Int(random.within(20...400)) * (isDense ? 20 : 1)
        let inflight = Int(random.within(1...8)) + (isDense ? 3 : 0)
        let uncommitted = Int(random.within(100...2_000))
        return { configuration in
            configuration.heartbeatInterval = heartbeat
            configuration.electionTimeout = shortest...(shortest * 2)
            configuration.maximumMessageBytes = messageBytes
            configuration.maximumInflightMessages = inflight
            configuration.maximumUncommittedBytes = uncommitted
        }
    }

    /// Runs the world to its end or to the first broken invariant.
    package func run() -> SimulationOutcome {
        var violation: Violation?
        do {
            try self.begin()
            while !self.isOver, let (time, event) = self.queue.popFirst() {
                self.now = time
                self.statistics.events += 1
                try self.handle(event)
            }
        } catch {
            violation = error
        }
        self.statistics.committed = self.judge.committedIndex.rawValue
        var hash = StableHash(self.trace.hash)
        for node in self.nodes { hash.mix(node.state.hash.value) }
        return SimulationOutcome(
            seed: self.options.seed, nodeCount: self.nodes.count, violation: violation, hash: hash.value,
            faults: self.counts, statistics: self.statistics,
            trace: violation != nil || self.options.keepsWholeTrace ? self.trace.text : [])
    }

    private func begin() throws(Violation) {
        for node in self.nodes {
            if node.number < self.voterCount { try self.start(node) } else { node.condition = .out }
        }
        if self.movesMembers { self.scheduleMove() }
        if self.mixesVersions { self.scheduleVersions() }
        for client in self.clients { self.queue.add(.clientActs(client.number), at: self.pauseOfClient()) }
        for kind in FaultPlan.timed where self.plan.enabled.contains(kind) { self.scheduleFault(kind) }
        let end = max(self.options.seconds, SimulationOptions.shortestRun) * 1_000_000_000
        self.queue.add(.heal, at: end - Healing.duration)
        self.queue.add(.probe, at: end - Healing.duration + Healing.probeAfter)
        self.queue.add(.clientsStop, at: end - Healing.duration + Healing.clientsStopAfter)
        self.queue.add(.end, at: end)
    }

    private func handle(_ event: WorldEvent) throws(Violation) {
        switch event {
        case .deliver(let message, let sender, let storage, let receiver):
            try self.deliver(message, from: sender, storage, to: self.nodes[receiver])
        case .news(let news, let peer, let receiver, let epoch):
            try self.tell(news, of: peer, to: self.nodes[receiver], epoch: epoch)
        case .wake(let number, let life): try self.wake(self.nodes[number], life: life)
        case .turn(let number, let life):
            let node = self.nodes[number]
            guard node.life == life, node.isTurnDue else { return }
            node.isTurnDue = false
            if node.condition == .running { try self.turn(node) }
        case .synced(let number, let life): try self.synced(self.nodes[number], life: life)
        case .restart(let number, let life):
            let node = self.nodes[number]
            if node.condition == .down, node.life == life { try self.start(node) }
        case .crash(let number, let kind, let life):
            let node = self.nodes[number]
            if self.isFaulty, node.isProcessAlive, node.life == life { self.crash(node, kind) }
        case .resume(let number, let life): try self.resume(self.nodes[number], life: life)
        case .fault(let kind): try self.fault(kind)
        case .diskHasRoom(let number): try self.makeRoom(on: self.nodes[number])
        case .snapshot(let event): try self.handle(event)
        case .membersMove: try self.moveMembers()
        case .formatsMove: try self.moveVersions()
        case .clockIsRight(let number): self.nodes[number].clockJump = 0
        case .partitionEnds(let links): self.endPartition(links)
        case .clientActs(let number): self.clientActs(number)
        case .clientGivesUp(let number, let attempt): self.clientGivesUp(number, attempt: attempt)
        case .request(let request, let number): try self.receive(request, at: self.nodes[number])
        case .answer(let answer, let request, let number): try self.answered(answer, request, from: number)
        case .transaction(let event): try self.handle(event)
        case .heal: try self.heal()
        case .probe: try self.probe()
        case .clientsStop: self.areClientsActive = false
        case .end: try self.checkEnd()
        }
    }

    func record(_ event: @autoclosure () -> TraceEvent, _ node: SimulatedNode? = nil) {
        self.trace.record(event(), node: node?.number, time: self.now)
    }

    /// A node's number; every id in the world is one of its own.
    func number(of id: NodeID) -> Int {
        guard let number = self.ids.firstIndex(of: id) else { invariantFailure("no node is called \(id)") }
        return number
    }
}
