// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

/// A branch that breaks a rule, where, and a word of the message.
struct BadBranch: Sendable, CustomTestStringConvertible {
    let name: String
    let path: String
    let words: String
    let branch: BranchSpec

    init(_ name: String, _ path: String, _ words: String, _ branch: BranchSpec) {
        self.name = name
        self.path = path
        self.words = words
        self.branch = branch
    }

    var testDescription: String { self.name }
}

@Suite("Requests that break a rule are refused, and told which field and why") struct ValidationTests {
    static func submission(
        kind: TransactionKind = .saga, isConcurrent: Bool = false, timeout: UInt64 = 1_000, _ branches: [BranchSpec]
    ) -> Submission {
        Submission(
            gid: .test, kind: kind, isConcurrent: isConcurrent, timeoutMilliseconds: timeout, branches: branches)
    }

    static func problem(of submission: Submission) -> SubmissionProblem? {
        do {
            try submission.validate()
            return nil
        } catch {
            return error
        }
    }

    static func action(_ url: String) -> BranchSpec {
        BranchSpec(
            id: .test("a"),
            targets: [
                Target(operation: .action, url: url), Target(operation: .compensate, url: "http://bank.example/undo"),
            ])
    }

    @Test("The number of branches: none and 257 are refused, 1 and 256 are not")
    func branchCount() {
        let none = Self.problem(of: Self.submission([]))
        #expect(none == SubmissionProblem(path: "/branches", message: "at least one branch is needed"))
        let many = (0..<257).map { BranchSpec.saga("b\($0)", payload: []) }
        let tooMany = Self.problem(of: Self.submission(many))
        #expect(tooMany == SubmissionProblem(path: "/branches", message: "257 branches; at most 256 are allowed"))
        #expect(Self.problem(of: Self.submission(Array(many.dropLast()))) == nil)
        #expect(Self.problem(of: Self.submission([many[0]])) == nil)
    }

    @Test("The machine takes the 256th branch of a begun transaction and refuses the 257th")
    func registeredCount() {
        var fixture = Fixture()
        fixture.apply(.begin(.tcc))
        for number in 0..<256 {
            #expect(
                fixture.apply(one: .registerBranch(.test, .begunTCC("b\(number)"))) == .accepted(isNew: true))
        }
        #expect(fixture.apply(one: .registerBranch(.test, .begunTCC("b256"))) == .rejected(.tooManyBranches))
        #expect(fixture.apply(one: .registerBranch(.test, .begunTCC("b255"))) == .accepted(isNew: false))
    }

    @Test("A gid has 1 to 128 bytes of printable ASCII, a branch id 1 to 64")
    func names() {
        for (length, isValid) in [(0, false), (1, true), (128, true), (129, false)] {
            #expect((Gid(rawValue: String(repeating: "g", count: length)) != nil) == isValid)
        }
        for (length, isValid) in [(0, false), (1, true), (64, true), (65, false)] {
            #expect((BranchID(rawValue: String(repeating: "b", count: length)) != nil) == isValid)
        }
        for scalar in (0...0x100).compactMap(UnicodeScalar.init) {
            let text = "a\(Character(scalar))"
            let isValid = (0x21...0x7e).contains(scalar.value)
            #expect((Gid(rawValue: text) != nil) == isValid, "U+\(String(scalar.value, radix: 16))")
            #expect((BranchID(rawValue: text) != nil) == isValid, "U+\(String(scalar.value, radix: 16))")
        }
    }

    @Test("The timeout is 1 ms to a day", arguments: [(0, false), (1, true), (86_400_000, true), (86_400_001, false)])
    func timeout(milliseconds: UInt64, isValid: Bool) {
        let problem = Self.problem(of: Self.submission(timeout: milliseconds, [.saga("a")]))
        let expected = SubmissionProblem(path: "/timeout_ms", message: "must be 1 to 86400000")
        #expect(problem == (isValid ? nil : expected))
        let beginning = Beginning(gid: .test, kind: .tcc, timeoutMilliseconds: milliseconds)
        var fixture = Fixture()
        let result = fixture.apply(one: .begin(beginning))
        #expect(result == (isValid ? .accepted(isNew: true) : .rejected(.invalid(expected))))
    }

    @Test(
        "URLs and headers of a transaction are bounded together, submitted or registered, so that it fits into the log")
    func targetsTogether() {
        let headers = (0..<32).map { Header(name: "X-\($0)", value: String(repeating: "v", count: 4096)) }
        let branches = (0..<17).map { BranchSpec.saga("b\($0)", headers: headers, payload: []) }
        let problem = Self.problem(of: Self.submission(branches))
        #expect(problem?.path == "/branches/15")
        #expect(problem?.message == "the URLs and headers of a transaction are over 2097152 bytes together")
        #expect(Self.problem(of: Self.submission(Array(branches.prefix(15)))) == nil)
        var fixture = Fixture()
        fixture.apply(.begin(.saga))
        var results: [CommandResult] = []
        for branch in branches { results.append(fixture.apply(one: .registerBranch(.test, branch))) }
        #expect(results.prefix(15).allSatisfy { $0 == .accepted(isNew: true) })
        guard case .rejected(.invalid(let problem)) = results[15] else {
            Issue.record("\(results[15])")
            return
        }
        #expect(problem.message.contains("2097152"))
    }

    @Test("Only a saga's steps can be concurrent")
    func concurrent() {
        #expect(Self.problem(of: Self.submission(kind: .tcc, isConcurrent: true, [.tcc("a")]))?.path == "/concurrent")
        #expect(Self.problem(of: Self.submission(kind: .saga, isConcurrent: true, [.saga("a")])) == nil)
    }

    @Test("Branch ids are unique, in small and in large transactions", arguments: [2, 8, 9, 200])
    func repeatedID(count: Int) {
        var branches = (0..<count).map { BranchSpec.saga("b\($0)", payload: []) }
        branches[count - 1] = .saga("b0", payload: [])
        let problem = Self.problem(of: Self.submission(branches))
        #expect(problem?.path == "/branches/\(count - 1)/id")
        #expect(problem?.message == "b0 is the id of an earlier branch")
    }

    static let badBranches: [BadBranch] = [
        BadBranch("no action", "/branches/0/action", "is needed", .test("a", [.compensate])),
        BadBranch("no compensate", "/branches/0/compensate", "is needed", .test("a", [.action])),
        BadBranch("confirm", "/branches/0/confirm", "no confirm", .test("a", [.action, .compensate, .confirm])),
        BadBranch("action twice", "/branches/0/action", "twice", .test("a", [.action, .action, .compensate])),
        BadBranch("empty URL", "/branches/0/action", "not an absolute", action("")),
        BadBranch("relative URL", "/branches/0/action", "not an absolute", action("/a")),
        BadBranch("ftp URL", "/branches/0/action", "not an absolute", action("ftp://bank.example/a")),
        BadBranch("no host", "/branches/0/action", "host and port", action("http:///a")),
        BadBranch("user in URL", "/branches/0/action", "host and port", action("http://me:pw@bank.example/a")),
        BadBranch("port 0", "/branches/0/action", "host and port", action("http://bank.example:0/a")),
        BadBranch("port 65536", "/branches/0/action", "host and port", action("http://bank.example:65536/a")),
        BadBranch("port x", "/branches/0/action", "host and port", action("http://bank.example:x/a")),
        BadBranch("empty port", "/branches/0/action", "host and port", action("http://bank.example:/a")),
        BadBranch("open bracket", "/branches/0/action", "host and port", action("http://[::1/a")),
        BadBranch("space", "/branches/0/action", "can't have", action("http://bank.example/a b")),
        BadBranch("line feed", "/branches/0/action", "can't have", action("http://bank.example/a\nHost: x")),
        BadBranch("fragment", "/branches/0/action", "can't have", action("http://bank.example/a#b")),
        BadBranch("backslash", "/branches/0/action", "can't have", action("http:\\\\bank.example/")),
        BadBranch("not ASCII", "/branches/0/action", "can't have", action("http://bänk.example/")),
        BadBranch(
            "long URL", "/branches/0/action", "2049 bytes",
            action("http://bank.example/" + String(repeating: "a", count: 2029))),
        BadBranch(
            "33 headers", "/branches/0/headers", "33 headers",
            .saga("a", headers: (0..<33).map { Header(name: "X-\($0)", value: "") })),
        BadBranch("header without name", "/branches/0/headers/", "name", header("", "")),
        BadBranch("header with a space", "/branches/0/headers/X A", "name", header("X A", "")),
        BadBranch("header with a slash", "/branches/0/headers/X~1~0A", "name", header("X/~A", "")),
        BadBranch("Host", "/branches/0/headers/Host", "belongs to the connection", header("Host", "a")),
        BadBranch("framing", "/branches/0/headers/CONTENT-LENGTH", "belongs", header("CONTENT-LENGTH", "1")),
        BadBranch("our own", "/branches/0/headers/verdict-gid", "coordinator's own", header("verdict-gid", "1")),
        BadBranch("value with a line feed", "/branches/0/headers/X-A", "printable", header("X-A", "1\nX-B: 2")),
        BadBranch("long value", "/branches/0/headers/X-A", "4096", header("X-A", String(repeating: "a", count: 4097))),
        BadBranch(
            "header twice", "/branches/0/headers/x-a", "twice",
            .saga("a", headers: [Header(name: "x-a", value: "1"), Header(name: "X-A", value: "2")])),
        BadBranch(
            "long payload", "/branches/0/payload", "1048576",
            .saga("a", payload: [UInt8](repeating: 0, count: 1_048_577))),
    ]

    static func header(_ name: String, _ value: String) -> BranchSpec {
        .saga("a", headers: [Header(name: name, value: value)])
    }

    @Test("A branch that breaks a rule", arguments: badBranches)
    func badBranch(bad: BadBranch) {
        let submission = Self.submission([bad.branch])
        let problem = Self.problem(of: submission)
        #expect(problem?.path == bad.path)
        #expect(problem?.message.contains(bad.words) == true, "\(problem?.message ?? "accepted")")
        // The machine itself refuses it too, so that nothing invalid is ever applied.
        var fixture = Fixture()
        let result = fixture.apply(one: .submit(submission))
        #expect(problem.map { .rejected(.invalid($0)) } == result)
        #expect(fixture.machine.liveCount == 0)
        #expect(fixture.effects.isEmpty)
        fixture.apply(.begin(.saga))
        let registered = fixture.apply(one: .registerBranch(.test, bad.branch))
        let path = String(bad.path.dropFirst("/branches/0".count))
        #expect(problem.map { .rejected(.invalid(SubmissionProblem(path: path, message: $0.message))) } == registered)
        #expect(fixture.branchStates().isEmpty)
    }

    @Test(
        "URLs that are good",
        arguments: [
            "http://a", "https://a", "HTTP://Bank.Example:1/", "http://bank_1.example:65535?x=1",
            "http://127.0.0.1:8080/a/b",
            "http://[::1]:80/a", "https://[fe80::1]/",
        ])
    func goodURL(url: String) {
        #expect(Self.problem(of: Self.submission([Self.action(url)])) == nil)
    }

    @Test("The payloads of a transaction are bounded together")
    func payloadTotal() {
        let half = [UInt8](repeating: 7, count: 1 << 19)
        #expect(Self.problem(of: Self.submission([.saga("a", payload: half), .saga("b", payload: half)])) == nil)
        let problem = Self.problem(
            of: Self.submission([.saga("a", payload: half), .saga("b", payload: half), .saga("c", payload: [1])]))
        #expect(problem?.path == "/branches/2/payload")
        var fixture = Fixture()
        fixture.apply(.begin(.saga))
        fixture.apply(
            .registerBranch(.test, .saga("a", payload: half)), .registerBranch(.test, .saga("b", payload: half)))
        guard case .rejected(.invalid(let refused)) = fixture.apply(one: .registerBranch(.test, .saga("c"))) else {
            Issue.record("a branch over the limit was accepted")
            return
        }
        #expect(refused.path == "/payload")
        #expect(fixture.branchStates().count == 2)
    }

    @Test("A command that passes the check before it is proposed decodes on every node")
    func validCommandsDecode() throws {
        let commands: [Command] = [
            .submit(Self.submission((0..<256).map { .saga("b\($0)", payload: [UInt8](repeating: 0, count: 4_096)) })),
            .registerBranch(.test, .begunTCC("a")), .registerBranch(.test, .saga("a")), .begin(.tcc),
            .abort(.test, reason: String(repeating: "ä", count: 500)),
        ]
        for command in commands {
            try command.validate()
            #expect(try Command(decoding: command.encoded()).gid == command.gid)
        }
        #expect(throws: SubmissionProblem.self) {
            try Command.registerBranch(.test, .test("a", [.action, .confirm])).validate()
        }
        #expect(throws: SubmissionProblem.self) { try Command.registerBranch(.test, .tcc("a")).validate() }
        #expect(throws: SubmissionProblem.self) { try Command.begin(.saga, timeout: 0).validate() }
    }
}
