// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

/// Clients, a coordinator and participants, with a network between the last two that loses, repeats, delays and reorders
/// calls and answers, and a coordinator whose executor forgets all calls whenever the leader changes.
struct ModelWorld {
    private(set) var fixture = Fixture()
    private(set) var participants = ModelParticipants()
    private var random: RandomCommands
    private let gids: [Gid]
    /// Calls and answers that are under way.
    private var calls: [BranchCall] = []
    private var answers: [BranchResult] = []
    /// What each decision said when it was first told.
    private(set) var told: [Gid: Decision] = [:]
    /// Steps of sagas whose action was due at some moment.
    private(set) var everActing: Set<Seat> = []

    init(seed: UInt64, transactions: Int) {
        self.random = RandomCommands(seed: seed, transactions: transactions)
        self.gids = (0..<transactions).map { Gid.test("t-\($0)") }
    }

    /// The faulty phase.
    mutating func run(steps: Int) {
        for number in self.gids.indices { self.start(number) }
        for _ in 0..<steps { self.step() }
    }

    /// The network heals, the deadlines pass, and the executor goes on until nothing is due. What was under way arrives
    /// last of all.
    mutating func heal() {
        self.fixture.clock += 1_000_000
        let late = (calls: self.calls, answers: self.answers)
        self.calls.removeAll()
        self.answers.removeAll()
        for gid in self.gids { self.apply(.deadlineReached(gid)) }
        var rounds = 0
        while rounds < 100 {
            rounds += 1
            let due = self.gids.flatMap { self.fixture.machine.dueCalls(of: $0) }
            if due.isEmpty { break }
            for call in due { self.deliver(call) }
            while let answer = self.answers.popLast() { self.apply(.branchResult(answer)) }
        }
        for answer in late.answers { self.apply(.branchResult(answer)) }
        for call in late.calls { self.deliver(call) }
        while let answer = self.answers.popLast() { self.apply(.branchResult(answer)) }
    }

    private mutating func start(_ number: Int) {
        let gid = self.gids[number]
        switch number % 5 {
        case 0: self.apply(.saga("a", "b", "c", gid: gid))
        case 1: self.apply(.saga("a", "b", "c", gid: gid, isConcurrent: true))
        case 2: self.apply(.tcc("a", "b", "c", gid: gid))
        case 3:
            self.apply(.begin(.saga, gid: gid))
            for id in ["a", "b", "c"] { self.apply(.registerBranch(gid, .saga(id))) }
        case _:
            self.apply(.begin(.tcc, gid: gid))
            for id in ["a", "b", "c"] {
                guard self.fixture.apply(one: .registerBranch(gid, .begunTCC(id))) == .accepted(isNew: true) else {
                    continue
                }
                // The application makes the try itself, behind the registration.
                let call = BranchCall(
                    gid: gid, branchID: .test(id), operation: .try, url: "", headers: [], payload: [], priorAttempts: 0)
                _ = self.participants.call(call, wouldRefuse: false)
            }
        }
    }

    private mutating func step() {
        switch self.random.number(0..<20) {
        case 0..<7:
            let due = self.fixture.machine.dueCalls(of: self.random.pick(self.gids))
            if !due.isEmpty { self.calls.append(self.random.pick(due)) }
        case 7..<12:
            guard !self.calls.isEmpty else { return }
            let position = self.random.number(0..<self.calls.count)
            let call = self.calls[position]
            // Some arrive twice.
            if !self.random.chance(20) { self.calls.remove(at: position) }
            self.deliver(call)
            if self.random.chance(20) { self.answers.removeLast() }
        case 12..<17:
            guard !self.answers.isEmpty else { return }
            let position = self.random.number(0..<self.answers.count)
            let answer = self.answers[position]
            if !self.random.chance(20) { self.answers.remove(at: position) }
            self.apply(.branchResult(answer))
        case 17:
            let gid = self.random.pick(self.gids)
            switch self.random.number(0..<30) {
            case 0, 1: self.apply(.abort(gid, reason: nil))
            case 2..<8: self.apply(.commit(gid))
            case 8: self.apply(.deadlineReached(gid))
            case 9..<15: self.fixture.clock += self.random.number(0..<2_000)
            case _: self.fixture.archiveAndEvict()
            }
        case 18: if self.random.chance(20) { self.changeLeader() }
        case _: self.lose()
        }
    }

    /// The new leader knows what the log says, and nothing of what the old one was doing. Old calls may still arrive.
    private mutating func changeLeader() {
        self.fixture.archiveAndEvict()
        let sum = self.fixture.machine.takeChanges().sum
        let machine = self.fixture.machine
        self.fixture.machine = TransactionMachine(
            restoring: machine.allLive.compactMap { machine.transaction($0) }, logTime: machine.logTime,
            appliedIndex: machine.appliedIndex, sum: sum)
        self.answers.removeAll()
    }

    private mutating func lose() {
        if !self.calls.isEmpty, self.random.chance(50) {
            self.calls.remove(at: self.random.number(0..<self.calls.count))
        } else if !self.answers.isEmpty {
            self.answers.remove(at: self.random.number(0..<self.answers.count))
        }
    }

    private mutating func deliver(_ call: BranchCall) {
        let verdict = self.participants.call(call, wouldRefuse: self.random.chance(6))
        self.answers.append(
            BranchResult(
                gid: call.gid, branchID: call.branchID, operation: call.operation, verdict: verdict,
                attempts: call.priorAttempts + 1))
    }

    /// Applies a command and holds what it tells against what was told before.
    private mutating func apply(_ command: Command) {
        self.fixture.apply(command)
        for effect in self.fixture.effects {
            guard case .decided(let gid, let decision) = effect else { continue }
            #expect(self.told[gid] == nil, "\(gid) is decided twice")
            self.told[gid] = decision
        }
        if let gid = command.gid { self.check(gid) }
    }

    /// What must hold at every moment (I6, I7, I9, I10).
    private mutating func check(_ gid: Gid) {
        guard let transaction = self.fixture.transaction(gid) else { return }
        #expect(transaction.decision == self.told[gid])
        let isConsistent = transaction.isConsistent
        #expect(isConsistent)
        for call in self.fixture.machine.dueCalls(of: gid) {
            switch call.operation {
            case .action:
                #expect(transaction.decision == nil)
                self.everActing.insert(Seat(gid: gid, branchID: call.branchID))
            case .try: #expect(transaction.decision == nil)
            case .confirm: #expect(transaction.decision == .commit)
            case .compensate, .cancel: #expect(transaction.decision == .abort)
            }
        }
    }
}
