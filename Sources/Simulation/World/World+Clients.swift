// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// The clients, and what a node's driver does for them.
extension World {
    func pauseOfClient() -> UInt64 { self.now + self.clientRandom.within(self.clientPause) }

    private func hop() -> UInt64 { self.now + self.clientRandom.within(20_000...400_000) }

    // MARK: The client's side

    func clientActs(_ number: Int) {
        guard self.areClientsActive, self.clients[number].current == nil else { return }
        if let operation = self.nextTransactionOperation(of: number) {
            self.clients[number].triesLeft = 8
            return self.attempt(operation, by: number)
        }
        if self.clientRandom.below(4) < (self.isDense ? 2 : 1) {
            self.clients[number].triesLeft = 4
            self.attempt(.read(floor: self.judge.readFloor), by: number)
        } else {
            self.clients[number].triesLeft = 8
            self.clients[number].sequence += 1
            let write = RegisterWrite(
                client: UInt32(number), sequence: self.clients[number].sequence, value: self.clientRandom.next())
            self.attempt(.write(write), by: number)
        }
    }

    private func attempt(_ operation: Request.Operation, by number: Int) {
        self.clients[number].attempt += 1
        self.clients[number].triesLeft -= 1
        let request = Request(client: number, attempt: self.clients[number].attempt, operation: operation)
        self.clients[number].current = request
        let isGuess: Bool
        switch operation {
        case .write: isGuess = self.clientRandom.below(8) == 0
        case .read: isGuess = self.clientRandom.coin()
        case .command: isGuess = self.clientRandom.below(8) == 0
        case .outcome(let question): isGuess = question.isLocal || self.clientRandom.coin()
        }
        let target = isGuess ? self.clientRandom.below(self.nodes.count) : self.clients[number].leaderHint
        self.queue.add(.request(request, to: target), at: self.hop())
        self.queue.add(
            .clientGivesUp(number, attempt: request.attempt),
            at: self.now + self.clientRandom.within(200_000_000...1_000_000_000))
    }

    /// No answer came: the write may or may not happen.
    func clientGivesUp(_ number: Int, attempt: UInt64) {
        guard let request = self.clients[number].current, request.attempt == attempt else { return }
        self.clients[number].leaderHint = self.clientRandom.below(self.nodes.count)
        self.tryAgain(request)
    }

    func answered(_ answer: Answer, _ request: Request, from node: Int) throws(Violation) {
        guard request.client < self.clients.count else {
            if case .written = answer {
                self.isProbeWritten = true
            } else {
                // The leader may have too much under way for it.
                self.queue.add(.probe, at: self.now + 20_000_000)
            }
            return
        }
        guard self.clients[request.client].current?.attempt == request.attempt else { return }
        switch answer {
        case .written(let index):
            self.judge.writeAcknowledged(at: index)
            self.statistics.writesAcknowledged += 1
            self.clients[request.client].leaderHint = node
            self.finish(request.client)
        case .state(let index):
            guard case .read(let floor) = request.operation else { return }
            try self.judge.readAnswered(at: index, floorAtBegin: floor, node: node)
            self.statistics.readsAnswered += 1
            self.finish(request.client)
        case .result(let result, let index):
            guard case .command(let command) = request.operation else { return }
            try self.take(result, of: command, at: index, by: request.client)
            self.clients[request.client].leaderHint = node
            self.finish(request.client)
        case .outcome(let index):
            guard case .outcome(let question) = request.operation else { return }
            if !question.isLocal {
                try self.judge.readAnswered(at: index, floorAtBegin: question.floor, node: node)
            }
            self.finish(request.client)
        case .refused(let leader):
            self.clients[request.client].leaderHint = leader ?? self.clientRandom.below(self.nodes.count)
            self.tryAgain(request)
        case .unknown: self.tryAgain(request)
        }
    }

    /// Tries again with the same operation, or leaves it open and goes on with another one later.
    private func tryAgain(_ request: Request) {
        guard self.areClientsActive, self.clients[request.client].triesLeft > 0, self.clientRandom.below(8) > 0 else {
            // It leaves its transaction as it is.
            self.clients[request.client].transactions?.script = []
            return self.finish(request.client)
        }
        self.attempt(request.operation, by: request.client)
    }

    private func finish(_ number: Int) {
        self.clients[number].current = nil
        if self.areClientsActive { self.queue.add(.clientActs(number), at: self.pauseOfClient()) }
    }

    // MARK: The node's side

    func receive(_ request: Request, at node: SimulatedNode) throws(Violation) {
        guard node.isProcessAlive else { return self.answer(.refused(leader: nil), to: request, from: node) }
        node.nextRequest += 1
        switch request.operation {
        case .write(let write):
            self.record(.proposed(client: request.client, sequence: write.sequence), node)
            node.proposals[node.nextRequest] = request
            try self.give(.propose(ProposalID(rawValue: node.nextRequest), payloads: [write.payload]), to: node)
        case .read:
            self.record(.read(client: request.client), node)
            node.reads[node.nextRequest] = request
            try self.give(.read(ReadID(rawValue: node.nextRequest)), to: node)
        case .command(let command):
            if let gid = command.gid { self.record(.commanded(client: request.client, gid), node) }
            node.proposals[node.nextRequest] = request
            let batch = CommandBatch(logTime: self.clock(of: node), commands: [command])
            try self.give(.propose(ProposalID(rawValue: node.nextRequest), payloads: [batch.encoded()]), to: node)
        case .outcome(let question):
            self.record(.read(client: request.client), node)
            if question.isLocal { return self.answer(try self.outcome(question, on: node), to: request, from: node) }
            node.reads[node.nextRequest] = request
            try self.give(.read(ReadID(rawValue: node.nextRequest)), to: node)
        }
    }

    func appended(_ id: ProposalID, at index: LogIndex, term: Term, node: SimulatedNode) {
        guard let request = node.proposals.removeValue(forKey: id.rawValue) else { return }
        if request.client == self.clients.count {
            self.probeIndex = index
            self.record(.probed(index), node)
        }
        // Another write that waits for this place has lost it to a change of leader.
        if let lost = node.writes.updateValue((term, request), forKey: index) {
            self.answer(.unknown, to: lost.request, from: node)
        }
    }

    func answerReads(of node: SimulatedNode) throws(Violation) {
        guard !node.readyReads.isEmpty else { return }
        let applied = node.state.appliedIndex
        for read in node.readyReads where read.index <= applied {
            switch read.request.operation {
            case .read, .write, .command: self.answer(.state(applied), to: read.request, from: node)
            case .outcome(let question):
                self.answer(try self.outcome(question, on: node), to: read.request, from: node)
            }
        }
        node.readyReads.removeAll { $0.index <= applied }
    }

    func answer(_ answer: Answer, to request: Request, from node: SimulatedNode) {
        self.record(.answered(client: request.client, attempt: request.attempt), node)
        self.queue.add(.answer(answer, request, from: node.number), at: self.hop())
    }
}
