// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("Saga: steps, and compensation in reverse order") struct SagaTests {
    @Test("Steps are called one after the other, and the last success commits")
    func sequentialCommit() {
        var fixture = Fixture()
        #expect(fixture.apply(one: .saga("a", "b", "c")) == .accepted(isNew: true))
        #expect(fixture.effects == [.deadlineSet(.test, LogTime(rawValue: 11_000)), .callsDue(.test)])
        for (step, next) in [("a", "b"), ("b", "c")] {
            #expect(fixture.due() == ["\(step) action"])
            #expect(fixture.answer(step, .action, .success) == .accepted(isNew: true))
            #expect(fixture.effects == [.callsDue(.test)])
            #expect(fixture.due() == ["\(next) action"])
            #expect(fixture.transaction()?.decision == nil)
        }
        fixture.clock = 1_500
        fixture.answer("c", .action, .success)
        #expect(fixture.effects == [.decided(.test, .commit), .finished(.test)])
        #expect(fixture.state() == .committed)
        #expect(fixture.due().isEmpty)
        #expect(fixture.branchStates() == [.done, .done, .done])
        #expect(fixture.transaction()?.decidedAt == LogTime(rawValue: 1_500))
        #expect(fixture.transaction()?.finishedIndex == 4)
        #expect(fixture.machine.liveCount == 0)
    }

    @Test(
        "A refused step: it and the steps before it are undone in reverse order, later ones are never called (I10)",
        arguments: 0..<4)
    func refusedStep(refused: Int) {
        let ids = ["a", "b", "c", "d"]
        var fixture = Fixture()
        fixture.apply(.saga("a", "b", "c", "d"))
        for id in ids[..<refused] { fixture.answer(id, .action, .success) }
        fixture.answer(ids[refused], .action, .failure, detail: "no money")
        #expect(fixture.state() == .aborting)
        #expect(fixture.transaction()?.reason == "branch \(ids[refused]): action failed: no money")
        for id in ids[...refused].reversed() {
            #expect(fixture.due() == ["\(id) compensate"])
            fixture.answer(id, .compensate, .success)
        }
        #expect(fixture.state() == .aborted)
        #expect(fixture.effects == [.finished(.test)])
        #expect(fixture.due().isEmpty)
        let expected = ids.indices.map { $0 <= refused ? BranchState.compensated : .pending }
        #expect(fixture.branchStates() == expected)
    }

    @Test("A concurrent saga calls all its actions at once and waits for all")
    func concurrentCommit() {
        var fixture = Fixture()
        fixture.apply(.saga("a", "b", "c", isConcurrent: true))
        #expect(fixture.due() == ["a action", "b action", "c action"])
        fixture.answer("c", .action, .success)
        #expect(fixture.effects.isEmpty)
        fixture.answer("a", .action, .success)
        #expect(fixture.due() == ["b action"])
        fixture.answer("b", .action, .success)
        #expect(fixture.effects == [.decided(.test, .commit), .finished(.test)])
        #expect(fixture.state() == .committed)
    }

    @Test(
        "A refused step of a concurrent saga: actions still under way count as done, and all are undone in reverse order"
    )
    func concurrentAbort() {
        var fixture = Fixture()
        fixture.apply(.saga("a", "b", "c", "d", isConcurrent: true))
        fixture.answer("a", .action, .success)
        fixture.answer("c", .action, .failure)
        #expect(fixture.branchStates() == [.done, .unknown, .failed, .compensating])
        for id in ["d", "c", "b", "a"] {
            #expect(fixture.due() == ["\(id) compensate"])
            fixture.answer(id, .compensate, .success)
        }
        #expect(fixture.state() == .aborted)
    }

    @Test("An action that succeeds behind the decision is undone all the same, and the history says so")
    func lateSuccess() {
        var fixture = Fixture()
        fixture.apply(.saga("a", "b"))
        fixture.answer("a", .action, .success)
        fixture.clock = 11_000
        #expect(fixture.apply(one: .deadlineReached(.test)) == .accepted(isNew: true))
        #expect(fixture.due() == ["b compensate"])
        #expect(fixture.answer("b", .action, .success) == .alreadyDone)
        #expect(fixture.effects.isEmpty)
        #expect(fixture.due() == ["b compensate"])
        #expect(fixture.transaction()?.history.last?.kind == .lateSuccess)
        let before = fixture.transaction()
        #expect(fixture.answer("b", .action, .success) == .alreadyDone)
        #expect(fixture.transaction() == before, "the same late answer is told twice")
        fixture.answer("b", .compensate, .success)
        #expect(fixture.due() == ["a compensate"])
        fixture.answer("a", .compensate, .success)
        #expect(fixture.state() == .aborted)
        #expect(fixture.transaction()?.reason == "deadline passed")
    }

    @Test("An answer to a call that is no longer due changes nothing")
    func repeatedAnswers() {
        var fixture = Fixture()
        fixture.apply(.saga("a", "b"))
        fixture.answer("a", .action, .success)
        let before = fixture.machine.digested()
        let transaction = fixture.transaction()
        #expect(fixture.answer("a", .action, .success) == .alreadyDone)
        #expect(fixture.answer("a", .action, .failure) == .alreadyDone)
        #expect(fixture.answer("a", .compensate, .success) == .alreadyDone)
        #expect(fixture.answer("b", .compensate, .success) == .alreadyDone)
        #expect(fixture.answer("x", .action, .success) == .rejected(.unknownBranch))
        #expect(fixture.transaction() == transaction)
        #expect(fixture.machine.digested() != before, "the applied index is part of the state")
        fixture.answer("b", .action, .success)
        let committed = fixture.transaction()
        #expect(committed?.state == .committed)
        #expect(fixture.answer("b", .action, .failure) == .alreadyDone)
        #expect(fixture.transaction() == committed)
    }

    @Test("A compensation that is refused can't be obeyed: it is shown, and stays due until it succeeds")
    func refusedCompensation() {
        var fixture = Fixture()
        fixture.apply(.saga("a"))
        fixture.answer("a", .action, .failure)
        #expect(fixture.answer("a", .compensate, .failure, attempts: 3, detail: "closed") == .accepted(isNew: true))
        #expect(fixture.effects == [.callsDue(.test)])
        #expect(fixture.state() == .aborting)
        #expect(fixture.due() == ["a compensate"])
        #expect(fixture.transaction()?.branches[0].lastError == "closed")
        #expect(fixture.machine.dueCalls(of: .test).map(\.priorAttempts) == [3])
        fixture.answer("a", .compensate, .success, attempts: 4)
        #expect(fixture.state() == .aborted)
        #expect(fixture.transaction()?.branches[0].lastError == nil)
    }

    @Test("A saga that is begun runs its steps once the application asks for the commit")
    func begunCommit() {
        var fixture = Fixture()
        fixture.apply(.begin(.saga), .registerBranch(.test, .saga("a")), .registerBranch(.test, .saga("b")))
        #expect(fixture.state() == .open)
        #expect(fixture.due().isEmpty)
        #expect(fixture.apply(one: .commit(.test)) == .accepted(isNew: true))
        #expect(fixture.state() == .running)
        #expect(fixture.due() == ["a action"])
        #expect(fixture.apply(one: .commit(.test)) == .alreadyDone)
        #expect(fixture.apply(one: .registerBranch(.test, .saga("c"))) == .rejected(.notOpen(.running)))
        fixture.answer("a", .action, .success)
        fixture.answer("b", .action, .success)
        #expect(fixture.state() == .committed)
        #expect(fixture.apply(one: .commit(.test)) == .alreadyDone)
    }

    @Test("A begun saga without branches commits at once; an abort before the first step calls nobody")
    func begunEnds() {
        var fixture = Fixture()
        fixture.apply(.begin(.saga))
        fixture.apply(.commit(.test))
        #expect(fixture.state() == .committed)
        let other = Gid.test("t-2")
        fixture.apply(.begin(.saga, gid: other), .registerBranch(other, .saga("a")))
        fixture.apply(.abort(other, reason: nil))
        #expect(fixture.effects == [.decided(other, .abort), .finished(other)])
        #expect(fixture.state(other) == .aborted)
        #expect(fixture.branchStates(other) == [.pending])
    }
}
