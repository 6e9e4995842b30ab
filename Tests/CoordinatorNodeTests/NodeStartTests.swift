// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import Logging
import Testing

@Suite("A node that can't start says why", .timeLimit(.minutes(10))) struct NodeStartTests {
    @Test("A name that the configuration doesn't have") func unknownNode() async throws {
        try await NodeTestCluster.run(nodes: 1) { cluster in
            let error = #expect(throws: NodeError.self) { try cluster.start("n9") }
            #expect(error?.description == "the configuration has no node 'n9'; it has n1")
        }
    }

    @Test("An empty folder that was never initialised") func notInitialised() async throws {
        try await NodeTestCluster.run(nodes: 1) { cluster in
            let folder = cluster.configuration.nodes[0].data
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                try FileManager.default.removeItem(atPath: folder + "/" + name)
            }
            try cluster.start("n1")
            let error = try #require(await cluster.failure(of: "n1"))
            #expect("\(error)".contains(folder))
            #expect("\(error)".contains("empty"))
        }
    }

    @Test("A folder on which another process runs") func locked() async throws {
        try await NodeTestCluster.run(nodes: 1) { cluster in
            try cluster.startAll()
            _ = try await cluster.leader()
            let second = try CoordinatorNode(
                "n1", in: cluster.configuration, version: "test",
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                endings: NodeEndings(fatal: { fatalError($0) }, outdated: { fatalError($0) }, onRemoved: {}))
            let error = await #expect(throws: NodeError.self) { try await second.run() }
            #expect(error?.description.contains(cluster.configuration.nodes[0].data) == true)
            let answer = await cluster.ask("n1", "GET", "/readyz")
            #expect(answer?.status == 200)
        }
    }

    @Test("Another node's folder") func foreign() async throws {
        try await NodeTestCluster.run(nodes: 3) { cluster in
            let nodes = cluster.configuration.nodes
            try FileManager.default.removeItem(atPath: nodes[0].data)
            try FileManager.default.copyItem(atPath: nodes[1].data, toPath: nodes[0].data)
            try cluster.start("n1")
            let error = try #require(await cluster.failure(of: "n1"))
            #expect("\(error)".contains("n2"))
        }
    }

    @Test("Applied state that is not of this log") func stateOfAnotherLog() async throws {
        try await NodeTestCluster.run(nodes: 1) { cluster in
            let folder = cluster.configuration.nodes[0].data
            let empty = folder + ".empty"
            try FileManager.default.copyItem(atPath: folder, toPath: empty)
            try cluster.startAll()
            _ = try await cluster.leader()
            await cluster.stop("n1")
            // The log as it was before anything was written, and the state that was applied since.
            for name in try FileManager.default.contentsOfDirectory(atPath: empty) {
                try? FileManager.default.removeItem(atPath: folder + "/" + name)
                try FileManager.default.copyItem(atPath: empty + "/" + name, toPath: folder + "/" + name)
            }
            try cluster.start("n1")
            let error = try #require(await cluster.failure(of: "n1") as? NodeError)
            #expect(error.isDamage)
            #expect(error.description.contains("state.db"))
        }
    }

    @Test("Damaged applied state is set aside and filled anew from the log") func stateRot() async throws {
        try await Participant.run { _ in
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        } _: { _, port in
            try await NodeTestCluster.run(nodes: 1) { cluster in
                let path = cluster.configuration.nodes[0].data + "/state.db"
                let body = """
                    {"gid": "kept", "protocol": "saga", "wait_ms": 20000, "branches": [
                      {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo"}]}
                    """
                try cluster.startAll()
                _ = try await cluster.leader()
                let answer = await cluster.ask("n1", "POST", "/v1/transactions", body)
                #expect(answer?.field("outcome") == "committed")
                await cluster.stop("n1")
                var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                for offset in stride(from: 4096 + 100, to: bytes.count, by: 7) { bytes[offset] ^= 0x10 }
                try bytes.write(to: URL(fileURLWithPath: path))
                try cluster.start("n1")
                _ = try await cluster.leader()
                let read = await cluster.ask("n1", "GET", "/v1/transactions/kept")
                #expect(read?.field("outcome") == "committed")
                #expect(read?.field("decided_at") == answer?.field("decided_at"))
                #expect(FileManager.default.fileExists(atPath: path + ".damaged"))
            }
        }
    }

    @Test("A port that another process has") func portInUse() async throws {
        try await Participant.run { _ in
            .silence
        } _: { _, port in
            for key in ["peer", "client"] {
                try await NodeTestCluster.run(nodes: 1, settings: ["node.n1.\(key)=127.0.0.1:\(port)"]) { cluster in
                    try cluster.start("n1")
                    let error = try #require(await cluster.failure(of: "n1"))
                    #expect("\(error)".contains("\(port)"), "\(error)")
                    #expect("\(error)".contains("use") || "\(error)".contains("process"), "\(error)")
                }
            }
        }
    }
}
