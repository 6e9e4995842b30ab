// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Testing
import Transactions

@Suite("Native API: transactions", .timeLimit(.minutes(2))) struct APITransactionTests {
    @Test("A saga in one request is recorded as it was sent, and shown")
    func saga() async throws {
        try await APIServer.run { server in
            let branches = [
                Example.branch(#", "id": "debit", "headers": {"X-Account": "1"}, "payload": {"amount":  1e2 }"#),
                Example.branch(#", "payload": null"#), Example.branch(),
            ]
            let answer = try await server.post(
                "/v1/transactions",
                Example.saga(#", "gid": "t/1", "timeout_ms": 5000, "concurrent": true"#, branches: branches))
            #expect(answer.status == 201)
            #expect(answer.headers["content-type"] == "application/json")
            #expect(answer.headers["content-location"] == "/v1/transactions/t%2F1")
            let json = try answer.json
            #expect(json["gid"] == .text("t/1"))
            #expect(json["protocol"] == .text("saga"))
            #expect(json["state"] == .text("running"))
            #expect(json["outcome"] == .null)
            #expect(json["concurrent"] == .bool(true))
            #expect(json["timeout_ms"] == .number(5000))
            #expect(json["created_at"] == .text("2026-11-22T09:30:00.250Z"))
            #expect(json["deadline"] == .text("2026-11-22T09:30:05.250Z"))
            #expect(json["node"] == .text("n1"))
            #expect(json["term"] == .number(7))
            #expect(json["index"] == .number(1))
            #expect(json["branches"]?.count == 3)
            #expect(json["branches"]?[0]?["id"] == .text("debit"))
            #expect(json["branches"]?[0]?["operation"] == .text("action"))
            #expect(json["branches"]?[0]?["urls"]?["compensate"] == .text("http://127.0.0.1:9001/credit"))
            #expect(json["branches"]?[2]?["id"] == .text("3"))
            #expect(json["history"]?[0]?["event"] == .text("submitted"))
            // Payloads and headers are the participant's business.
            #expect(!String(decoding: answer.body, as: UTF8.self).contains("amount"))
            #expect(!String(decoding: answer.body, as: UTF8.self).contains("X-Account"))

            guard case .submit(let submission) = server.coordinator.seen.commands.last else {
                Issue.record("no submission was proposed")
                return
            }
            #expect(submission.branches.map(\.payload.bytes) == [Array(#"{"amount":  1e2 }"#.utf8), [], []])
            #expect(submission.branches[0].headers == [Header(name: "X-Account", value: "1")])
        }
    }

    @Test(
        "The same request again finds the same transaction; other content under its gid is a conflict that says where")
    func idempotency() async throws {
        try await APIServer.run { server in
            let first = try await server.post("/v1/transactions", Example.saga(#", "gid": "g""#))
            let second = try await server.post("/v1/transactions", Example.saga(#", "gid": "g""#))
            #expect(first.status == 201)
            #expect(second.status == 200)
            #expect(try second.json["gid"] == .text("g"))
            let other = Example.saga(#", "gid": "g""#, branches: [Example.branch(#", "payload": 1"#)])
            let conflict = try await server.post("/v1/transactions", other)
            #expect(conflict.status == 409)
            #expect(conflict.headers["content-type"] == "application/problem+json")
            let json = try conflict.json
            #expect(json["code"] == .text("gid-conflict"))
            #expect(json["type"] == .text("urn:verdict:problem:gid-conflict"))
            #expect(json["pointer"] == .text("/branches/0/payload"))
            #expect(json["detail"]?.text?.contains("/branches/0/payload") == true)
            #expect(json["gid"] == .text("g"))
            #expect(json["term"] == .number(7))
            #expect(json["index"] == .number(3))
        }
    }

    @Test("A gid is made if none is given, sorts by time, and finds its transaction")
    func madeGid() async throws {
        try await APIServer.run { server in
            let answer = try await server.post("/v1/transactions", Example.saga())
            let gid = try #require(try answer.json["gid"]?.text)
            #expect(gid.utf8.count == 26)
            #expect(gid.hasPrefix("01m819eknt"))
            let read = try await server.get("/v1/transactions/\(gid)")
            #expect(read.status == 200)
            #expect(try read.json["gid"] == .text(gid))
        }
    }

    @Test("A TCC transaction that is waited for shows its outcome")
    func tccWithWait() async throws {
        let coordinator = ScriptedCoordinator()
        coordinator.set { $0.decidesOnWait = true }
        try await APIServer.run(coordinator) { server in
            let body = #"{"protocol": "tcc", "branches": [\#(Example.tccBranch)], "wait_ms": 2500}"#
            let answer = try await server.post("/v1/transactions", body)
            #expect(answer.status == 201)
            #expect(try answer.json["outcome"] == .text("committed"))
            #expect(try answer.json["state"] == .text("committed"))
            #expect(try answer.json["index"] == .number(3))
            #expect(coordinator.seen.waits == [.milliseconds(2500)])
        }
    }

    @Test("Begin, register, commit: each answer shows the transaction, each repetition finds it")
    func stepByStep() async throws {
        try await APIServer.run { server in
            let begun = try await server.post("/v1/transactions/begin", #"{"gid": "b", "protocol": "tcc"}"#)
            #expect(begun.status == 201)
            #expect(try begun.json["state"] == .text("open"))
            #expect(try begun.json["timeout_ms"] == .number(60_000))
            let registered = try await server.post("/v1/transactions/b/branches", Example.registration)
            #expect(registered.status == 201)
            #expect(try registered.json["branches"]?[0]?["id"] == .text("b1"))
            let again = try await server.post("/v1/transactions/b/branches", Example.registration)
            #expect(again.status == 200)
            let committed = try await server.post("/v1/transactions/b/commit", "")
            #expect(committed.status == 200)
            #expect(try committed.json["outcome"] == .text("committed"))
            let late = try await server.post(
                "/v1/transactions/b/branches",
                #"{"id": "b2", "confirm": "http://bank.example/c", "cancel": "http://bank.example/x"}"#)
            #expect(late.status == 409)
            #expect(late.code == "already-decided")
            let aborted = try await server.post("/v1/transactions/b/abort", "{}")
            #expect(aborted.code == "already-decided")
        }
    }

    @Test("An abort carries its reason; a commit behind it is refused with the outcome")
    func abort() async throws {
        try await APIServer.run { server in
            _ = try await server.post("/v1/transactions/begin", #"{"gid": "a", "protocol": "saga"}"#)
            let aborted = try await server.post("/v1/transactions/a/abort", #"{"reason": "no seats left"}"#)
            #expect(aborted.status == 200)
            #expect(try aborted.json["outcome"] == .text("aborted"))
            #expect(try aborted.json["reason"]?.text?.contains("no seats left") == true)
            let commit = try await server.post("/v1/transactions/a/commit", #"{"wait_ms": 0}"#)
            #expect(commit.status == 409)
            #expect(try commit.json["detail"]?.text?.contains("aborted") == true)
            let whole = try await server.post("/v1/transactions", Example.saga(#", "gid": "w""#))
            #expect(whole.status == 201)
            let notOpen = try await server.post("/v1/transactions/w/commit", "")
            #expect(notOpen.code == "not-open")
        }
    }

    @Test("A read is linearizable unless it says otherwise, and can wait in milliseconds or in words")
    func reads() async throws {
        let coordinator = ScriptedCoordinator()
        try await APIServer.run(coordinator) { server in
            _ = try await server.post("/v1/transactions", Example.saga(#", "gid": "r~1""#))
            for target in ["r~1", "r%7E1?consistency=linearizable", "r~1?consistency=local"] {
                let answer = try await server.get("/v1/transactions/\(target)")
                #expect(answer.status == 200)
                #expect(try answer.json["term"] == .number(7))
            }
            #expect(coordinator.seen.reads == [.linearizable, .linearizable, .local])
            for wait in ["wait_ms=250", "wait=250ms", "wait=5s", "wait=0s", "wait_ms=60000"] {
                #expect(try await server.get("/v1/transactions/r~1?\(wait)").status == 200)
            }
            let waits = coordinator.seen.waits
            #expect(waits == [.milliseconds(250), .milliseconds(250), .seconds(5), .seconds(60)])
        }
    }

    @Test("A gid that nobody knows is a 404 with the log position at which that was so")
    func unknownGid() async throws {
        try await APIServer.run { server in
            let answer = try await server.get("/v1/transactions/nobody")
            #expect(answer.status == 404)
            #expect(try answer.json["gid"] == .text("nobody"))
            #expect(try answer.json["term"] == .number(7))
            #expect(try answer.json["index"] == .number(0))
            let commit = try await server.post("/v1/transactions/nobody/commit", "")
            #expect(commit.status == 404)
            #expect(try commit.json["index"] == .number(1))
        }
    }

    @Test("A list comes in pages, without branches")
    func list() async throws {
        let coordinator = ScriptedCoordinator()
        try await APIServer.run(coordinator) { server in
            for gid in ["c", "a", "b"] {
                _ = try await server.post("/v1/transactions", Example.saga(#", "gid": "\#(gid)""#))
            }
            let first = try await server.get("/v1/transactions?limit=2&state=running")
            #expect(first.status == 200)
            let json = try first.json
            #expect(json["transactions"]?.count == 2)
            #expect(json["transactions"]?[0]?["gid"] == .text("a"))
            #expect(json["transactions"]?[0]?["branches"] == nil)
            #expect(json["next"] == .text("b"))
            #expect(json["index"] == .number(3))
            let second = try await server.get("/v1/transactions?limit=2&after=b")
            #expect(try second.json["transactions"]?[0]?["gid"] == .text("c"))
            #expect(try second.json["next"] == .null)
            _ = try await server.get("/v1/transactions")
            let after = try #require(Gid(rawValue: "b"))
            let wanted: [ScriptedCoordinator.ListCall] = [
                .init(state: .running, after: nil, limit: 2), .init(state: nil, after: after, limit: 2),
                .init(state: nil, after: nil, limit: 100),
            ]
            #expect(coordinator.seen.lists == wanted)
        }
    }
}
