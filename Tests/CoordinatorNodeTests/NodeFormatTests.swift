// SPDX-License-Identifier: Apache-2.0

#if NextFormat
    import Bytes
    import ClusterConfiguration
    import CoordinatorNode
    import Foundation
    import StateStore
    import Testing

    /// This build's nodes can be of the product's format, or of a next one that has one more kind of entry (faults 39).
    @Suite("Nodes of two formats in one cluster", .timeLimit(.minutes(10))) struct NodeFormatTests {
        private static func begin(_ cluster: NodeTestCluster, at name: String, _ gid: String) async throws {
            let body = #"{"gid": "\#(gid)", "protocol": "saga", "timeout_ms": 600000}"#
            _ = try await cluster.until("a transaction at \(name)") {
                await cluster.ask(name, "POST", "/v1/transactions/begin", body)?.status == 201 ? true : nil
            }
        }

        /// The events of the audit history, as one node has it.
        private static func events(_ cluster: NodeTestCluster, at name: String) async throws -> [String] {
            let body = try await cluster.until("the audit at \(name)") {
                await cluster.ask(name, "GET", "/v1/cluster/audit")?.body
            }
            let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            let records = object?["audit"] as? [[String: Any]]
            return try #require(records, "\(body)").map { "\($0["event"] ?? "")" }
        }

        private static func waitForFormat(_ format: FormatLevel, _ cluster: NodeTestCluster, at name: String)
            async throws
        {
            _ = try await cluster.until("format \(format) at \(name)") {
                await cluster.ask(name, "GET", "/v1/node")?.field("format") == "\(format)" ? true : nil
            }
        }

        @Test("The new format is used only when every node knows it; then an old program is refused, and says why")
        func rollingUpgrade() async throws {
            try await NodeTestCluster.run { cluster in
                // A newer program joins an older cluster, leads it, and uses nothing new.
                try cluster.start("n1", known: .next)
                for name in ["n2", "n3"] { try cluster.start(name) }
                _ = try await cluster.leader()
                _ = try await cluster.until("n1 leads") {
                    let answer = await cluster.ask("n2", "POST", "/v1/cluster/transfer-leadership", #"{"to": "n1"}"#)
                    return answer?.field("leader") == "n1" || answer?.body.contains("leads already") == true
                        ? true : nil
                }
                try await Self.begin(cluster, at: "n2", "old-and-new")
                // With one of the old ones away nothing may change either: it will come back.
                await cluster.stop("n3")
                try await Self.begin(cluster, at: "n2", "one-away")
                await cluster.stop("n2")
                try cluster.start("n2", known: .next)
                try await Self.begin(cluster, at: "n2", "two-new")
                #expect(await cluster.ask("n1", "GET", "/v1/node")?.field("format") == "1")
                #expect(try await Self.events(cluster, at: "n1").isEmpty)
                try cluster.start("n3")
                try await Self.begin(cluster, at: "n3", "old-is-back")
                #expect(await cluster.ask("n3", "GET", "/v1/node")?.field("format") == "1")
                // The last one is upgraded.
                await cluster.stop("n3")
                try cluster.start("n3", known: .next)
                for name in cluster.names { try await Self.waitForFormat(.next, cluster, at: name) }
                for name in cluster.names {
                    _ = try await cluster.until("a remark at \(name)") {
                        try await Self.events(cluster, at: name) == ["format-raised", "remark"] ? true : nil
                    }
                    for gid in ["old-and-new", "one-away", "two-new", "old-is-back"] {
                        #expect(await cluster.ask(name, "GET", "/v1/transactions/\(gid)")?.status == 200)
                    }
                }
                // Nobody goes back.
                await cluster.stop("n3")
                try cluster.start("n3")
                let error = try #require(await cluster.failure(of: "n3") as? NodeError)
                let path = try #require(cluster.configuration.node("n3")).data + "/state.db"
                #expect(
                    error.description
                        == StateStoreError.newerFormat(path: path, used: .next, known: .newest).description)
                try cluster.start("n3", known: .next)
                try await Self.begin(cluster, at: "n3", "and-on")
            }
        }

        @Test("An old program that has nothing but the log ends at the entry that it can't go beyond")
        func entry() async throws {
            let ends = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                try await NodeTestCluster.run(nodes: 1) { cluster in
                    try cluster.startAll(known: .next)
                    try await NodeFormatTests.waitForFormat(.next, cluster, at: "n1")
                    await cluster.stop("n1")
                    for suffix in ["", "-wal", "-shm"] {
                        let state = try #require(cluster.configuration.node("n1")).data + "/state.db"
                        try? FileManager.default.removeItem(atPath: state + suffix)
                    }
                    try cluster.start("n1")
                    // The process ends before this does.
                    try await NodeFormatTests.waitForFormat(.next, cluster, at: "n1")
                }
            }
            let said = String(decoding: ends?.standardErrorContent ?? [], as: UTF8.self)
            #expect(said.contains("n1 is outdated: the cluster uses format 2"), "\(said.suffix(2_000))")
        }

        @Test("An old program that joins a cluster of a newer format is told so, and ends") func join() async throws {
            let ends = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                try await NodeTestCluster.run(nodes: 2, founders: 1) { cluster in
                    try cluster.start("n1", known: .next)
                    try await NodeFormatTests.waitForFormat(.next, cluster, at: "n1")
                    try cluster.join("n2", storageID: 44, knowing: ["n1"])
                    let node = try #require(cluster.configuration.node("n2"))
                    let body = """
                        {"add": [{"id": "n2", "storage_id": "000000000000002c", "peer_address": "\(node.peer)", \
                        "client_address": "\(node.client)"}]}
                        """
                    _ = try await cluster.until("the end") {
                        _ = await cluster.ask("n1", "POST", "/v1/cluster/members", body)
                        return nil as Bool?
                    }
                }
            }
            let said = String(decoding: ends?.standardErrorContent ?? [], as: UTF8.self)
            #expect(said.contains("n2 is outdated: the cluster uses format 2"), "\(said.suffix(2_000))")
        }
    }
#endif
