// SPDX-License-Identifier: Apache-2.0

import Testing
import clusterctl

@Suite("submit-tx and tx as processes", .timeLimit(.minutes(5)))
struct TransactionProcessTests {
    private static let saga = ["--step", "http://127.0.0.1:1/a", "--compensate", "http://127.0.0.1:1/b"]

    static let badInputs: [(arguments: [String], words: String)] = [
        (["submit-tx"], "Name a JSON file"),
        (["submit-tx", "--saga"], "a transaction needs a branch: begin it with --step URL"),
        (["submit-tx"] + Self.saga, "Say which protocol it is"),
        (["submit-tx", "--saga", "--tcc"] + Self.saga, "Say which protocol it is"),
        (["submit-tx", "t.json", "--saga"], "not from both"),
        (["submit-tx", "no-such.json"], "no-such.json can't be read: No such file or directory"),
        (["submit-tx", "--saga", "--payload", "1"] + Self.saga, "--payload stands before the first --step"),
        (["submit-tx", "--saga", "--no-wait", "--wait-for", "1s"] + Self.saga, "contradict each other"),
        (["submit-tx", "-"], "standard input: the text ends inside a value at line 1, column 2"),
        (["submit-tx", "--saga", "--gid", "two words"] + Self.saga, "a gid is 1 to 128 bytes of printable ASCII"),
        (["submit-tx", "--saga", "--timeout", "5"] + Self.saga, InitProcessTests.duration("5", "timeout")),
        (["submit-tx", "--saga", "--wait-for", "5"] + Self.saga, InitProcessTests.duration("5", "wait-for")),
        (["submit-tx", "--saga", "--patience", "5m"] + Self.saga, InitProcessTests.duration("5m", "patience")),
        (["tx", "show", "g", "--wait-for", "5"], InitProcessTests.duration("5", "wait-for")),
        (["tx", "show"], "gid"),
        (["tx", "show", "a b"], "a gid is 1 to 128 bytes of printable ASCII"),
        (["tx", "show", "g", "--consistency", "some"], "--consistency"),
        (["tx", "show", "g", "--node", "n9"], "there is no node n9 in"),
        (["tx", "list", "--state", "done"], "There is no state done"),
        (["tx", "list", "--limit", "0"], "--limit is 0"),
    ]

    @Test("Bad input ends with 64 and says what is wrong", arguments: TransactionProcessTests.badInputs)
    func badInput(arguments: [String], words: String) async throws {
        let cluster = try SampleCluster()
        let result = try await Program.clusterctl(
            arguments, environment: ["VERDICT_CONFIG": cluster.path], input: "{")
        #expect(result.code == 64, "\(result.errors)")
        #expect(result.errors.contains(words), "\(result.errors)")
    }

    @Test("Help ends with 0 and shows examples", arguments: [["submit-tx"], ["tx"], ["tx", "show"], ["tx", "list"]])
    func help(command: [String]) async throws {
        let result = try await Program.clusterctl(command + ["--help"])
        #expect(result.code == 0)
        #expect(result.output.contains("EXAMPLES"))
    }
}

@Suite("What submit-tx and tx make of a node's answers", .timeLimit(.minutes(5)))
struct AnswerProcessTests {
    private static let saga = ["--saga", "--step", "http://127.0.0.1:1/a", "--compensate", "http://127.0.0.1:1/b"]

    /// Runs a command against a node that gives one answer to everything.
    private static func run(
        _ arguments: [String], answer: String, status: String = "200 OK", input: String = ""
    ) async throws -> Program.Result {
        let server = try await CannedServer(answer, status: status)
        let cluster = try SampleCluster(nodes: 1, clientPort: server.port)
        let result = try await Program.clusterctl(arguments + ["--config", cluster.path], input: input)
        try await server.stop()
        return result
    }

    static let outcomes: [(outcome: String, arguments: [String], code: Int32, words: String)] = [
        (#""committed""#, [], 0, "Committed: transaction g-1\n"),
        (#""committed""#, ["--no-wait"], 0, "Committed: transaction g-1\n"),
        (#""aborted""#, [], 3, "Aborted: transaction g-1 (why not)\n"),
        ("null", ["--no-wait"], 0, "Recorded: transaction g-1, running\n"),
        ("null", ["--wait-for", "50ms"], 4, "Not decided in the time to wait: transaction g-1, running (why not)\n"),
    ]

    @Test("The exit code is the outcome", arguments: AnswerProcessTests.outcomes)
    func outcome(outcome: String, arguments: [String], code: Int32, words: String) async throws {
        let answer = SubmissionReportTests.json(outcome: outcome, state: "running", reason: #""why not""#)
        let result = try await Self.run(["submit-tx"] + Self.saga + arguments, answer: answer)
        #expect(result.code == code, "\(result.errors)")
        #expect(result.output.hasPrefix(words), "\(result.output)")
        let json = try await Self.run(["submit-tx", "--json"] + Self.saga + arguments, answer: answer)
        #expect(json.code == code)
        #expect(try json.json("gid") == "g-1")
    }

    @Test("A transaction comes from standard input, too")
    func standardInput() async throws {
        let result = try await Self.run(
            ["submit-tx", "-"],
            answer: SubmissionReportTests.json(outcome: #""committed""#, state: "committed", reason: "null"),
            input: #"{"protocol": "saga", "branches": [{"action": "http://a/1", "compensate": "http://a/2"}]}"#)
        #expect(result.code == 0, "\(result.errors)")
    }

    static let problems: [(status: String, code: String, exit: Int32)] = [
        ("504 Gateway Timeout", "outcome-unknown", 4), ("503 Service Unavailable", "no-leader", 69),
        ("429 Too Many Requests", "overloaded", 69), ("400 Bad Request", "invalid-request", 64),
        ("403 Forbidden", "target-not-allowed", 64), ("409 Conflict", "gid-conflict", 70),
        ("418 I'm a teapot", "tea", 70),
    ]

    @Test("A problem is one of few exit codes, and its gid is told", arguments: AnswerProcessTests.problems)
    func problem(status: String, code: String, exit: Int32) async throws {
        let answer = """
            {"type": "urn:verdict:problem:\(code)", "title": "T", "status": \(status.prefix(3)), "code": "\(code)",
             "detail": "Because of it.", "pointer": "/branches/0"}
            """
        let result = try await Self.run(
            ["submit-tx", "--gid", "g-7", "--patience", "50ms", "--wait-for", "50ms", "--json"] + Self.saga,
            answer: answer, status: status)
        #expect(result.code == exit, "\(result.errors)")
        #expect(result.errors.contains("Because of it."))
        let error = try result.error()
        #expect(error["gid"] == "g-7" && error["exit_code"] == "\(exit)", "\(result.output)")
        #expect(error["problem"] == code && error["pointer"] == "/branches/0", "\(result.output)")
        #expect(result.errors.contains("clusterctl tx show g-7") == (exit == 4))
    }

    @Test("What no node has said has no code of the API; tx show tells the node's")
    func problemOfNobody() async throws {
        let garbage = try await Self.run(
            ["submit-tx", "--patience", "50ms", "--json"] + Self.saga, answer: "<html>", status: "404 Not Found")
        #expect(try garbage.error()["problem"] == nil, "\(garbage.output)")
        func answer(_ code: String) -> String {
            #"{"type": "t", "title": "T", "status": 500, "code": "\#(code)", "detail": "D."}"#
        }
        let server = try await CannedServer(
            answer("no-leader"), status: "503 Service Unavailable",
            first: CannedServer.answer(answer("outcome-unknown"), status: "504 Gateway Timeout"))
        let cluster = try SampleCluster(nodes: 1, clientPort: server.port)
        let open = try await Program.clusterctl(
            ["submit-tx", "--config", cluster.path, "--patience", "1s", "--no-wait", "--json"] + Self.saga)
        try await server.stop()
        // The last node that answered has recorded nothing; what the first did stays open.
        #expect(open.code == 4 && open.errors.contains("after"), "\(open.errors)")
        #expect(try open.error()["problem"] == nil, "\(open.output)")
        let missing = try await Self.run(
            ["tx", "show", "g-2", "--json"],
            answer: #"{"type": "t", "title": "T", "status": 404, "code": "not-found", "detail": "None."}"#,
            status: "404 Not Found")
        let error = try missing.error()
        #expect(error["problem"] == "not-found" && error["gid"] == "g-2", "\(missing.output)")
        #expect(error["pointer"] == nil)
    }

    @Test("Without a node nothing is recorded: 69")
    func nobody() async throws {
        let cluster = try SampleCluster()
        let result = try await Program.clusterctl(
            ["submit-tx", "--config", cluster.path, "--patience", "50ms"] + Self.saga)
        #expect(result.code == 69)
        #expect(result.errors.contains("connection refused"), "\(result.errors)")
    }

    @Test("tx show prints one, and says if there is none")
    func show() async throws {
        let found = try await Self.run(
            ["tx", "show", "g-1"],
            answer: SubmissionReportTests.json(outcome: #""aborted""#, state: "aborting", reason: "null"))
        #expect(found.code == 0)
        #expect(found.output.hasPrefix("gid       g-1\nprotocol  saga\nstate     aborting\noutcome   aborted\n"))
        let missing = try await Self.run(
            ["tx", "show", "g-2"],
            answer: #"{"type": "t", "title": "T", "status": 404, "code": "not-found", "detail": "None."}"#,
            status: "404 Not Found")
        #expect(missing.code == 70)
        #expect(missing.errors == "clusterctl: there is no transaction g-2\n")
    }

    @Test("tx list prints a page and says whether there are more")
    func list() async throws {
        let answer = """
            {"transactions": [{"gid": "g-1", "protocol": "tcc", "state": "open", "created_at": "2026-01-31T00:00:00.000Z",
              "deadline": "2026-01-31T00:01:00.000Z"}], "next": "g-1", "node": "n1", "term": 1, "index": 2}
            """
        let result = try await Self.run(["tx", "list", "--limit", "1"], answer: answer)
        #expect(result.code == 0, "\(result.errors)")
        #expect(
            result.output == """
                GID  PROTOCOL  STATE  OUTCOME  CREATED                   REASON
                g-1  tcc       open   -        2026-01-31T00:00:00.000Z

                """)
        #expect(result.errors == "There are more: raise --limit, or go on with --after.\n")
    }
}
