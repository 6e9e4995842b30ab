// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Testing
import clusterctl

@Suite("A transaction from options")
struct SubmissionBuilderTests {
    /// Words as a command line has them: a name, then its value.
    private static func words(_ text: [(BranchWord.Name, String)]) -> [BranchWord] {
        text.map { BranchWord($0.0, $0.1) }
    }

    private static func message(
        _ protocol: TransactionProtocol, _ text: [(BranchWord.Name, String)], concurrent: Bool = false
    ) -> String? {
        do {
            _ = try SubmissionBuilder.build(`protocol`, words: Self.words(text), concurrent: concurrent)
            return nil
        } catch {
            return error.message
        }
    }

    @Test("What follows --step belongs to it")
    func saga() throws {
        let submission = try SubmissionBuilder.build(
            .saga,
            words: Self.words([
                (.step, "http://a/1"), (.compensate, "http://a/2"), (.step, "http://b/1"), (.payload, #"{"n": 7}"#),
                (.header, "X-Tenant:  7 "), (.header, "X-Other: a:b"), (.compensate, "http://b/2"), (.branchID, "bob"),
            ]))
        #expect(
            submission
                == Submission(
                    protocol: .saga,
                    branches: [
                        .saga(action: "http://a/1", compensate: "http://a/2"),
                        .saga(
                            id: "bob", action: "http://b/1", compensate: "http://b/2",
                            headers: ["X-Tenant": "7", "X-Other": "a:b"], payload: ["n": 7]),
                    ]))
    }

    @Test("What follows --try belongs to it, and a payload is any JSON")
    func tcc() throws {
        let submission = try SubmissionBuilder.build(
            .tcc,
            words: Self.words([
                (.try, "http://a/t"), (.confirm, "http://a/c"), (.cancel, "http://a/x"), (.payload, "-5"),
            ]))
        #expect(
            submission
                == Submission(
                    protocol: .tcc,
                    branches: [.tcc(try: "http://a/t", confirm: "http://a/c", cancel: "http://a/x", payload: -5)]))
    }

    @Test("A concurrent saga is one")
    func concurrent() throws {
        let words = Self.words([(.step, "u"), (.compensate, "v")])
        #expect(try SubmissionBuilder.build(.saga, words: words, concurrent: true).concurrent == true)
        #expect(try SubmissionBuilder.build(.saga, words: words).concurrent == nil)
    }

    @Test("What doesn't fit is named")
    func problems() {
        #expect(Self.message(.saga, []) == "a transaction needs a branch: begin it with --step URL")
        #expect(Self.message(.tcc, []) == "a transaction needs a branch: begin it with --try URL")
        #expect(
            Self.message(.saga, [(.payload, "1"), (.step, "u")])
                == "--payload stands before the first --step, so it belongs to no branch")
        #expect(Self.message(.saga, [(.step, "u"), (.confirm, "v")]) == "--confirm belongs to --tcc")
        #expect(Self.message(.tcc, [(.step, "u")]) == "--step belongs to --saga")
        #expect(
            Self.message(.saga, [(.step, "u"), (.compensate, "v"), (.step, "w")]) == "branch 2 has no --compensate")
        #expect(Self.message(.tcc, [(.try, "u"), (.cancel, "v")]) == "branch 1 has no --confirm")
        #expect(
            Self.message(.saga, [(.step, "u"), (.compensate, "v"), (.compensate, "w")])
                == "branch 1 has --compensate twice")
        #expect(
            Self.message(.saga, [(.step, "u"), (.compensate, "v"), (.payload, "{")])
                == "branch 1: --payload: the text ends inside a value at line 1, column 2")
        #expect(
            Self.message(.saga, [(.step, "u"), (.compensate, "v"), (.payload, #"{"a": 1, "a": 2}"#)])
                == "branch 1: --payload: the key “a” stands twice in one object at line 1, column 10")
        #expect(
            Self.message(.saga, [(.step, "u"), (.header, "X-Tenant 7")])
                == "branch 1: --header is written as \"Name: value\", not \"X-Tenant 7\"")
        #expect(
            Self.message(.saga, [(.step, "u"), (.header, "X: 7"), (.header, "X : 8")])
                == "branch 1 has the header X twice")
        #expect(
            Self.message(.tcc, [(.try, "u")], concurrent: true)
                == "--concurrent belongs to --saga: the tries of a TCC transaction are always called at once")
    }
}

@Suite("A transaction from a file")
struct SubmissionFileTests {
    private static func message(_ text: String) -> String? {
        do {
            _ = try SubmissionFile.read(Array(text.utf8), name: "t.json")
            return nil
        } catch {
            return error.message
        }
    }

    @Test("Every field reaches its place")
    func whole() throws {
        let text = """
            {"gid": "g-1", "protocol": "saga", "timeout_ms": 5000, "concurrent": true, "branches": [
              {"id": "a", "action": "http://a/1", "compensate": "http://a/2", "headers": {"X": "1"},
               "payload": {"deep": [1, -2.5, "x", null, true], "big": 18446744073709551615}}]}
            """
        let payload: JSONValue = [
            "deep": [1, -2.5, "x", nil, true], "big": .unsigned(.max),
        ]
        #expect(
            try SubmissionFile.read(Array(text.utf8), name: "t.json")
                == Submission(
                    gid: "g-1", protocol: .saga, timeoutMilliseconds: 5000, concurrent: true,
                    branches: [
                        .saga(
                            id: "a", action: "http://a/1", compensate: "http://a/2", headers: ["X": "1"],
                            payload: payload)
                    ]))
    }

    static let mistakes: [(text: String, problem: String)] = [
        ("[]", "t.json: a transaction is a JSON object"),
        (#"{"protocol": "saga"}"#, "t.json: /branches is missing"),
        (#"{"branches": []}"#, "t.json: /protocol is missing"),
        (#"{"protocol": "saga", "branches": [], "timeout": 5}"#, "t.json: there is no field /timeout"),
        (
            #"{"protocol": "saga", "branches": [{}, {"compensat": "u"}]}"#,
            "t.json: there is no field /branches/1/compensat"
        ),
        (#"{"protocol": 7, "branches": []}"#, "t.json: /protocol must be a text"),
        (
            #"{"protocol": "saga", "branches": [{"action": 1}]}"#, "t.json: /branches/0/action must be a text"
        ),
        (#"{"protocol": "saga", "branches": {}}"#, "t.json: /branches must be a list"),
        (
            #"{"protocol": "saga", "branches": [], "timeout_ms": "1s"}"#,
            "t.json: /timeout_ms must be a whole number"
        ),
        (
            #"{"protocol": "saga", "branches": [], "wait_ms": 1}"#,
            "t.json: wait_ms is no part of a transaction; use --wait or --no-wait"
        ),
    ]

    @Test("A mistake is named with its field", arguments: SubmissionFileTests.mistakes)
    func mistake(text: String, problem: String) {
        #expect(Self.message(text) == problem)
    }

    static let broken: [(text: String, problem: String)] = [
        ("", "t.json: the text is empty; expected a JSON value"),
        ("{", "t.json: the text ends inside a value at line 1, column 2"),
        ("{'a': 1}", "t.json: expected a key in quotes, found “'” at line 1, column 2"),
        ("{\"a\": 1} x", "t.json: something follows the JSON value at line 1, column 10"),
        ("{\n \"a\" 2}", "t.json: expected “:”, found “2” at line 2, column 6"),
        ("{\"gid\": \"a\",\n \"gid\": \"b\"}", "t.json: the key “gid” stands twice in one object at line 2, column 2"),
        (
            #"{"\u001b[31m": 1, "\u001b[31m": 2}"#,
            "t.json: the key “?[31m” stands twice in one object at line 1, column 19"
        ),
        (#"{"timeout_ms": 1e999}"#, "t.json: in /timeout_ms a number is beyond 64 bits"),
        (
            "{\"branches\": [{\"payload\": " + String(repeating: "[", count: 30),
            "t.json: more than 32 levels of arrays and objects at line 1, column 56"
        ),
    ]

    @Test("Text that is no JSON is told the place where it stops being it", arguments: SubmissionFileTests.broken)
    func malformed(text: String, problem: String) {
        #expect(Self.message(text) == problem)
    }

    @Test("A payload may be as deep as a node takes it in its transaction, from a file and from an option")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        func file(_ depth: Int) -> String? {
            Self.message(
                #"{"protocol": "saga", "branches": [{"action": "u", "compensate": "v", "payload": \#(nested(depth))}]}"#
            )
        }
        func option(_ depth: Int) -> String? {
            do {
                let words = [BranchWord(.step, "u"), BranchWord(.compensate, "v"), BranchWord(.payload, nested(depth))]
                _ = try SubmissionBuilder.build(.saga, words: words)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(file(29) == nil)
        #expect(file(30)?.contains("more than 32 levels") == true)
        #expect(option(29) == nil)
        #expect(option(30)?.hasPrefix("branch 1: --payload: more than 29 levels") == true)
    }

    @Test("A file that is too large isn't decoded")
    func large() {
        let bytes = [UInt8](repeating: UInt8(ascii: " "), count: SubmissionFile.maximumBytes + 1)
        do {
            _ = try SubmissionFile.read(bytes, name: "t.json")
            Issue.record("read")
        } catch {
            #expect(error.message == "t.json: larger than 32 MiB: no transaction")
        }
    }
}
