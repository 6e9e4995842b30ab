// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("Calls without a certain answer, and the history") struct AttemptTests {
    @Test("A call that gives no certain answer stays due; what is known of it is shown")
    func staysDue() {
        var fixture = Fixture()
        fixture.apply(.tcc("a", "b"))
        #expect(fixture.apply(one: .failedAttempts("a", .try, attempts: 4, error: "timeout")) == .accepted(isNew: true))
        #expect(fixture.effects.isEmpty)
        #expect(fixture.due() == ["a try", "b try"])
        #expect(fixture.machine.dueCalls(of: .test).map(\.priorAttempts) == [4, 0])
        #expect(fixture.transaction()?.branches[0].lastError == "timeout")
        #expect(fixture.transaction()?.decision == nil)
        fixture.answer("a", .try, .success, attempts: 5)
        #expect(fixture.transaction()?.branches[0].lastError == nil)
        #expect(fixture.transaction()?.branches[0].attempts == 5)
    }

    @Test("Behind the decision no number of failures gives up: the call stays due for ever, with its reason")
    func neverGivesUp() {
        var fixture = Fixture()
        fixture.apply(.tcc("a"))
        fixture.answer("a", .try, .success)
        for attempts: UInt32 in [10, 1_000, .max - 1, .max] {
            fixture.apply(.failedAttempts("a", .confirm, attempts: attempts, error: "unreachable \(attempts)"))
            #expect(fixture.due() == ["a confirm"])
            #expect(fixture.state() == .committing)
            #expect(fixture.transaction()?.branches[0].lastError == "unreachable \(attempts)")
        }
        fixture.answer("a", .confirm, .success, attempts: 1)
        #expect(fixture.state() == .committed)
        #expect(fixture.transaction()?.branches[0].attempts == .max, "the count of attempts went back")
    }

    @Test("Attempts of an old leader, of another operation or of a finished transaction change nothing")
    func stale() {
        var fixture = Fixture()
        fixture.apply(.saga("a"))
        fixture.apply(.failedAttempts("a", .action, attempts: 5, error: "late"))
        let before = fixture.transaction()
        #expect(fixture.apply(one: .failedAttempts("a", .action, attempts: 4, error: "old")) == .alreadyDone)
        #expect(fixture.apply(one: .failedAttempts("a", .compensate, attempts: 9, error: "old")) == .alreadyDone)
        #expect(
            fixture.apply(one: .failedAttempts("x", .action, attempts: 9, error: "e")) == .rejected(.unknownBranch))
        #expect(fixture.transaction() == before)
        fixture.answer("a", .action, .success)
        let finished = fixture.transaction()
        #expect(fixture.apply(one: .failedAttempts("a", .action, attempts: 9, error: "old")) == .alreadyDone)
        #expect(fixture.transaction() == finished)
    }

    @Test("Each operation counts its own attempts")
    func attemptsPerOperation() {
        var fixture = Fixture()
        fixture.apply(.tcc("a"))
        fixture.answer("a", .try, .success, attempts: 7)
        #expect(fixture.machine.dueCalls(of: .test).map(\.priorAttempts) == [0])
    }

    @Test("The history stays bounded, and what decides is never given up")
    func boundedHistory() {
        var fixture = Fixture()
        let ids = (0..<256).map { "b\($0)" }
        fixture.apply(
            .submit(
                Submission(
                    gid: .test, kind: .tcc, timeoutMilliseconds: 1_000, branches: ids.map { .tcc($0, payload: []) })))
        for id in ids {
            for attempts: UInt32 in 1...3 { fixture.apply(.failedAttempts(id, .try, attempts: attempts, error: "e")) }
        }
        #expect(fixture.transaction()?.history.count == 257, "only the latest failure of an operation is kept")
        fixture.answer("b0", .try, .failure)
        for id in ids {
            fixture.answer(id, .try, .success)
            fixture.apply(.failedAttempts(id, .cancel, attempts: 1, error: "e"))
            fixture.answer(id, .cancel, .success)
        }
        let history = fixture.transaction()?.history ?? []
        #expect(history.count <= Limits.historyLength(branches: 256))
        let kinds = history.map(\.kind)
        #expect(kinds.first == .submitted)
        #expect(kinds.last == .finished)
        #expect(kinds.filter { $0 == .decidedAbort }.count == 1)
        #expect(kinds.filter { $0 == .failed }.count == 1)
        #expect(kinds.filter { $0 == .succeeded }.count == 256)
        #expect(kinds.filter { $0 == .lateSuccess }.count == 255)
    }

    @Test("Long words are cut at a character's start")
    func boundedText() {
        var fixture = Fixture()
        fixture.apply(.saga("a"))
        let long = String(repeating: "€", count: 200)
        fixture.apply(.failedAttempts("a", .action, attempts: 1, error: long))
        let shown = fixture.transaction()?.branches[0].lastError ?? ""
        #expect(shown == String(repeating: "€", count: 85))
        fixture.answer("a", .action, .failure, detail: long)
        #expect((fixture.transaction()?.reason?.utf8.count ?? 0) <= Limits.textLength)
        #expect(bounded("é", to: 1) == "")
        #expect(bounded("aé", to: 2) == "a")
        #expect(bounded("ab", to: 2) == "ab")
    }
}
