// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// Plays the commands of a script on production cores, and writes down everything that they answer.
///
/// Nothing happens by itself: messages wait until they are delivered, batches until they are synced, and every node has
/// a clock of its own that only moves when the script says so.
struct ScenarioPlayer {
    struct Problem: Error {
        let message: String
    }

    var nodes: [ScenarioNode] = []
    var messages: [ScenarioMessage] = []
    /// Directions in which nothing gets through.
    var cuts: Set<[NodeID]> = []
    var nextProposal: UInt64 = 0
    var reads: [String] = []
    var output: [String] = []

    /// Plays one block of commands.
    /// - Returns: what the nodes answered, a line each.
    mutating func play(_ commands: [(line: Int, text: String)]) throws(ScenarioFile.Problem) -> [String] {
        self.output = []
        for command in commands {
            do throws(Problem) {
                try self.play(command.text.split(separator: " ").map(String.init))
            } catch {
                throw ScenarioFile.Problem(line: command.line, message: error.message)
            }
        }
        return self.output.isEmpty ? ["ok"] : self.output
    }

    private mutating func play(_ words: [String]) throws(Problem) {
        let rest = Array(words.dropFirst())
        switch words.first {
        case "quietly":
            let before = self.output
            try self.play(rest)
            self.output = before
        case "cluster": self.makeCluster(rest)
        case "disk": try self.presetDisk(rest)
        case "start": for position in try self.positions(rest) { try self.start(position) }
        case "salvage": for position in try self.positions(rest) { try self.start(position, salvaging: true) }
        case "advance": try self.advance(rest)
        case "timeout": for position in try self.positions(rest) { self.timeOut(position) }
        case "wake": for position in try self.positions(rest) { self.step(position, []) }
        case "deliver": try self.deliver(rest)
        case "deliver-one": try self.deliverOne(rest)
        case "drop": try self.edit(rest) { _ in [] }
        case "duplicate": try self.edit(rest) { $0 + $0 }
        case "reverse": try self.edit(rest) { $0.reversed() }
        case "cut": for pair in try self.links(rest) { self.cuts.insert(pair) }
        case "heal": for pair in try self.links(rest) { self.cuts.remove(pair) }
        case "sync": for position in try self.positions(rest) { self.sync(position) }
        case "begin-sync": for position in try self.positions(rest) { self.nodes[position].disk.beginSync() }
        case "end-sync": for position in try self.positions(rest) { self.endSync(position) }
        case "hold-disk": for position in try self.positions(rest) { self.nodes[position].isDiskHeld = true }
        case "free-disk": for position in try self.positions(rest) { self.nodes[position].isDiskHeld = false }
        case "stabilize": try self.stabilize(rest)
        case "gather": for position in try self.positions(rest) { self.nodes[position].isGathering = true }
        case "turn": for position in try self.positions(rest) { self.takeTurn(position) }
        case "propose": try self.propose(rest)
        case "read": try self.read(rest)
        case "lost": try self.lose(rest)
        case "connect": try self.connect(rest)
        case "disk-full": try self.fill(rest, isFull: true)
        case "disk-has-room": try self.fill(rest, isFull: false)
        case "harm": try self.harm(rest)
        case "clock": for position in try self.positions(rest) { self.showClock(position) }
        case "kill": for position in try self.positions(rest) { self.kill(position) }
        case "status": for position in self.nodes.indices { self.showStatus(position) }
        case "log": for position in try self.positions(rest) { self.showLog(position) }
        case "in-flight":
            self.messages.forEach { self.say("\($0.sender) -> \($0.receiver) \(Describe.message($0.message))") }
        case .some(let word): throw Problem(message: "unknown command '\(word)'")
        case nil: throw Problem(message: "no command")
        }
    }

    mutating func say(_ line: String) { self.output.append(line) }

    // MARK: Names

    /// The nodes of these names; all for none.
    func positions(_ names: [String]) throws(Problem) -> [Int] {
        guard !names.isEmpty else { return Array(self.nodes.indices) }
        var positions: [Int] = []
        for name in names { positions.append(try self.position(name)) }
        return positions
    }

    func position(_ name: String) throws(Problem) -> Int {
        guard let position = self.nodes.firstIndex(where: { $0.id.rawValue == name }) else {
            throw Problem(message: "no node is called '\(name)'")
        }
        return position
    }

    /// Directed links, written `n1->n2` one way or `n1-n2` both ways; `n1` is all of its links, both ways.
    func links(_ words: [String]) throws(Problem) -> [[NodeID]] {
        var links: [[NodeID]] = []
        for word in words {
            let isOneWay = word.contains("->")
            let names = word.split(separator: "-").map { String($0.drop(while: { $0 == ">" })) }
            if names.count == 1 {
                let node = self.nodes[try self.position(names[0])].id
                for other in self.nodes where other.id != node { links += [[node, other.id], [other.id, node]] }
                continue
            }
            guard names.count == 2 else { throw Problem(message: "'\(word)' is no link; write n1->n2 or n1-n2") }
            let pair = [self.nodes[try self.position(names[0])].id, self.nodes[try self.position(names[1])].id]
            links.append(pair)
            if !isOneWay { links.append(pair.reversed()) }
        }
        guard !links.isEmpty else { throw Problem(message: "which links? Write n1->n2, n1-n2 or n1") }
        return links
    }

    static func number(_ word: String, of what: String) throws(Problem) -> UInt64 {
        guard let number = UInt64(word) else { throw Problem(message: "'\(word)' is no \(what)") }
        return number
    }

    // MARK: Turns

    /// Hands inputs to a core, or lets them gather for one turn.
    mutating func give(_ input: RaftInput, to position: Int) {
        guard self.nodes[position].core != nil else { return }
        guard self.nodes[position].isGathering else { return self.step(position, [input]) }
        self.nodes[position].inbox.append(input)
    }

    mutating func takeTurn(_ position: Int) {
        let inputs = self.nodes[position].inbox
        self.nodes[position].inbox = []
        self.nodes[position].isGathering = false
        self.step(position, inputs)
    }

    mutating func step(_ position: Int, _ inputs: [RaftInput]) {
        let now = Instant(nanoseconds: self.nodes[position].clock)
        for effect in self.nodes[position].core?.step(inputs, now: now) ?? [] { self.carryOut(effect, of: position) }
    }

    private mutating func carryOut(_ effect: RaftEffect, of position: Int) {
        let id = self.nodes[position].id
        switch effect {
        case .persist(let batch):
            self.say("  \(id) writes \(Describe.batch(batch))")
            self.nodes[position].disk.write(batch)
        case .send(let message, let peer):
            let isCut = self.cuts.contains([id, peer])
            self.say("  \(id) \(isCut ? "-x" : "->") \(peer) \(Describe.message(message))")
            if !isCut { self.messages.append(ScenarioMessage(sender: id, receiver: peer, message: message)) }
        case .proposalAppended(_, let first, let term):
            self.say("  \(id) takes the proposal at \(Describe.position(first, term))")
        case .proposalRefused(_, let leader): self.say("  \(id) refuses the proposal, leader=\(Self.name(leader))")
        case .apply(let entries):
            self.say("  \(id) applies \(Describe.entries(entries))")
            self.nodes[position].appliedIndex = entries.last?.index ?? self.nodes[position].appliedIndex
        case .readReady(let read, let index):
            self.say("  \(id) may answer read '\(self.reads[Int(read.rawValue)])' once \(index) is applied")
        case .readRefused(let read, let leader):
            self.say("  \(id) refuses read '\(self.reads[Int(read.rawValue)])', leader=\(Self.name(leader))")
        case .roleChanged(let summary): self.say("  \(id) is \(Describe.role(summary))")
        case .leaderEstablished(let term): self.say("  \(id) knows everything that was decided before term \(term)")
        case .takeSnapshot: self.say("  \(id) needs a snapshot of its state")
        case .fetchSnapshot(let offer, let leader): self.say("  \(id) fetches \(Describe.offer(offer)) from \(leader)")
        case .installSnapshot(let offer): self.say("  \(id) installs \(Describe.offer(offer))")
        case .membershipChanged(let membership):
            // What it begins with is known.
            if self.nodes[position].membership != nil {
                self.say("  \(id) counts \(Describe.membership(membership))")
            }
            self.nodes[position].membership = membership
        case .membershipRefused(_, let problem): self.say("  \(id) refuses other members: \(problem)")
        case .logRepaired(let index): self.say("  \(id)'s log is whole again through \(index)")
        }
    }

    private static func name(_ node: NodeID?) -> String { node?.rawValue ?? "-" }
}
