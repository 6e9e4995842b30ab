// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

/// A submission that differs from the usual one, and where it does.
struct OtherContent: Sendable, CustomTestStringConvertible {
    let path: String
    let submission: Submission

    var testDescription: String { self.path }
}

@Suite("The same gid: same content, same answer; other content, a conflict (bug 60)") struct IdempotenceTests {
    static let headers = [Header(name: "X-A", value: "1"), Header(name: "X-B", value: "2")]

    static func submission(
        kind: TransactionKind = .saga, isConcurrent: Bool = false, timeout: UInt64 = 10_000,
        branches: [BranchSpec] = [.saga("a", headers: headers), .saga("b")]
    ) -> Submission {
        Submission(
            gid: .test, kind: kind, isConcurrent: isConcurrent, timeoutMilliseconds: timeout, branches: branches)
    }

    static let others: [OtherContent] = [
        OtherContent(
            path: "/protocol", submission: submission(kind: .tcc, branches: [.tcc("a", headers: headers), .tcc("b")])),
        OtherContent(path: "/concurrent", submission: submission(isConcurrent: true)),
        OtherContent(path: "/timeout_ms", submission: submission(timeout: 10_001)),
        OtherContent(path: "/branches", submission: submission(branches: [.saga("a", headers: headers)])),
        OtherContent(
            path: "/branches/1/id", submission: submission(branches: [.saga("a", headers: headers), .saga("c")])),
        OtherContent(
            path: "/branches/0/action",
            submission: submission(branches: [
                BranchSpec(
                    id: .test("a"),
                    targets: [
                        Target(operation: .action, url: "http://other.example/a"),
                        Target(operation: .compensate, url: "http://bank.example:8080/a/compensate"),
                    ], headers: headers, payload: [1, 2, 3]), .saga("b"),
            ])),
        OtherContent(
            path: "/branches/0/headers",
            submission: submission(branches: [.saga("a", headers: [headers[0]]), .saga("b")])),
        OtherContent(
            path: "/branches/1/payload",
            submission: submission(branches: [.saga("a", headers: headers), .saga("b", payload: [1, 2])])),
    ]

    /// How far the transaction is when the request comes again.
    enum Moment: CaseIterable, Sendable { case running, finished, archived }

    static func fixture(at moment: Moment) -> Fixture {
        var fixture = Fixture()
        fixture.apply(.submit(Self.submission()))
        guard moment != .running else { return fixture }
        fixture.answer("a", .action, .success)
        fixture.answer("b", .action, .success)
        if moment == .archived { fixture.archiveAndEvict() }
        return fixture
    }

    @Test("The same submission again is accepted and changes nothing", arguments: Moment.allCases)
    func same(moment: Moment) {
        var fixture = Self.fixture(at: moment)
        let before = fixture.transaction()
        #expect((fixture.machine.transaction(.test) == nil) == (moment == .archived))
        fixture.clock += 5_000
        #expect(fixture.apply(one: .submit(Self.submission())) == .accepted(isNew: false))
        #expect(fixture.effects.isEmpty)
        #expect(fixture.transaction() == before)
        #expect(fixture.machine.liveCount == (moment == .running ? 1 : 0))
    }

    @Test("Headers in another order are the same content")
    func headerOrder() {
        var fixture = Self.fixture(at: .running)
        let again = Self.submission(branches: [.saga("a", headers: Self.headers.reversed()), .saga("b")])
        #expect(fixture.apply(one: .submit(again)) == .accepted(isNew: false))
    }

    @Test("Other content is refused and named by its first difference", arguments: others, Moment.allCases)
    func conflict(other: OtherContent, moment: Moment) {
        var fixture = Self.fixture(at: moment)
        let before = fixture.transaction()
        #expect(fixture.apply(one: .submit(other.submission)) == .rejected(.contentConflict(path: other.path)))
        #expect(fixture.effects.isEmpty)
        #expect(fixture.transaction() == before)
    }

    @Test("Two submissions of one gid in one entry: the first makes it, the second finds it")
    func sameEntry() {
        var fixture = Fixture()
        let submit = Command.submit(Self.submission())
        let other = Command.submit(Self.submission(timeout: 1))
        #expect(
            fixture.apply(submit, submit, other) == [
                .accepted(isNew: true), .accepted(isNew: false), .rejected(.contentConflict(path: "/timeout_ms")),
            ])
        #expect(fixture.machine.liveCount == 1)
    }

    @Test("Begin again: the branches that have registered since make no difference", arguments: Moment.allCases)
    func begin(moment: Moment) {
        var fixture = Fixture()
        fixture.apply(.begin(.tcc), .registerBranch(.test, .begunTCC("a")))
        if moment != .running {
            fixture.apply(.commit(.test))
            fixture.answer("a", .confirm, .success)
        }
        if moment == .archived { fixture.archiveAndEvict() }
        #expect(fixture.apply(one: .begin(.tcc)) == .accepted(isNew: false))
        #expect(fixture.apply(one: .begin(.saga)) == .rejected(.contentConflict(path: "/protocol")))
        #expect(fixture.apply(one: .begin(.tcc, timeout: 1)) == .rejected(.contentConflict(path: "/timeout_ms")))
        #expect(fixture.effects.isEmpty)
    }

    @Test("What was begun can't be submitted, and what was submitted can't be begun")
    func beginAgainstSubmit() {
        var fixture = Self.fixture(at: .running)
        #expect(fixture.apply(one: .begin(.saga)) == .rejected(.contentConflict(path: "/branches")))
        var other = Fixture()
        other.apply(.begin(.saga), .registerBranch(.test, .saga("a")))
        #expect(other.apply(one: .saga("a")) == .rejected(.contentConflict(path: "/branches")))
    }

    @Test("A branch registers once; the same id with other content is a conflict")
    func register() {
        var fixture = Fixture()
        fixture.apply(.begin(.saga))
        #expect(fixture.apply(one: .registerBranch(.test, .saga("a"))) == .accepted(isNew: true))
        #expect(fixture.apply(one: .registerBranch(.test, .saga("a"))) == .accepted(isNew: false))
        #expect(
            fixture.apply(one: .registerBranch(.test, .saga("a", payload: [])))
                == .rejected(.contentConflict(path: "/payload")))
        #expect(fixture.branchStates() == [.pending])
    }

    @Test("A submitted transaction takes no more branches")
    func registerWithSubmitted() {
        var fixture = Self.fixture(at: .running)
        #expect(fixture.apply(one: .registerBranch(.test, .saga("c"))) == .rejected(.notOpen(.running)))
    }
}
