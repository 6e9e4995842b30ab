// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

/// One of the things that can decide a transaction.
enum Decider: CaseIterable, Sendable {
    case commit, abort, deadline, refusal, lastSuccess

    /// The command, for a transaction whose branch "a" has its last call before the decision due.
    func command(_ operation: Transactions.Operation) -> Command {
        switch self {
        case .commit: .commit(.test)
        case .abort: .abort(.test, reason: nil)
        case .deadline: .deadlineReached(.test)
        case .refusal, .lastSuccess:
            .branchResult(
                BranchResult(
                    gid: .test, branchID: .test("a"), operation: operation,
                    verdict: self == .refusal ? .failure : .success, attempts: 1))
        }
    }

    var decision: Decision {
        switch self {
        case .commit, .lastSuccess: .commit
        case .abort, .deadline, .refusal: .abort
        }
    }
}

@Suite("The first decision in the log wins") struct DecisionTests {
    /// Every order of these deciders.
    static func orders(_ deciders: [Decider]) -> [[Decider]] {
        guard deciders.count > 1 else { return [deciders] }
        return deciders.indices.flatMap { position in
            var rest = deciders
            let first = rest.remove(at: position)
            return Self.orders(rest).map { [first] + $0 }
        }
    }

    @Test("Begun: commit, abort and the deadline race in every order", arguments: orders([.commit, .abort, .deadline]))
    func begunRace(order: [Decider]) {
        for isOneEntry in [false, true] {
            var fixture = Fixture()
            fixture.apply(.begin(.tcc), .registerBranch(.test, .begunTCC("a")))
            fixture.clock = 20_000
            let decision = order[0].decision
            let commands = order.map { $0.command(.confirm) }
            var results: [CommandResult] = []
            if isOneEntry {
                results = fixture.apply(commands[0], commands[1], commands[2])
                #expect(fixture.effects == [.decided(.test, decision), .callsDue(.test)])
            } else {
                for command in commands { results.append(fixture.apply(one: command)) }
            }
            #expect(results[0] == .accepted(isNew: true))
            for (decider, result) in zip(order, results).dropFirst() {
                // A deadline asks only that there be a decision; the others ask for theirs.
                let isContent = decider == .deadline || decider.decision == decision
                #expect(result == (isContent ? .alreadyDone : .rejected(.alreadyDecided(decision))))
            }
            #expect(fixture.transaction()?.decision == decision)
            #expect(fixture.due() == [decision == .commit ? "a confirm" : "a cancel"])
        }
    }

    @Test(
        "Submitted: the last success, a refusal, an abort and the deadline race in every order (bug 52)",
        arguments: orders([.lastSuccess, .refusal, .abort, .deadline]))
    func submittedRace(order: [Decider]) {
        for isSaga in [true, false] {
            var fixture = Fixture()
            fixture.apply(isSaga ? .saga("a") : .tcc("a"))
            fixture.clock = 20_000
            let decision = order[0].decision
            var decided: [TransactionEffect] = []
            for decider in order {
                fixture.apply(decider.command(isSaga ? .action : .try))
                decided += fixture.effects.filter { effect in
                    if case .decided = effect { true } else { false }
                }
            }
            #expect(decided == [.decided(.test, decision)])
            #expect(fixture.transaction()?.decision == decision)
            #expect(fixture.transaction()?.decidedAt == LogTime(rawValue: 20_000))
            switch (decision, isSaga) {
            case (.commit, true): #expect(fixture.due().isEmpty)
            case (.commit, false): #expect(fixture.due() == ["a confirm"])
            case (.abort, true): #expect(fixture.due() == ["a compensate"])
            case (.abort, false): #expect(fixture.due() == ["a cancel"])
            }
        }
    }

    @Test("A submitted transaction commits by itself: a commit from outside is refused while it runs")
    func commitOfSubmitted() {
        var fixture = Fixture()
        fixture.apply(.saga("a"))
        #expect(fixture.apply(one: .commit(.test)) == .rejected(.notOpen(.running)))
        #expect(fixture.transaction()?.decision == nil)
        fixture.answer("a", .action, .success)
        #expect(fixture.apply(one: .commit(.test)) == .alreadyDone)
        #expect(fixture.apply(one: .abort(.test, reason: nil)) == .rejected(.alreadyDecided(.commit)))
    }

    @Test("A branch that comes after the decision is refused, also when the transaction is archived (bug 53)")
    func lateRegistration() {
        for decision in Decision.allCases {
            var fixture = Fixture()
            fixture.apply(.begin(.tcc), .registerBranch(.test, .begunTCC("a")))
            fixture.apply(decision == .commit ? .commit(.test) : .abort(.test, reason: nil))
            let late = Command.registerBranch(.test, .begunTCC("b"))
            #expect(fixture.apply(one: late) == .rejected(.alreadyDecided(decision)))
            #expect(fixture.effects.isEmpty)
            fixture.answer("a", decision == .commit ? .confirm : .cancel, .success)
            #expect(fixture.apply(one: late) == .rejected(.alreadyDecided(decision)))
            fixture.archiveAndEvict()
            #expect(fixture.machine.transaction(.test) == nil)
            #expect(fixture.apply(one: late) == .rejected(.alreadyDecided(decision)))
            #expect(fixture.transaction()?.branches.count == 1)
            // The one that did register is told so, however late it asks again.
            #expect(fixture.apply(one: .registerBranch(.test, .begunTCC("a"))) == .accepted(isNew: false))
        }
    }

    @Test("Nothing can be asked of a transaction that never was")
    func unknown() {
        var fixture = Fixture()
        let commands: [Command] = [
            .commit(.test), .abort(.test, reason: nil), .deadlineReached(.test), .registerBranch(.test, .saga("a")),
            Decider.refusal.command(.action), .failedAttempts("a", .action, attempts: 1, error: "e"),
        ]
        for command in commands { #expect(fixture.apply(one: command) == .rejected(.unknownTransaction)) }
        #expect(fixture.machine.liveCount == 0)
        #expect(fixture.machine.allLive.isEmpty)
    }
}
