// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("TCC: try, then confirm or cancel") struct TCCTests {
    @Test("All tries at once; when the last has succeeded all are confirmed at once")
    func commit() {
        var fixture = Fixture()
        #expect(fixture.apply(one: .tcc("a", "b")) == .accepted(isNew: true))
        #expect(fixture.due() == ["a try", "b try"])
        fixture.answer("b", .try, .success)
        #expect(fixture.effects.isEmpty)
        #expect(fixture.due() == ["a try"])
        fixture.answer("a", .try, .success)
        #expect(fixture.effects == [.decided(.test, .commit), .callsDue(.test)])
        #expect(fixture.state() == .committing)
        #expect(fixture.due() == ["a confirm", "b confirm"])
        fixture.answer("a", .confirm, .success)
        #expect(fixture.effects.isEmpty)
        fixture.answer("b", .confirm, .success)
        #expect(fixture.effects == [.finished(.test)])
        #expect(fixture.state() == .committed)
        #expect(fixture.branchStates() == [.confirmed, .confirmed])
    }

    @Test("A refused try cancels every branch, also those whose try has no known outcome")
    func refusedTry() {
        var fixture = Fixture()
        fixture.apply(.tcc("a", "b", "c"))
        fixture.answer("a", .try, .success)
        fixture.answer("b", .try, .failure, detail: "limit")
        #expect(fixture.effects == [.decided(.test, .abort), .callsDue(.test)])
        #expect(fixture.due() == ["a cancel", "b cancel", "c cancel"])
        #expect(fixture.transaction()?.reason == "branch b: try failed: limit")
        for id in ["b", "c", "a"] { fixture.answer(id, .cancel, .success) }
        #expect(fixture.state() == .aborted)
        #expect(fixture.branchStates() == [.cancelled, .cancelled, .cancelled])
    }

    @Test("A try that succeeds behind the abort stays cancelled: no confirm is ever due (I9)")
    func lateTry() {
        var fixture = Fixture()
        fixture.apply(.tcc("a", "b"))
        fixture.apply(.abort(.test, reason: "user went away"))
        #expect(fixture.transaction()?.reason == "aborted by request: user went away")
        #expect(fixture.answer("a", .try, .success) == .alreadyDone)
        #expect(fixture.answer("b", .try, .success) == .alreadyDone)
        #expect(fixture.due() == ["a cancel", "b cancel"])
        #expect(fixture.transaction()?.history.filter { $0.kind == .lateSuccess }.count == 2)
        #expect(fixture.answer("a", .confirm, .success) == .alreadyDone)
        #expect(fixture.branchStates() == [.cancelling, .cancelling])
    }

    @Test("A refused confirm can't undo the commit: it stays due and is shown")
    func refusedConfirm() {
        var fixture = Fixture()
        fixture.apply(.tcc("a"))
        fixture.answer("a", .try, .success)
        #expect(fixture.answer("a", .confirm, .failure, attempts: 2) == .accepted(isNew: true))
        #expect(fixture.transaction()?.decision == .commit)
        #expect(fixture.due() == ["a confirm"])
        #expect(fixture.transaction()?.branches[0].lastError == "refused")
        #expect(fixture.transaction()?.history.last?.kind == .attemptsFailed)
        #expect(fixture.answer("a", .confirm, .success, attempts: 3) == .accepted(isNew: true))
        #expect(fixture.state() == .committed)
    }

    @Test("Begun: the application makes the tries; commit confirms and abort cancels what has registered")
    func begun() {
        for decision in Decision.allCases {
            var fixture = Fixture()
            fixture.apply(.begin(.tcc))
            #expect(fixture.apply(one: .registerBranch(.test, .begunTCC("a"))) == .accepted(isNew: true))
            #expect(fixture.apply(one: .registerBranch(.test, .begunTCC("b"))) == .accepted(isNew: true))
            #expect(fixture.due().isEmpty)
            let name: String
            switch decision {
            case .commit:
                fixture.apply(.commit(.test))
                name = "confirm"
            case .abort:
                fixture.apply(.abort(.test, reason: nil))
                name = "cancel"
            }
            #expect(fixture.effects == [.decided(.test, decision), .callsDue(.test)])
            #expect(fixture.due() == ["a \(name)", "b \(name)"])
        }
    }

    @Test("Begun without branches: the end is there at once")
    func begunEmpty() {
        var fixture = Fixture()
        fixture.apply(.begin(.tcc), .commit(.test))
        #expect(fixture.state() == .committed)
        let other = Gid.test("t-2")
        fixture.apply(.begin(.tcc, gid: other), .abort(other, reason: nil))
        #expect(fixture.state(other) == .aborted)
    }

    @Test("The application makes the tries of what it has begun: a branch that names one is refused")
    func begunWithTry() {
        var fixture = Fixture()
        fixture.apply(.begin(.tcc))
        guard case .rejected(.invalid(let problem)) = fixture.apply(one: .registerBranch(.test, .tcc("a"))) else {
            Issue.record("a branch with a try was accepted")
            return
        }
        #expect(problem.path == "/try")
    }
}
