// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import ServiceLifecycle
import Testing
import Transactions

@Suite("Native API: the cluster, and a coordinator that can't answer", .timeLimit(.minutes(2)))
struct APIClusterTests {
    @Test("The cluster shows each member, and what isn't known of it as null")
    func cluster() async throws {
        try await APIServer.run { server in
            let answer = try await server.get("/v1/cluster")
            #expect(answer.status == 200)
            let json = try answer.json
            #expect(json["leader"] == .text("n1"))
            #expect(json["term"] == .number(7))
            #expect(json["index"] == .number(0))
            #expect(json["nodes"]?.count == 2)
            #expect(json["nodes"]?[0]?["role"] == .text("leader"))
            #expect(json["nodes"]?[1]?["match_index"] == .null)
            #expect(json["nodes"]?[1]?["reachable"] == .bool(false))
            let node = try await server.get("/v1/node")
            #expect(node.status == 200)
            #expect(try node.json["pid"] == .number(4711))
            #expect(try node.json["started_at"] == .text("2026-11-22T09:30:00.250Z"))
        }
    }

    @Test("A node lives as long as it answers, and is ready only with a leader")
    func health() async throws {
        let coordinator = ScriptedCoordinator()
        try await APIServer.run(coordinator) { server in
            let ready = try await server.get("/readyz")
            #expect(ready.status == 200)
            #expect(try ready.json["status"] == .text("ready"))
            coordinator.set { $0.isReady = false }
            let notReady = try await server.get("/readyz")
            #expect(notReady.status == 503)
            #expect(notReady.code == "not-ready")
            #expect(notReady.headers["retry-after"] == "1")
            let live = try await server.get("/healthz")
            #expect(live.status == 200)
            #expect(
                try live.json
                    == .object(["status": .text("live"), "node": .text("n1"), "term": .number(7), "index": .number(0)]))
        }
    }

    static let failures: [(failure: CoordinatorError, status: Int, code: String, retryAfter: String?)] = [
        (.noLeader(retryAfter: .milliseconds(300)), 503, "no-leader", "1"),
        (.stopping, 503, "no-leader", "1"),
        (.outcomeUnknown, 504, "outcome-unknown", nil),
        (.overloaded(retryAfter: .milliseconds(2_001)), 429, "overloaded", "3"),
        (.failed(reason: "secret of the operator"), 500, "internal", nil),
        (.refused(reason: "n9 is no voter"), 409, "not-possible", nil),
    ]

    @Test("What a coordinator can't do has one status and one code each", arguments: APIClusterTests.failures)
    func failure(failure: CoordinatorError, status: Int, code: String, retryAfter: String?) async throws {
        let coordinator = ScriptedCoordinator()
        coordinator.set { $0.failure = failure }
        try await APIServer.run(coordinator) { server in
            let submit = try await server.post("/v1/transactions", Example.saga(#", "gid": "g1""#))
            let read = try await server.get("/v1/transactions/g1")
            for answer in [submit, read] {
                #expect(answer.status == status)
                #expect(answer.code == code)
                #expect(answer.headers["retry-after"] == retryAfter)
                #expect(try answer.json["gid"] == .text("g1"))
                #expect(try answer.json["status"] == .number(Double(status)))
                #expect(!String(decoding: answer.body, as: UTF8.self).contains("secret"))
            }
            #expect(try await server.get("/v1/transactions").code == code)
            #expect(try await server.get("/v1/cluster").code == code)
        }
    }

    @Test("A hand-over may name a node, and says who leads then") func transfer() async throws {
        try await APIServer.run { server in
            let any = try await server.post("/v1/cluster/transfer-leadership", "")
            #expect(any.status == 200)
            #expect(try any.json["leader"] == .text("n2"))
            let named = try await server.post("/v1/cluster/transfer-leadership", #"{"to": "n3"}"#)
            #expect(try named.json["leader"] == .text("n3"))
            for body in [#"{"to": ""}"#, #"{"to": 3}"#, #"{"whom": "n3"}"#, "[]"] {
                let wrong = try await server.post("/v1/cluster/transfer-leadership", body)
                #expect(wrong.status == 400, "\(body)")
            }
            #expect(try await server.get("/v1/cluster/transfer-leadership").status == 405)
        }
    }

    @Test("A made gid stands in the error too, so that the request can be repeated under it")
    func madeGidInError() async throws {
        let coordinator = ScriptedCoordinator()
        coordinator.set { $0.failure = .outcomeUnknown }
        try await APIServer.run(coordinator) { server in
            let answer = try await server.post("/v1/transactions", Example.saga())
            #expect(answer.status == 504)
            #expect(try answer.json["gid"]?.text?.utf8.count == 26)
        }
    }

    @Test("A wait that fails doesn't take back what is recorded")
    func failedWait() async throws {
        let coordinator = ScriptedCoordinator()
        try await APIServer.run(coordinator) { server in
            coordinator.gate.close()
            async let submitted = server.post("/v1/transactions", Example.saga(#", "gid": "g", "wait_ms": 1000"#))
            await coordinator.gate.someoneWaits()
            coordinator.set { $0.failsWaits = true }
            coordinator.gate.open()
            let answer = try await submitted
            #expect(answer.status == 201)
            #expect(try answer.json["state"] == .text("running"))
        }
    }

    @Test("More requests at once than the limit are refused with 429, and taken again later")
    func tooManyRequests() async throws {
        let coordinator = ScriptedCoordinator()
        var limits = APILimits()
        limits.requests = 1
        try await APIServer.run(coordinator, limits: limits) { server in
            coordinator.gate.close()
            async let held = server.post("/v1/transactions", Example.saga())
            await coordinator.gate.someoneWaits()
            let refused = try await server.get("/v1/cluster")
            #expect(refused.status == 429)
            #expect(refused.code == "overloaded")
            #expect(refused.headers["retry-after"] == "1")
            // A busy node lives: whoever watches it must not end it.
            for path in ["/healthz", "/readyz", "/v1/node"] {
                #expect(try await server.get(path).status == 200)
            }
            coordinator.gate.open()
            let answer = try await held
            #expect(answer.status == 201)
            #expect(try await server.get("/v1/cluster").status == 200)
        }
    }

    @Test("Bodies that are too long together are refused with 429")
    func tooManyBytes() async throws {
        let coordinator = ScriptedCoordinator()
        var limits = APILimits()
        limits.bodyBytesInAll = 300
        try await APIServer.run(coordinator, limits: limits) { server in
            coordinator.gate.close()
            async let held = server.post("/v1/transactions", Example.saga())
            await coordinator.gate.someoneWaits()
            let refused = try await server.post(
                "/v1/transactions", Example.saga(branches: [Example.branch(), Example.branch()]))
            #expect(refused.status == 429)
            let small = try await server.post("/v1/transactions/begin", #"{"protocol": "xa"}"#)
            #expect(small.status == 400)
            coordinator.gate.open()
            let answer = try await held
            #expect(answer.status == 201)
        }
    }

    @Test("A stopping server takes no more connections, and lets the running request end")
    func gracefulStop() async throws {
        let coordinator = ScriptedCoordinator()
        try await APIServer.run(coordinator) { server in
            coordinator.gate.close()
            async let held = server.post("/v1/transactions", Example.saga())
            await coordinator.gate.someoneWaits()
            await server.services.triggerGracefulShutdown()
            // The listener closes soon, but not at once.
            while (try? await server.get("/healthz")) != nil { await Task.yield() }
            coordinator.gate.open()
            let answer = try await held
            #expect(answer.status == 201)
        }
    }

    @Test("A port in use is an error that says so")
    func portInUse() async throws {
        try await APIServer.run { server in
            let service = HTTPService(
                responder: APIServer.api(ScriptedCoordinator()), host: "127.0.0.1", port: server.port,
                limits: APILimits(), eventLoopGroup: APIServer.group, logger: APIServer.logger)
            await #expect(throws: HTTPServiceError.addressInUse(host: "127.0.0.1", port: server.port)) {
                try await service.run()
            }
        }
    }
}
