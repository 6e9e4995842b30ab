// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Testing

@Suite("Native API: bodies that it refuses", .timeLimit(.minutes(2))) struct APIBadInputTests {
    @Test("What isn't JSON is refused with line and column", arguments: BadBody.malformed)
    func malformed(bad: BadBody) async throws {
        try await APIServer.run { server in
            let answer = try await server.post("/v1/transactions", bad.body)
            var bad = bad
            bad.code = "malformed-json"
            try bad.check(answer)
            #expect(try answer.json["line"]?.number ?? 0 >= 1)
            #expect(try answer.json["column"]?.number ?? 0 >= 1)
            #expect(server.coordinator.seen.commands.last == nil)
        }
    }

    @Test("Bytes that aren't UTF-8 are refused at their place")
    func invalidUTF8() async throws {
        try await APIServer.run { server in
            let body = Array("{\"gid\": \"é".utf8) + [0xff] + Array("\"}".utf8)
            let answer = try await RawConnection.open(port: server.port) { connection in
                try await connection.send(RawConnection.request("POST", "/v1/transactions", body))
                return try await connection.answer()
            }
            #expect(answer.status == 400)
            #expect(answer.code == "malformed-json")
            #expect(try answer.json["detail"]?.text?.contains("not UTF-8") == true)
            #expect(try answer.json["column"] == .number(11))
        }
    }

    @Test(
        "A submission that breaks a rule is refused with the field and the rule",
        arguments: BadBody.submissions)
    func submission(bad: BadBody) async throws {
        try await APIServer.run { server in
            try bad.check(try await server.post("/v1/transactions", bad.body))
            #expect(server.coordinator.seen.commands.last == nil)
        }
    }

    @Test(
        "A URL that is none, or leads where calls may not go, is refused before anything is proposed",
        arguments: BadBody.urls)
    func url(bad: BadBody) async throws {
        try await APIServer.run { server in
            try bad.check(try await server.post("/v1/transactions", bad.body))
            #expect(server.coordinator.seen.commands.last == nil)
        }
    }

    @Test("Steps that break a rule are refused with the field and the rule", arguments: BadBody.steps)
    func step(path: String, bad: BadBody) async throws {
        try await APIServer.run { server in
            try bad.check(try await server.post(path, bad.body))
            #expect(server.coordinator.seen.commands.last == nil)
        }
    }

    @Test("An error names a field of any length, but doesn't send it all back")
    func longField() async throws {
        try await APIServer.run { server in
            let name = String(repeating: "é", count: 100_000)
            let answer = try await server.post("/v1/transactions", #"{"\#(name)": 1}"#)
            #expect(answer.status == 400)
            #expect(answer.body.count < 2_000)
            let pointer = try #require(try answer.json["pointer"]?.text)
            #expect(pointer.hasPrefix("/éé"))
        }
    }

    @Test("A branch of the other protocol is refused by the transaction itself")
    func branchOfOtherProtocol() async throws {
        try await APIServer.run { server in
            _ = try await server.post("/v1/transactions/begin", #"{"gid": "s", "protocol": "saga"}"#)
            let answer = try await server.post("/v1/transactions/s/branches", Example.registration)
            #expect(answer.status == 400)
            #expect(try answer.json["pointer"] == .text("/action"))
            #expect(try answer.json["gid"] == .text("s"))
        }
    }

    @Test("Paths, methods and queries that the API doesn't have are named", arguments: BadTarget.all)
    func target(bad: BadTarget) async throws {
        try await APIServer.run { server in
            let answer = try await server.send(bad.method, bad.target, bad.method == "GET" ? nil : "{}")
            #expect(answer.status == bad.status)
            #expect(answer.code == bad.code)
            let said = try answer.json["detail"]?.text ?? ""
            #expect(said.contains(bad.detail), "\(said)")
            #expect(answer.headers["allow"] == (bad.status == 405 ? bad.detail : nil))
            #expect(server.coordinator.seen.commands.last == nil)
        }
    }
}
