// SPDX-License-Identifier: Apache-2.0

import Transactions

/// Values of every shape that the codecs know.
enum Samples {
    static let submissions: [Submission] = [
        Submission(
            gid: .test("g"), kind: .saga, isConcurrent: true, timeoutMilliseconds: 1,
            branches: [
                .saga("a", headers: [Header(name: "X-A", value: "1"), Header(name: "x-b", value: "")], payload: []),
                .saga("b", payload: Array(0...255)),
            ]),
        Submission(gid: .test("h"), kind: .tcc, timeoutMilliseconds: 86_400_000, branches: [.tcc("a")]),
    ]

    static let commands: [Command] =
        submissions.map { .submit($0) } + [
            .begin(Beginning(gid: .test("g"), kind: .saga, isConcurrent: true, timeoutMilliseconds: 5)),
            .begin(Beginning(gid: .test("g"), kind: .tcc, timeoutMilliseconds: .max)),
            .registerBranch(.test("g"), .begunTCC("b")), .commit(.test("g")), .abort(.test("g"), reason: nil),
            .abort(.test("g"), reason: "grün"), .deadlineReached(.test("g")),
            .branchResult(
                BranchResult(
                    gid: .test("g"), branchID: .test("b"), operation: .confirm, verdict: .success, attempts: .max)),
            .branchResult(
                BranchResult(
                    gid: .test("g"), branchID: .test("b"), operation: .action, verdict: .failure, attempts: 0,
                    detail: "")),
            .failedAttempts("b", .cancel, attempts: 3, error: "timeout"),
        ]

    static let batches: [CommandBatch] = [
        CommandBatch(logTime: .zero, commands: []), CommandBatch(logTime: .maximum, commands: commands),
        CommandBatch(logTime: LogTime(rawValue: 1_764_000_000_000), commands: [commands[0]]),
    ]

    static let results: [CommandResult] = [
        .accepted(isNew: true), .accepted(isNew: false), .alreadyDone, .rejected(.unknownTransaction),
        .rejected(.contentConflict(path: "/branches/0/action")), .rejected(.notOpen(.running)),
        .rejected(.alreadyDecided(.commit)), .rejected(.tooManyBranches), .rejected(.deadlineNotReached),
        .rejected(.unknownBranch), .rejected(.invalid(SubmissionProblem(path: "/branches", message: "none"))),
    ]

    /// A transaction in each state that a branch and the whole can be in.
    static let transactions: [GlobalTransaction] = {
        var fixture = Fixture()
        var found: [GlobalTransaction] = []
        func note() { if let transaction = fixture.transaction() { found.append(transaction) } }
        fixture.apply(.saga("a", "b"))
        note()
        fixture.answer("a", .action, .success)
        note()
        fixture.apply(.failedAttempts("b", .action, attempts: 2, error: "ein Fehler: ß"))
        note()
        fixture.answer("b", .action, .failure, detail: "no")
        note()
        fixture.answer("b", .compensate, .success)
        note()
        fixture.answer("a", .compensate, .success)
        note()
        fixture = Fixture()
        fixture.apply(.tcc("a", "b"))
        note()
        fixture.answer("a", .try, .success)
        fixture.answer("b", .try, .success)
        note()
        fixture.answer("a", .confirm, .success)
        note()
        fixture.answer("b", .confirm, .success)
        note()
        fixture = Fixture()
        fixture.apply(.saga("a", "b", "c", isConcurrent: true))
        note()
        fixture.answer("b", .action, .failure)
        fixture.answer("a", .action, .success)
        note()
        fixture = Fixture()
        fixture.apply(.begin(.tcc))
        note()
        fixture.apply(.registerBranch(.test, .begunTCC("a")))
        note()
        fixture.apply(.abort(.test, reason: "why not"))
        note()
        fixture.answer("a", .cancel, .success)
        note()
        return found
    }()
}
