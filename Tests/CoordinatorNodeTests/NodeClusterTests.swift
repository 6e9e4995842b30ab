// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Foundation
import Locks
import Testing

@Suite("Whole nodes", .serialized, .timeLimit(.minutes(10))) struct NodeClusterTests {
    /// A saga of one branch at a participant on this machine.
    private static func saga(_ gid: String, port: Int, amount: Int = 1, wait: Int = 20_000) -> String {
        """
        {"gid": "\(gid)", "protocol": "saga", "wait_ms": \(wait), "branches": [
          {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo",
           "payload": {"amount": \(amount)}}]}
        """
    }

    private static let yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    private static let no = "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"

    @Test("Every node takes a transaction, and every node then tells its outcome") func anyNode() async throws {
        try await Participant.run {
            $0.path == "/do" ? .send(Self.yes) : .send(Self.no)
        } _: { _, port in
            try await NodeTestCluster.run { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                for name in cluster.names {
                    let answer = await cluster.ask(
                        name, "POST", "/v1/transactions", Self.saga("by-\(name)", port: port))
                    #expect(answer?.status == 201, "\(String(describing: answer))")
                    #expect(answer?.field("outcome") == "committed")
                }
                for name in cluster.names {
                    for other in cluster.names {
                        let answer = await cluster.ask(name, "GET", "/v1/transactions/by-\(other)")
                        #expect(answer?.field("outcome") == "committed")
                    }
                }
            }
        }
    }

    @Test("Payloads of what isn't finished are bounded: more is refused with 429, and taken once there is room")
    func livePayload() async throws {
        let answers = Locked(false)
        try await Participant.run { _ in
            .send(answers.withLock { $0 } ? Self.yes : "HTTP/1.1 503 Not Now\r\nContent-Length: 0\r\n\r\n")
        } _: { _, port in
            let settings = ["limits.max-live-payload=64KiB", "calls.retry-cap=200ms"]
            try await NodeTestCluster.run(nodes: 1, settings: settings) { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                func submit(_ number: Int) async -> NodeTestCluster.Answer? {
                    let body = """
                        {"gid": "large-\(number)", "protocol": "saga", "branches": [
                          {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo",
                           "payload": {"pad": "\(String(repeating: "x", count: 40_000))"}}]}
                        """
                    return await cluster.ask("n1", "POST", "/v1/transactions", body)
                }
                #expect(await submit(1)?.status == 201)
                #expect(await submit(2)?.status == 201)
                let refused = await submit(3)
                #expect(refused?.status == 429)
                #expect(refused?.field("code") == "overloaded")
                #expect(await cluster.ask("n1", "GET", "/v1/transactions/large-3")?.status == 404)
                answers.withLock { $0 = true }
                _ = try await cluster.until("there is room again") {
                    await submit(3)?.status == 201 ? true : nil as Bool?
                }
            }
        }
    }

    @Test("A repeated request finds the same transaction, other content is a conflict, also after a restart of all")
    func repeated() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { participant, port in
            try await NodeTestCluster.run { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                let first = await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("same", port: port))
                #expect(first?.field("outcome") == "committed")
                await cluster.stopAll()
                try cluster.startAll()
                _ = try await cluster.leader()
                let again = await cluster.ask("n2", "POST", "/v1/transactions", Self.saga("same", port: port))
                #expect(again?.field("outcome") == "committed")
                #expect(again?.field("decided_at") == first?.field("decided_at"))
                let other = await cluster.ask(
                    "n3", "POST", "/v1/transactions", Self.saga("same", port: port, amount: 2))
                #expect(other?.status == 409)
                #expect(other?.field("code") == "gid-conflict")
                #expect(participant.requests.count == 1)
            }
        }
    }

    @Test("Without a majority a request is certainly not recorded, and is told so") func noLeader() async throws {
        try await NodeTestCluster.run(settings: ["timing.leader-wait=300ms"]) { cluster in
            try cluster.start("n1")
            let answer = try await cluster.until("the node answers") {
                await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("alone", port: 9))
            }
            #expect(answer.status == 503)
            #expect(answer.field("code") == "no-leader")
            let live = await cluster.ask("n1", "GET", "/healthz")
            #expect(live?.status == 200)
            let ready = await cluster.ask("n1", "GET", "/readyz")
            #expect(ready?.status == 503)
            try cluster.start("n2")
            _ = try await cluster.leader(among: ["n1", "n2"])
            let read = await cluster.ask("n2", "GET", "/v1/transactions/alone")
            #expect(read?.status == 404)
        }
    }

    @Test("A leader that lost its followers says that it doesn't know, and later every node agrees")
    func outcomeUnknown() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            let settings = [
                "timing.leader-wait=500ms", "timing.election-timeout-min=3s", "timing.election-timeout-max=4s",
            ]
            try await NodeTestCluster.run(settings: settings) { cluster in
                // The timeout is long, so that the leader still leads when it is asked after it lost its followers.
                try cluster.startAll()
                let leader = try await cluster.leader()
                for name in cluster.names where name != leader { await cluster.stop(name) }
                let answer = await cluster.ask(leader, "POST", "/v1/transactions", Self.saga("lonely", port: port))
                #expect(answer?.status == 504)
                #expect(answer?.field("code") == "outcome-unknown")
                #expect(answer?.field("gid") == "lonely")
                for name in cluster.names where name != leader { try cluster.start(name) }
                let outcomes = try await cluster.until("every node knows the outcome") {
                    var found: [String] = []
                    for name in cluster.names {
                        let read = await cluster.ask(name, "GET", "/v1/transactions/lonely?consistency=local")
                        if let outcome = read?.field("outcome") { found.append(outcome) }
                    }
                    return found.count == 3 ? found : nil
                }
                #expect(Set(outcomes) == ["committed"])
            }
        }
    }

    @Test("What has ended is listed from memory and archive together, page by page") func lists() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            try await NodeTestCluster.run(nodes: 1) { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                for number in 0..<7 {
                    let answer = await cluster.ask(
                        "n1", "POST", "/v1/transactions", Self.saga("list-\(number)", port: port))
                    #expect(answer?.status == 201)
                }
                var gids: [String] = []
                var path = "/v1/transactions?limit=3"
                while true {
                    let page = try #require(await cluster.ask("n1", "GET", path))
                    let object = try #require(
                        try JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [String: Any])
                    let rows = try #require(object["transactions"] as? [[String: Any]])
                    gids += rows.compactMap { $0["gid"] as? String }
                    guard let next = object["next"] as? String else { break }
                    path = "/v1/transactions?limit=3&after=\(next)"
                }
                #expect(gids == (0..<7).map { "list-\($0)" })
            }
        }
    }
}
