// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import Raft
import RaftStore
import Testing

@Suite("Whole nodes: snapshots and hand-overs", .serialized, .timeLimit(.minutes(10))) struct NodeSnapshotTests {
    private static let yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    /// A saga of one branch whose payload makes the log grow.
    private static func saga(_ gid: String, port: Int, bytes: Int = 8_000) -> String {
        """
        {"gid": "\(gid)", "protocol": "saga", "wait_ms": 20000, "branches": [
          {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo",
           "payload": {"pad": "\(String(repeating: "x", count: bytes))"}}]}
        """
    }

    private static func number(_ field: String, of name: String, _ cluster: NodeTestCluster) async -> UInt64? {
        await cluster.ask(name, "GET", "/v1/node")?.field(field).flatMap { UInt64($0) }
    }

    @Test("A node that was away for longer than the log reaches back gets a snapshot and goes on from it (section 7)")
    func snapshot() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            try await NodeTestCluster.run(settings: ["limits.retained-log=64KiB"]) { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                let first = await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("first", port: port))
                #expect(first?.field("outcome") == "committed")
                await cluster.stop("n3")
                let missed = try OfflineLogReader(path: Self.folder(of: "n3", cluster)).lastIndex.rawValue
                var count = 0
                // Until the others' logs begin behind what n3 has.
                _ = try await cluster.until("the log's beginning moves on") {
                    count += 1
                    let answer = await cluster.ask(
                        "n1", "POST", "/v1/transactions", Self.saga("away-\(count)", port: port))
                    #expect(answer?.field("outcome") == "committed")
                    for name in ["n1", "n2"] {
                        guard let index = await Self.number("first_index", of: name, cluster), index > missed + 1 else {
                            return nil as Bool?
                        }
                    }
                    return true
                }
                try cluster.start("n3")
                let gids = ["first", "away-1", "away-\(count)"]
                _ = try await cluster.until("n3 has caught up") {
                    for gid in gids {
                        let path = "/v1/transactions/\(gid)?consistency=local"
                        guard await cluster.ask("n3", "GET", path)?.field("outcome") == "committed" else {
                            return nil as Bool?
                        }
                    }
                    return true
                }
                // It goes on from there as any other.
                let later = await cluster.ask("n3", "POST", "/v1/transactions", Self.saga("later", port: port))
                #expect(later?.field("outcome") == "committed")
                await cluster.stopAll()
                #expect(try OfflineLogReader(path: Self.folder(of: "n3", cluster)).base.index.rawValue > missed)
                // And from its own disk.
                try cluster.startAll()
                _ = try await cluster.leader()
                for gid in gids + ["later"] {
                    let answer = await cluster.ask("n3", "GET", "/v1/transactions/\(gid)")
                    #expect(answer?.field("outcome") == "committed", "\(gid)")
                }
                // Its applied state is lost, and its log doesn't reach back to the beginning.
                await cluster.stop("n3")
                try FileManager.default.removeItem(atPath: Self.folder(of: "n3", cluster) + "/state.db")
                try cluster.start("n3")
                _ = try await cluster.until("n3 has its state again") {
                    let path = "/v1/transactions/first?consistency=local"
                    return await cluster.ask("n3", "GET", path)?.field("outcome") == "committed" ? true : nil as Bool?
                }
                #expect(await cluster.ask("n3", "GET", "/readyz")?.status == 200)
            }
        }
    }

    @Test("A hand-over names the new leader, and no request fails meanwhile (thesis 3.10)")
    func transfer() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            try await NodeTestCluster.run { cluster in
                try cluster.startAll()
                let before = try await cluster.leader()
                async let load = Self.load(on: cluster, port: port)
                let answers = await cluster.ask(before, "POST", "/v1/cluster/transfer-leadership")
                #expect(answers?.status == 200, "\(String(describing: answers))")
                #expect(answers?.field("before") == before)
                let after = try #require(answers?.field("leader"))
                #expect(after != before)
                let named = await cluster.ask(
                    before, "POST", "/v1/cluster/transfer-leadership", #"{"to": "\#(before)"}"#)
                #expect(named?.field("leader") == before, "\(String(describing: named))")
                #expect(await load == [])
                let nobody = await cluster.ask(after, "POST", "/v1/cluster/transfer-leadership", #"{"to": "n9"}"#)
                #expect(nobody?.status == 409)
                #expect(nobody?.field("code") == "not-possible")
            }
        }
    }

    /// - Returns: what went wrong.
    private static func load(on cluster: NodeTestCluster, port: Int) async -> [String] {
        var wrong: [String] = []
        for number in 0..<40 {
            let name = cluster.names[number % cluster.names.count]
            let answer = await cluster.ask(
                name, "POST", "/v1/transactions", Self.saga("load-\(number)", port: port, bytes: 10))
            if answer?.field("outcome") != "committed" { wrong.append("\(name): \(String(describing: answer))") }
        }
        return wrong
    }

    @Test("A leader that is stopped hands over first, and knows its successor when it ends") func stop() async throws {
        try await NodeTestCluster.run { cluster in
            try cluster.startAll()
            let before = try await cluster.leader()
            let term = try #require(await Self.number("term", of: before, cluster))
            await cluster.stop(before)
            let after = try await cluster.leader(among: cluster.names.filter { $0 != before })
            #expect(await Self.number("term", of: after, cluster) ?? 0 > term)
            // Only a hand-over lets it hear of the next term before its connections close.
            let log = try OfflineLogReader(path: Self.folder(of: before, cluster))
            #expect(log.hardState.currentTerm.rawValue > term)
        }
    }

    private static func folder(of name: String, _ cluster: NodeTestCluster) throws -> String {
        try #require(cluster.configuration.node(name)?.data)
    }
}
