// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import Raft
import RaftStore
import Testing

@Suite("Whole nodes: a rotten log comes back from the others", .timeLimit(.minutes(10))) struct NodeRepairTests {
    private static let yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    private static func saga(_ gid: String, port: Int, pad: String = "") -> String {
        """
        {"gid": "\(gid)", "protocol": "saga", "wait_ms": 20000, "branches": [
          {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo",
           "payload": {"pad": "\(pad)"}}]}
        """
    }

    /// Flips a bit of `mark` wherever it stands in a file: a page that is free now may hold it too.
    private static func flip(_ mark: String, in path: String) throws {
        var bytes = try Data(contentsOf: URL(filePath: path))
        var count = 0
        while let found = bytes.range(of: Data(mark.utf8)) {
            bytes[found.lowerBound] ^= 1
            count += 1
        }
        #expect(count > 0, "\(mark) doesn't stand in \(path)")
        try bytes.write(to: URL(filePath: path))
    }

    @Test("A node with a flipped bit in its log starts, keeps the damaged file, and has everything and its vote back")
    func repaired() async throws {
        try await Participant.run { _ in
            .send(Self.yes)
        } _: { _, port in
            try await NodeTestCluster.run { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                let mark = "here-it-rots"
                // Far from the row's beginning, whose page later rows are written to.
                let pad = String(repeating: "x", count: 9_000) + mark + String(repeating: "x", count: 9_000)
                #expect(
                    await cluster.ask("n1", "POST", "/v1/transactions", Self.saga("old", port: port, pad: pad))?
                        .field("outcome") == "committed")
                // The write-ahead log begins anew behind the next start, so that the entry stands in the file alone.
                await cluster.stopAll()
                try cluster.startAll()
                _ = try await cluster.leader()
                for number in 1...5 {
                    let answer = await cluster.ask(
                        "n1", "POST", "/v1/transactions", Self.saga("later-\(number)", port: port))
                    #expect(answer?.field("outcome") == "committed")
                }
                await cluster.stop("n3")
                let data = try #require(cluster.configuration.node("n3")).data
                let last = try OfflineLogReader(path: data).lastIndex
                try Self.flip(mark, in: data + "/" + DataFolder.Names.database)
                #expect(throws: StoreError.self) { try OfflineLogReader(path: data) }

                try cluster.start("n3")
                _ = try await cluster.until("n3 is whole again") {
                    await cluster.ask("n3", "GET", "/readyz")?.status == 200 ? true : nil as Bool?
                }
                #expect(FileManager.default.fileExists(atPath: data + "/" + DataFolder.Names.damaged))
                for gid in ["old", "later-1", "later-5"] {
                    let answer = await cluster.ask("n3", "GET", "/v1/transactions/\(gid)?consistency=local")
                    #expect(answer?.field("outcome") == "committed", "\(gid)")
                }
                // Its vote counts: without one of the others it makes a majority.
                await cluster.stop("n1")
                _ = try await cluster.leader(among: ["n2", "n3"])
                #expect(
                    await cluster.ask("n3", "POST", "/v1/transactions", Self.saga("more", port: port))?
                        .field("outcome") == "committed")
                await cluster.stopAll()
                let reader = try OfflineLogReader(path: data)
                #expect(reader.lastIndex > last && reader.hardState.losses == 1 && !reader.hardState.isRepairing)
            }
        }
    }
}
