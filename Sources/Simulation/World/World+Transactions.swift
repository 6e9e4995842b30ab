// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// What a client that works with global transactions is at.
struct TransactionWork: Sendable {
    /// What it still has to ask for, in order.
    var script: [Command] = []
    /// The transactions that it has begun or submitted, the latest last.
    var gids: [Gid] = []
    /// How often it still asks for an outcome before it begins something new.
    var questionsLeft = 0
}

/// The clients of transactions: they submit some whole, fill others branch by branch, repeat themselves, forget to commit,
/// and ask any node for the outcome of old ones and new ones.
extension World {
    func nextTransactionOperation(of number: Int) -> Request.Operation? {
        guard var work = self.clients[number].transactions else { return nil }
        defer { self.clients[number].transactions = work }
        if work.script.isEmpty, work.questionsLeft == 0 || work.gids.isEmpty {
            self.planTransaction(&work, of: number)
        }
        if let command = work.script.first { return .command(command) }
        work.questionsLeft -= 1
        let isLatest = self.clientRandom.coin()
        let position = isLatest ? work.gids.count - 1 : self.clientRandom.below(work.gids.count)
        return .outcome(self.question(about: work.gids[position], isLocal: self.clientRandom.coin()))
    }

    private func question(about gid: Gid, isLocal: Bool) -> OutcomeQuestion {
        OutcomeQuestion(
            gid: gid, isLocal: isLocal, floor: self.judge.readFloor, wasAcknowledged: self.judge.isAcknowledged(gid))
    }

    private func planTransaction(_ work: inout TransactionWork, of number: Int) {
        work.questionsLeft = 1 + self.clientRandom.below(5)
        guard let gid = Gid(rawValue: "c\(number)-\(work.gids.count + 1)") else { return }
        work.gids.append(gid)
        let kind: TransactionKind = self.clientRandom.coin() ? .saga : .tcc
        // Short enough to pass after the healing, whichever clock leads.
        let timeout = self.clientRandom.within(50...600)
        let ids = (1...(1 + self.clientRandom.below(3))).compactMap { BranchID(rawValue: "b\($0)") }
        let isConcurrent = kind == .saga && self.clientRandom.coin()
        if self.clientRandom.coin() {
            let submission = Submission(
                gid: gid, kind: kind, isConcurrent: isConcurrent, timeoutMilliseconds: timeout,
                branches: ids.map { Self.branch($0, kind, .submitted) })
            work.script = [.submit(submission)]
            // Asking again changes nothing.
            if self.clientRandom.below(4) == 0 { work.script.append(.submit(submission)) }
        } else {
            work.script = [
                .begin(Beginning(gid: gid, kind: kind, isConcurrent: isConcurrent, timeoutMilliseconds: timeout))
            ]
            for id in ids { work.script.append(.registerBranch(gid, Self.branch(id, kind, .begun))) }
            switch self.clientRandom.below(6) {
            case 0: break  // It dies before it says what it wants.
            case 1: work.script.append(.abort(gid, reason: nil))
            case _: work.script.append(.commit(gid))
            }
        }
        // Somebody changes their mind, while all this goes on.
        if self.clientRandom.below(6) == 0 { work.script.append(.abort(gid, reason: "changed its mind")) }
    }

    private static func branch(_ id: BranchID, _ kind: TransactionKind, _ origin: Origin) -> BranchSpec {
        let operations = kind.planner.operations(of: origin)
        return BranchSpec(
            id: id, targets: operations.map { Target(operation: $0, url: "http://participant/\($0.name)") },
            payload: Array(id.rawValue.utf8))
    }

    // MARK: Answers

    /// A command of a client is applied.
    func result(_ result: CommandResult, of command: Command, on node: SimulatedNode) throws(Violation) -> Answer {
        if let gid = command.gid, let decision = self.transaction(gid, on: node)?.decision {
            try self.judge.told(gid, decision, node: node.number)
        }
        // Who hears that an abort is done knows the outcome.
        switch (command, result) {
        case (.abort(let gid, _), .accepted), (.abort(let gid, _), .alreadyDone):
            try self.judge.told(gid, .abort, node: node.number)
        case _: break
        }
        return .result(result, node.state.appliedIndex)
    }

    /// A node tells what it knows of a transaction.
    func outcome(_ question: OutcomeQuestion, on node: SimulatedNode) throws(Violation) -> Answer {
        let index = node.state.appliedIndex
        guard let transaction = self.transaction(question.gid, on: node) else {
            if !question.isLocal {
                try self.judge.unknown(
                    question.gid, wasAcknowledged: question.wasAcknowledged, node: node.number)
            }
            return .outcome(index)
        }
        if let decision = transaction.decision {
            try self.judge.told(question.gid, decision, node: node.number)
            self.statistics.outcomesTold += 1
        }
        return .outcome(index)
    }

    func transaction(_ gid: Gid, on node: SimulatedNode) -> GlobalTransaction? {
        node.state.transactions.transaction(gid) ?? node.stored.archived(gid)
    }

    /// The client hears what became of its command.
    func take(_ result: CommandResult, of command: Command, at index: LogIndex, by number: Int) throws(Violation) {
        guard self.clients[number].transactions != nil else { return }
        switch result {
        case .accepted, .alreadyDone:
            if let gid = command.gid { self.judge.transactionAcknowledged(gid) }
            self.judge.writeAcknowledged(at: index)
            self.statistics.transactionsAcknowledged += 1
            try self.makeTry(behind: command, by: number)
            self.clients[number].transactions?.script.removeFirst()
        case .rejected: self.clients[number].transactions?.script = []
        }
    }

    /// The application itself makes the try of a TCC branch that it has registered. A "no" makes it abort.
    private func makeTry(behind command: Command, by number: Int) throws(Violation) {
        guard case .registerBranch(let gid, let spec) = command, spec.url(for: .confirm) != nil else { return }
        if try self.carryOut(.try, gid: gid, branchID: spec.id) == .failure {
            self.clients[number].transactions?.script = [command, .abort(gid, reason: "a try was refused")]
        }
    }

    // MARK: The end

    /// All is quiet: every transaction has ended, on all nodes in the same way, and its branches with it.
    func checkTransactions() throws(Violation) {
        let members = self.members
        guard let first = members.first else { return }
        for node in members {
            guard node.state.transactions.liveCount == 0 else {
                let gid = node.state.transactions.allLive.first
                throw Violation(
                    .everythingEnds,
                    "\(node.id) still has \(node.state.transactions.liveCount) transactions that haven't ended, "
                        + "\(gid?.rawValue ?? "?") is one")
            }
            for gid in self.judge.gids {
                let question = OutcomeQuestion(
                    gid: gid, isLocal: false, floor: .zero, wasAcknowledged: self.judge.isAcknowledged(gid))
                _ = try self.outcome(question, on: node)
            }
        }
        for gid in self.judge.gids {
            guard let transaction = self.transaction(gid, on: first) else { continue }
            try BranchEffects.check(transaction, participants: self.participants)
            self.statistics.transactionsEnded += 1
        }
    }
}
