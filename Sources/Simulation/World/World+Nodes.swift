// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// The driver of a node: inputs in, effects out, as the product's own driver does it.
extension World {
    /// Starts a node's process on what its disk holds.
    func start(_ node: SimulatedNode) throws(Violation) {
        var recovered: RecoveredLog
        do {
            recovered = try Recovery.recover(node.disk.stored)
        } catch {
            guard node.disk.isHarmed else {
                throw Violation(.rotIsSeen, "\(node.id)'s disk is good, but taken for rotten: \(Describe.rot(error))")
            }
            self.record(.foundRot(error), node)
            guard let salvaged = self.salvage(node) else {
                node.condition = .rotten
                return
            }
            recovered = salvaged
        }
        guard !node.disk.isHarmed else {
            throw Violation(.rotIsSeen, "\(node.id) starts from a harmed disk")
        }
        if node.isStateHarmed {
            // It is set aside. The log makes it anew, if it reaches back to the beginning; else a leader's snapshot does.
            node.isStateHarmed = false
            node.marker = nil
            node.stored = StoredState(clients: self.clients.count + 1)
            node.state = node.stored.restored()
        }
        if recovered.hardState.isRepairing, node.stored.applied.index > recovered.lastIndex,
            node.marker?.position != node.stored.applied
        {
            // The log has lost what the state was made of: it is set aside too.
            node.marker = nil
            node.stored = StoredState(clients: self.clients.count + 1)
            node.state = node.stored.restored()
        }
        let lacksState = node.stored.applied.index < recovered.base.index
        if !lacksState, !recovered.holds(node.stored.applied) {
            guard let marker = node.marker, marker.position == node.stored.applied else {
                throw Violation(.rotIsSeen, "\(node.id)'s state isn't in its log, and no install was under way")
            }
            self.record(.finishesInstall(marker.position), node)
            recovered = recovered.finishing(marker)
            node.disk.finishInstall(marker)
        }
        // A start syncs the state that it finds.
        node.syncedState = node.stored
        let applied = lacksState ? recovered.base.index : node.stored.appliedIndex
        try self.judge.restarts(node.number, recovered: recovered, appliedIndex: applied)
        var configuration = node.configuration
        configuration.storageID = node.storage
        configuration.isFounder = node.isFounder(of: self.voterCount)
        node.core = RaftCore(
            configuration: configuration, recovered: recovered, appliedIndex: lacksState ? nil : applied,
            seed: self.nodeRandom.next(), now: Instant(nanoseconds: self.now))
        node.condition = .running
        self.record(
            .started(
                term: recovered.hardState.currentTerm, votedFor: recovered.hardState.votedFor,
                last: recovered.lastIndex, applied: applied), node)
        self.connectAll(node)
        self.arm(node)
    }

    /// What stands before the rot, if the others can make good the rest.
    private func salvage(_ node: SimulatedNode) -> RecoveredLog? {
        let founders = Membership(
            voters: node.configuration.voters.map { Member(nodeID: $0, storageID: .unknown) })
        guard let salvaged = try? Recovery.salvage(node.disk.stored, founders: founders) else { return nil }
        node.disk.salvage(salvaged.log, rows: salvaged.rows)
        self.judge.losesEntries(node.number, through: salvaged.log.lastIndex)
        return salvaged.log
    }

    /// Gives a node something to think about: at once, or in a turn soon that takes all that gathers until then.
    func give(_ input: RaftInput, to node: SimulatedNode) throws(Violation) {
        node.inbox.append(input)
        guard node.condition == .running, !node.isTurnDue else { return }
        guard self.nodeRandom.below(8) == 0 else { return try self.turn(node) }
        node.isTurnDue = true
        self.queue.add(
            .turn(node.number, life: node.life), at: self.now + self.nodeRandom.within(10_000...2_000_000))
    }

    func turn(_ node: SimulatedNode) throws(Violation) {
        let inputs = node.inbox
        node.inbox = []
        let effects = node.core?.step(inputs, now: Instant(nanoseconds: self.now)) ?? []
        var wroteBatch = false
        for (position, effect) in effects.enumerated() {
            if case .persist = effect {
                guard position == 0 else {
                    throw Violation(.driverContract, "\(node.id) gives a batch as effect \(position + 1) of its turn")
                }
                wroteBatch = true
            }
            try self.carryOut(effect, of: node)
            if node.core == nil { return }
        }
        guard let core = node.core else { return }
        try self.judge.ends(
            Judge.View(
                role: core.summary.role, term: core.currentTerm, commitIndex: core.commitIndex,
                lastIndex: core.lastIndex), node: node.number)
        self.arm(node)
        if wroteBatch, let kind = node.crashesAtNextBatch { self.crash(node, kind) }
    }

    private func carryOut(_ effect: RaftEffect, of node: SimulatedNode) throws(Violation) {
        switch effect {
        case .persist(let batch):
            self.record(.persisting(batch), node)
            try self.judge.persists(batch, node: node.number)
            node.disk.write(batch)
            self.syncIfIdle(node)
        case .send(let message, let peer):
            try self.judge.sends(message, to: peer, node: node.number)
            try self.transmit(message, from: node, to: self.number(of: peer))
        case .proposalAppended(let id, let first, let term): self.appended(id, at: first, term: term, node: node)
        case .proposalRefused(let id, let leader):
            guard let request = node.proposals.removeValue(forKey: id.rawValue) else { return }
            self.answer(.refused(leader: leader.map(self.number(of:))), to: request, from: node)
        case .apply(let entries): try self.apply(entries, on: node)
        case .readReady(let id, let index):
            guard let request = node.reads.removeValue(forKey: id.rawValue) else { return }
            node.readyReads.append((index, request))
            try self.answerReads(of: node)
        case .readRefused(let id, let leader):
            guard let request = node.reads.removeValue(forKey: id.rawValue) else { return }
            self.answer(.refused(leader: leader.map(self.number(of:))), to: request, from: node)
        case .roleChanged(let summary):
            self.record(.role(summary), node)
            if summary.role == .leader { self.statistics.elections += 1 }
        case .leaderEstablished(let term): self.takeUpWork(of: node, term: term)
        case .takeSnapshot: self.takeSnapshot(of: node)
        case .fetchSnapshot(let offer, let leader): self.fetch(offer, from: self.number(of: leader), by: node)
        case .installSnapshot(let offer): try self.install(offer, on: node)
        case .membershipChanged: break
        case .logRepaired(let index):
            self.statistics.repairs += 1
            self.record(.repaired(through: index), node)
        case .membershipRefused(_, let problem): self.record(.membersRefused(problem), node)
        }
    }

    private func apply(_ entries: [Entry], on node: SimulatedNode) throws(Violation) {
        guard self.mixesVersions else { return try self.applyKnown(entries, on: node) }
        for (position, entry) in entries.enumerated() {
            guard let format = self.unknownFormat(raisedBy: entry, to: node) else { continue }
            try self.applyKnown(Array(entries[..<position]), on: node)
            return try self.meets(format, node)
        }
        try self.applyKnown(entries, on: node)
    }

    private func applyKnown(_ entries: [Entry], on node: SimulatedNode) throws(Violation) {
        guard let first = entries.first, let last = entries.last, let core = node.core else { return }
        self.record(.applied(first: first.index, last: last.index), node)
        try self.judge.applies(entries, node: node.number, term: core.currentTerm)
        for entry in entries {
            let applied = node.state.apply(entry, archive: node.stored, known: node.known)
            try self.judge.reaches(entry.index, stateHash: node.state.hash.value, node: node.number)
            self.carryOut(applied.effects, of: node)
            guard let write = node.writes.removeValue(forKey: entry.index) else { continue }
            let answer = try self.answer(to: write, entry: entry, results: applied.results, node: node)
            self.answer(answer, to: write.request, from: node)
        }
        try self.answerReads(of: node)
        // A checkpoint waits until the node's own log is on disk that far.
        if node.state.appliedIndex <= core.durableIndex, self.diskRandom.below(16) == 0 {
            self.checkpoint(node)
            // A sync of it lets the log go of what it holds.
            guard self.diskRandom.coin() else { return }
            node.syncedState = node.stored
            node.inbox.append(.compact(through: node.stored.appliedIndex))
        }
    }

    /// Puts the applied state on the disk, if the log there reaches as far.
    func checkpoint(_ node: SimulatedNode) {
        guard let core = node.core, node.state.appliedIndex <= core.durableIndex,
            let last = core.entry(at: node.state.appliedIndex)
        else { return }
        node.stored.checkpoint(&node.state, term: last.term)
    }

    /// What the client of an entry is told. If another leader's entry stands there, nobody knows what became of its own.
    private func answer(
        to write: (term: Term, request: Request), entry: Entry, results: [CommandResult], node: SimulatedNode
    ) throws(Violation) -> Answer {
        guard write.term == entry.term else { return .unknown }
        switch write.request.operation {
        case .write, .read, .outcome: return .written(entry.index)
        case .command(let command):
            guard let result = results.first else { return .unknown }
            return try self.result(result, of: command, on: node)
        }
    }

    // MARK: Time

    /// Makes sure that the node is woken at its next deadline. A deadline moves with every heartbeat, so a wake-up that
    /// comes too early just looks again.
    func arm(_ node: SimulatedNode) {
        guard let deadline = node.core?.nextDeadline.nanoseconds, node.condition == .running else { return }
        if let wakeAt = node.wakeAt, wakeAt <= deadline { return }
        let time = max(deadline, self.now)
        node.wakeAt = time
        self.queue.add(.wake(node.number, life: node.life), at: time)
    }

    func wake(_ node: SimulatedNode, life: UInt32) throws(Violation) {
        // Of several wake-ups only the one noted last counts.
        guard node.life == life, node.wakeAt == self.now else { return }
        node.wakeAt = nil
        guard node.condition == .running, let core = node.core else { return }
        guard core.nextDeadline.nanoseconds <= self.now else { return self.arm(node) }
        self.record(.deadline, node)
        try self.turn(node)
    }

    func resume(_ node: SimulatedNode, life: UInt32) throws(Violation) {
        guard node.condition == .paused, node.life == life else { return }
        node.condition = .running
        self.record(.resumed, node)
        try self.turn(node)
    }

    // MARK: The disk

    /// How long the log's store waits on a full disk before it tries again.
    private static let fullDiskRetry: UInt64 = 20_000_000

    private func syncIfIdle(_ node: SimulatedNode) {
        guard !node.disk.isSyncing, node.disk.hasUnsynced else { return }
        node.disk.beginSync()
        let delay = self.diskRandom.within(80_000...1_500_000)
        self.queue.add(
            .synced(node.number, life: node.life), at: max(self.now + delay, node.diskStalledUntil))
    }

    func synced(_ node: SimulatedNode, life: UInt32) throws(Violation) {
        guard node.life == life, node.isProcessAlive else { return }
        if node.diskStalledUntil > self.now {
            return self.queue.add(.synced(node.number, life: life), at: node.diskStalledUntil)
        }
        if self.isFaulty, self.diskRandom.chance(perMillion: self.plan.inputOutputErrorRate) {
            // A sync that fails ends the process: after it nobody knows what is on the disk.
            return self.crash(node, .inputOutputError)
        }
        if node.isDiskFull {
            if !node.isToldFull {
                node.isToldFull = true
                self.record(.diskFull(true), node)
                try self.give(.diskFull(true), to: node)
            }
            guard node.reservedSyncs > 0 else {
                return self.queue.add(.synced(node.number, life: life), at: self.now + World.fullDiskRetry)
            }
            node.reservedSyncs -= 1
        }
        let through = node.disk.finishSync()
        self.syncIfIdle(node)
        guard let through else { return }
        self.record(.persisted(through: through), node)
        try self.give(.persisted(through: through), to: node)
    }
}
