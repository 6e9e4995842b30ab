// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import ClusterConfiguration
import CoordinatorNode
import Foundation
import NIOCore
import NIOHTTP1
import Raft
import RaftStore
import StateStore
import Testing
import Transactions

@Suite("Whole nodes: backups, and clusters that begin from one", .serialized, .timeLimit(.minutes(10)))
struct NodeBackupTests {
    private static let yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    private static func saga(_ gid: String?, port: Int, wait: Int = 20_000) -> String {
        let name = gid.map { "\"gid\": \"\($0)\", " } ?? ""
        return """
            {\(name)"protocol": "saga", "wait_ms": \(wait), "timeout_ms": 600000, "branches": [
              {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo"}]}
            """
    }

    /// Fetches a backup of one node into a file.
    private static func fetch(_ cluster: NodeTestCluster, _ name: String, to path: String) async throws {
        let node = try #require(cluster.configuration.node(name))
        let request = HTTPClientRequest(url: "http://\(node.client)/v1/cluster/backup")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        #expect(response.status == .ok)
        let bytes = try await response.body.collect(upTo: 64 << 20)
        #expect(response.headers.first(name: "content-length") == "\(bytes.readableBytes)")
        try Data(bytes.readableBytesView).write(to: URL(fileURLWithPath: path))
        let sum = try SnapshotFile(reading: path).sum()
        #expect(response.headers.first(name: "verdict-checksum") == "crc32c=\(sum.checksum)")
        #expect(response.headers.first(name: "verdict-index") == "\(try StateBackup(examining: path).appliedIndex)")
    }

    /// Makes the folders of a cluster anew, each from the backup.
    private static func restore(_ backup: StateBackup, in cluster: NodeTestCluster) throws {
        let members = cluster.names.enumerated().map { position, name in
            Member(nodeID: NodeID(rawValue: name), storageID: StorageID(rawValue: UInt64(position + 101)))
        }
        for (node, member) in zip(cluster.configuration.nodes, members) {
            try FileManager.default.removeItem(atPath: node.data)
            try DataFolder.initialise(
                path: node.data, clusterID: ClusterID(high: 77, low: 78), nodeID: member.nodeID,
                storageID: member.storageID, members: members,
                base: LogPosition(
                    index: LogIndex(rawValue: backup.appliedIndex), term: Term(rawValue: backup.appliedTerm)),
                reserveBytes: 1 << 16
            ) { made throws(StoreError) in
                do throws(StateStoreError) {
                    try backup.restore(
                        to: node.data + "/state.db",
                        as: StateIdentity(
                            clusterID: made.clusterID.bytes, nodeID: made.nodeID.rawValue,
                            storageID: made.storageID.rawValue), .restored)
                } catch {
                    throw .notInitialised(path: node.data, detail: error.description)
                }
            }
        }
    }

    @Test("A backup holds what was acknowledged; a new cluster of it keeps outcomes, forgets gids, holds what was open")
    func restored() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            try await NodeTestCluster.run(nodes: 3) { cluster in
                try cluster.startAll()
                let leader = try await cluster.leader()
                #expect(
                    await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("before", port: port))?.field(
                        "outcome")
                        == "committed")
                #expect(
                    await cluster.ask(
                        "n2", "POST", "/v1/transactions/begin",
                        "{\"gid\": \"open\", \"protocol\": \"tcc\", \"timeout_ms\": 600000}")?.status == 201)
                let path = cluster.configuration.nodes[0].data + ".backup"
                // Of a follower: it catches up first.
                let follower = try #require(cluster.names.first { $0 != leader })
                try await Self.fetch(cluster, follower, to: path)
                #expect(
                    await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("after", port: port))?.field(
                        "outcome")
                        == "committed")
                await cluster.stopAll()

                let backup = try StateBackup(examining: path)
                try Self.restore(backup, in: cluster)
                try cluster.startAll()
                _ = try await cluster.leader()
                #expect(await cluster.ask("n1", "GET", "/v1/transactions/before")?.field("outcome") == "committed")
                for (method, gid) in [("GET", "after"), ("GET", "never")] {
                    let answer = await cluster.ask("n2", method, "/v1/transactions/\(gid)")
                    #expect(answer?.status == 410 && answer?.field("code") == "forgotten")
                }
                let again = await cluster.ask("n3", "POST", "/v1/transactions", Self.saga("after", port: port))
                #expect(again?.status == 410)
                let held = await cluster.ask("n1", "POST", "/v1/transactions/open/abort", "{}")
                #expect(held?.status == 409 && held?.field("code") == "held")
                #expect(await cluster.ask("n1", "GET", "/v1/transactions/open")?.body.contains("\"held\":true") == true)
                let drawn = Self.saga("drawn", port: port).replacing("{\"gid\"", with: "{\"fresh\": true, \"gid\"")
                #expect(await cluster.ask("n2", "POST", "/v1/transactions", drawn)?.status == 201)
                #expect(await cluster.ask("n3", "POST", "/v1/transactions", drawn)?.status == 200)
                let fresh = await cluster.ask("n1", "POST", "/v1/transactions", Self.saga(nil, port: port))
                #expect(fresh?.status == 201 && fresh?.field("outcome") == "committed")
                #expect(await cluster.ask("n2", "GET", "/v1/cluster/audit")?.body.contains("\"source\"") == true)

                // After a restart of all the mark still stands; lifted, it is gone for good.
                await cluster.stopAll()
                try cluster.startAll()
                _ = try await cluster.leader()
                #expect(await cluster.ask("n3", "GET", "/v1/transactions/after")?.status == 410)
                #expect(await cluster.ask("n3", "POST", "/v1/cluster/lift-restore-mark", "{}")?.status == 400)
                let lift = await cluster.ask(
                    "n3", "POST", "/v1/cluster/lift-restore-mark", "{\"reason\": \"compared\", \"actor\": \"Ada\"}")
                #expect(lift?.status == 200 && lift?.body.contains("\"lifted\":true") == true)
                #expect(await cluster.ask("n1", "GET", "/v1/transactions/after")?.status == 404)
                #expect(
                    await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("after", port: port))?.status == 201)
                #expect(
                    await cluster.ask("n2", "POST", "/v1/transactions/open/abort", "{}")?.field("outcome") == "aborted")
                let audit = await cluster.ask("n3", "GET", "/v1/cluster/audit")
                #expect(audit?.body.contains("\"restore_mark\":null") == true && audit?.body.contains("Ada") == true)
            }
        }
    }

    @Test("A restored node that is left behind gets the rest by a snapshot, and the mark with it")
    func snapshotBehindRestore() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            let settings = ["limits.retained-log=64KiB"]
            try await NodeTestCluster.run(nodes: 3, settings: settings) { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                #expect(
                    await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("before", port: port))?.status == 201)
                let path = cluster.configuration.nodes[0].data + ".backup"
                try await Self.fetch(cluster, "n1", to: path)
                await cluster.stopAll()
                try Self.restore(try StateBackup(examining: path), in: cluster)
                for name in ["n1", "n2"] { try cluster.start(name) }
                _ = try await cluster.leader(among: ["n1", "n2"])
                for _ in 0..<8 {
                    let padding = String(repeating: "x", count: 30_000)
                    let body = Self.saga(nil, port: port).replacingOccurrences(
                        of: "/undo\"}", with: "/undo\", \"payload\": {\"pad\": \"\(padding)\"}}")
                    #expect(await cluster.ask("n1", "POST", "/v1/transactions", body)?.status == 201)
                }
                try cluster.start("n3")
                _ = try await cluster.until("n3 has caught up") {
                    let answer = await cluster.ask("n3", "GET", "/readyz")
                    return answer?.status == 200 ? true : nil as Bool?
                }
                #expect(await cluster.ask("n3", "GET", "/v1/transactions/who?consistency=local")?.status == 410)
                #expect(await cluster.ask("n3", "GET", "/v1/cluster/audit")?.body.contains("\"source\"") == true)
            }
        }
    }
}
