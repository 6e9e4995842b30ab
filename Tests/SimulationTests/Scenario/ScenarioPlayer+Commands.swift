// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// The commands of a script, one function each.
extension ScenarioPlayer {
    // MARK: Cluster

    /// `cluster n1 n2 n3`
    mutating func makeCluster(_ names: [String]) {
        let voters = names.map { NodeID(rawValue: $0) }
        self.messages = []
        self.cuts = []
        self.nodes = voters.map {
            ScenarioNode(configuration: RaftConfiguration(nodeID: $0, voters: voters))
        }
    }

    /// `disk n1 term=3 vote=n2 bytes=9 log=1,1,2`: what a node finds when it starts; the log as the terms of its entries,
    /// each with a payload of so many bytes.
    mutating func presetDisk(_ words: [String]) throws(Problem) {
        guard let name = words.first else { throw Problem(message: "whose disk?") }
        let position = try self.position(name)
        var term: UInt64 = 0
        var vote: NodeID?
        var bytes = 0
        var entries: [Entry] = []
        for word in words.dropFirst() {
            let parts = word.split(separator: "=").map(String.init)
            guard parts.count == 2 else { throw Problem(message: "'\(word)' isn't key=value") }
            switch parts[0] {
            case "term": term = try Self.number(parts[1], of: "term")
            case "vote": vote = self.nodes[try self.position(parts[1])].id
            case "bytes": bytes = Int(try Self.number(parts[1], of: "number of bytes"))
            case "log":
                for text in parts[1].split(separator: ",").map(String.init) {
                    let index = LogIndex(rawValue: UInt64(entries.count) + 1)
                    let entryTerm = Term(rawValue: try Self.number(text, of: "term"))
                    entries.append(
                        Entry(
                            index: index, term: entryTerm, kind: .command, payload: [UInt8](repeating: 0, count: bytes))
                    )
                }
            case let key: throw Problem(message: "'\(key)' is none of term, vote, bytes and log")
            }
        }
        let hardState = HardState(currentTerm: Term(rawValue: term), votedFor: vote)
        self.nodes[position].disk.write(
            Batch(sequence: 1, hardState: hardState, truncateFrom: nil, entries: entries))
        self.nodes[position].disk.beginSync()
        _ = self.nodes[position].disk.finishSync()
    }

    /// - Parameter salvaging: of a rotten log takes what stands before the rot, as a node does.
    mutating func start(_ position: Int, salvaging: Bool = false) throws(Problem) {
        let node = self.nodes[position]
        guard node.core == nil else { throw Problem(message: "\(node.id) runs already") }
        let recovered: RecoveredLog
        do {
            recovered = try Recovery.recover(node.disk.stored)
        } catch {
            self.say("\(node.id) finds rot: \(Describe.rot(error))")
            let founders = Membership(
                voters: node.configuration.voters.map { Member(nodeID: $0, storageID: .unknown) })
            guard salvaging, let salvaged = try? Recovery.salvage(node.disk.stored, founders: founders) else { return }
            self.nodes[position].disk.salvage(salvaged.log, rows: salvaged.rows)
            recovered = salvaged.log
        }
        self.say(
            "\(node.id) starts with term=\(recovered.hardState.currentTerm) "
                + "vote=\(recovered.hardState.votedFor?.rawValue ?? "-") \(Describe.entries(recovered.entries))")
        self.nodes[position].appliedIndex = .zero
        self.nodes[position].core = RaftCore(
            configuration: node.configuration, recovered: recovered, appliedIndex: .zero, seed: UInt64(position) + 1,
            now: Instant(nanoseconds: node.clock))
    }

    /// The process dies; what was not synced is lost. What is on its way stays there.
    mutating func kill(_ position: Int) {
        let id = self.nodes[position].id
        self.say("\(id) dies, and loses \(self.nodes[position].disk.unsyncedCount) unsynced batches")
        self.nodes[position].core = nil
        self.nodes[position].membership = nil
        self.nodes[position].inbox = []
        self.nodes[position].isGathering = false
        self.nodes[position].disk.crash(survivors: 0)
    }

    // MARK: Time

    /// `advance 150 [n1 …]`: clocks move on by milliseconds; nobody looks at them yet.
    mutating func advance(_ words: [String]) throws(Problem) {
        guard let first = words.first else { throw Problem(message: "by how many milliseconds?") }
        let milliseconds = try Self.number(first, of: "number of milliseconds")
        for position in try self.positions(Array(words.dropFirst())) {
            self.nodes[position].clock += milliseconds * 1_000_000
        }
    }

    /// A node's clock moves to its next deadline, and it looks.
    mutating func timeOut(_ position: Int) {
        guard let deadline = self.nodes[position].core?.nextDeadline.nanoseconds else { return }
        self.nodes[position].clock = max(self.nodes[position].clock, deadline)
        self.step(position, [])
    }

    // MARK: Messages

    /// `deliver`, `deliver n1->n2 …`: what is on its way now, in order; not what is sent in answer.
    mutating func deliver(_ words: [String]) throws(Problem) {
        let links = words.isEmpty ? nil : Set(try self.links(words))
        let due = self.messages.filter { links?.contains([$0.sender, $0.receiver]) ?? true }
        self.messages.removeAll { links?.contains([$0.sender, $0.receiver]) ?? true }
        for message in due { try self.deliver(message) }
    }

    /// `deliver-one n1->n2`: the first of those that are on their way.
    mutating func deliverOne(_ words: [String]) throws(Problem) {
        for link in try self.links(words) {
            guard let first = self.messages.firstIndex(where: { [$0.sender, $0.receiver] == link }) else { continue }
            try self.deliver(self.messages.remove(at: first))
        }
    }

    private mutating func deliver(_ message: ScenarioMessage) throws(Problem) {
        let position = try self.position(message.receiver.rawValue)
        guard self.nodes[position].core != nil else { return }
        self.say("\(message.receiver) <- \(message.sender) \(Describe.message(message.message))")
        self.give(.received(message.message, from: message.sender), to: position)
    }

    /// Changes what is on its way on some links.
    mutating func edit(_ words: [String], _ change: ([ScenarioMessage]) -> [ScenarioMessage]) throws(Problem) {
        for link in try self.links(words) {
            let onLink = self.messages.filter { [$0.sender, $0.receiver] == link }
            self.messages.removeAll { [$0.sender, $0.receiver] == link }
            self.messages += change(onLink)
        }
    }

    /// `stabilize [n1 …]`: disks sync and messages arrive, at these nodes alone, until nothing is left to do.
    mutating func stabilize(_ words: [String]) throws(Problem) {
        let positions = try self.positions(words)
        let ids = Set(positions.map { self.nodes[$0].id })
        for _ in 0..<1000 {
            for position in positions where !self.nodes[position].isDiskHeld { self.sync(position) }
            let due = self.messages.filter { ids.contains($0.receiver) }
            self.messages.removeAll { ids.contains($0.receiver) }
            for message in due { try self.deliver(message) }
            let isDiskBusy = positions.contains { !self.nodes[$0].isDiskHeld && self.nodes[$0].disk.hasUnsynced }
            if due.isEmpty, !isDiskBusy { return }
        }
        throw Problem(message: "no end in sight after 1,000 rounds")
    }

    /// `lost n1 at n2 [refused]`
    mutating func lose(_ words: [String]) throws(Problem) {
        guard words.count >= 3, words[1] == "at" else { throw Problem(message: "write 'lost n1 at n2 [refused]'") }
        let peer = self.nodes[try self.position(words[0])].id
        let isRefused = words.last == "refused"
        self.say("\(words[2]) lost \(peer)\(isRefused ? ", and is refused there" : "")")
        self.give(.peerDisconnected(peer, isRefused: isRefused), to: try self.position(words[2]))
    }

    /// `connect n1-n2 …`
    mutating func connect(_ words: [String]) throws(Problem) {
        for link in try self.links(words) {
            self.say("\(link[1]) is connected to \(link[0])")
            self.give(.peerConnected(link[0]), to: try self.position(link[1].rawValue))
        }
    }

    // MARK: Disks

    mutating func sync(_ position: Int) {
        guard self.nodes[position].core != nil, self.nodes[position].disk.hasUnsynced else { return }
        self.nodes[position].disk.beginSync()
        self.endSync(position)
    }

    /// What waited when the sync began is on disk.
    mutating func endSync(_ position: Int) {
        guard let sequence = self.nodes[position].disk.finishSync() else { return }
        self.say("\(self.nodes[position].id) has #\(sequence) on disk")
        self.give(.persisted(through: sequence), to: position)
    }

    mutating func fill(_ words: [String], isFull: Bool) throws(Problem) {
        for position in try self.positions(words) {
            self.say("\(self.nodes[position].id)'s disk \(isFull ? "is full" : "has room again")")
            self.give(.diskFull(isFull), to: position)
        }
    }

    /// `harm n1 batchFlipped|batchLost|hardStateFlipped`
    mutating func harm(_ words: [String]) throws(Problem) {
        guard words.count == 2, let damage = ModelledDisk.Damage.allCases.first(where: { "\($0)" == words[1] }) else {
            throw Problem(message: "write 'harm n1 batchFlipped', or batchLost or hardStateFlipped")
        }
        var random = SeededRandom(seed: 1)
        let position = try self.position(words[0])
        guard self.nodes[position].disk.harm(damage, random: &random) else {
            throw Problem(message: "\(words[0]) has nothing on its disk to harm")
        }
        self.say("\(words[0])'s disk is harmed: \(damage)")
    }

    // MARK: Clients

    /// `propose n1 x y`: two proposals, each of them an entry.
    mutating func propose(_ words: [String]) throws(Problem) {
        guard let name = words.first, words.count > 1 else { throw Problem(message: "write 'propose n1 text …'") }
        let position = try self.position(name)
        for text in words.dropFirst() {
            self.nextProposal += 1
            self.say("\(name) is asked for \(text)")
            self.give(.propose(ProposalID(rawValue: self.nextProposal), payloads: [Array(text.utf8)]), to: position)
        }
    }

    /// `read n1 name`
    mutating func read(_ words: [String]) throws(Problem) {
        guard words.count == 2 else { throw Problem(message: "write 'read n1 name'") }
        self.reads.append(words[1])
        self.say("\(words[0]) is asked for read '\(words[1])'")
        self.give(.read(ReadID(rawValue: UInt64(self.reads.count) - 1)), to: try self.position(words[0]))
    }

    // MARK: Looking

    mutating func showStatus(_ position: Int) {
        let node = self.nodes[position]
        guard let core = node.core else { return self.say("\(node.id) down") }
        self.say(
            "\(node.id) \(Describe.role(core.summary)) vote=\(core.votedFor?.rawValue ?? "-") last=\(core.lastIndex) "
                + "durable=\(core.durableIndex) commit=\(core.commitIndex) applied=\(node.appliedIndex)")
    }

    mutating func showClock(_ position: Int) {
        self.say("\(self.nodes[position].id)'s clock says \(Describe.milliseconds(self.nodes[position].clock))")
    }

    mutating func showLog(_ position: Int) {
        guard let core = self.nodes[position].core else { return self.say("\(self.nodes[position].id) down") }
        let entries = (0..<core.lastIndex.rawValue).compactMap { core.entry(at: LogIndex(rawValue: $0 + 1)) }
        self.say("\(core.summary.role == .leader ? "*" : " ")\(self.nodes[position].id) \(Describe.entries(entries))")
    }
}
