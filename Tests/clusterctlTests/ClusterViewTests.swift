// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorClient
import Foundation
import Testing
import clusterctl

@Suite("The cluster as its nodes describe it")
struct ClusterViewTests {
    private static func nodes() throws -> [ClusterConfiguration.Node] {
        let text = (1...3).map { "[node n\($0)]\npeer=127.0.0.1:\($0)\nclient=127.0.0.1:1\($0)\ndata=d\($0)\n" }
        return try ClusterConfiguration.parse(Array(text.joined().utf8), file: "c").nodes
    }

    private static func status(
        _ node: String, _ role: String, term: UInt64, last: UInt64, known: Int = 1
    ) throws -> Result<NodeStatus, CoordinatorClientError> {
        let text = """
            {"cluster_id": "00", "node": "\(node)", "pid": 7, "role": "\(role)", "term": \(term), "commit_index": 5,
             "applied_index": 4, "last_index": \(last), "durable_index": \(last), "live_transactions": 2,
             "format": 1, "known_format": \(known), "since": "2026-01-31T00:00:00.000Z", "started_at": "2026-01-31T00:00:00.000Z", "version": "1"}
            """
        return .success(try JSONDecoder().decode(NodeStatus.self, from: Data(text.utf8)))
    }

    @Test("The leader of the highest term leads; one that was deposed and doesn't know it doesn't")
    func leaders() throws {
        let view = ClusterView(
            nodes: try Self.nodes(),
            answers: [
                "n1": try Self.status("n1", "leader", term: 3, last: 9),
                "n2": try Self.status("n2", "leader", term: 4, last: 12),
                "n3": try Self.status("n3", "follower", term: 4, last: 10),
            ])
        #expect(view.leader == "n2")
        #expect(view.term == 4)
        #expect(view.rows.map(\.role) == ["deposed", "leader", "follower"])
        #expect(view.rows.map(\.lag) == [3, 0, 2])
    }

    @Test("A node that knows a newer format than the cluster uses is said, with those that it waits for")
    func formats() throws {
        func view(_ known: [String: Int]) throws -> ClusterView {
            ClusterView(
                nodes: try Self.nodes(),
                answers: try known.reduce(into: [:]) { answers, node in
                    answers[node.key] = try Self.status(node.key, "follower", term: 1, last: 1, known: node.value)
                })
        }
        #expect(try view(["n1": 1, "n2": 1, "n3": 1]).formatNote == nil)
        #expect(try view([:]).formatNote == nil)
        let waiting = try view(["n1": 2, "n2": 1]).formatNote
        #expect(waiting?.contains("uses format 1, though n1 would know a newer one: n2, n3 must be upgraded") == true)
        #expect(try view(["n1": 2, "n2": 2, "n3": 2]).formatNote?.contains("about to raise it") == true)
    }

    @Test("Without a leader there is no lag, and a node without an answer is down")
    func leaderless() throws {
        let view = ClusterView(
            nodes: try Self.nodes(), answers: ["n2": try Self.status("n2", "candidate", term: 2, last: 1)])
        #expect(view.leader == nil)
        #expect(view.rows.map(\.role) == ["down", "candidate", "down"])
        #expect(view.rows.allSatisfy { $0.lag == nil })
        #expect(view.rows[0].problem == "was not asked")
        #expect(
            view.table { _ in .seconds(61) }.text == """
                NODE  ROLE       TERM  COMMIT  APPLIED  LAG  LIVE  SINCE      CLIENTS
                n1    down          -       -        -    -     -  -          127.0.0.1:11
                n2    candidate     2       5        4    -     2  1 min 1 s  127.0.0.1:12
                n3    down          -       -        -    -     -  -          127.0.0.1:13
                """)
    }

    @Test("A node that answers at another one's address is named")
    func wrongNode() throws {
        let view = ClusterView(
            nodes: try Self.nodes(), answers: ["n1": try Self.status("n9", "leader", term: 1, last: 1)])
        #expect(view.rows[0].problem == "node n9 answers at 127.0.0.1:11")
    }

    @Test("A node of another cluster than its folder's is none of ours, though it leads")
    func otherCluster() throws {
        let view = ClusterView(
            nodes: try Self.nodes(),
            answers: [
                "n1": try Self.status("n1", "leader", term: 9, last: 1),
                "n2": try Self.status("n2", "follower", term: 2, last: 1),
            ],
            clusterIDs: ["n1": "ff", "n2": "00"])
        #expect(view.leader == nil)
        #expect(view.term == 2)
        #expect(view.rows[0].role == "down")
        #expect(
            view.rows[0].problem
                == "at 127.0.0.1:11 answers node n1 of another cluster, 00; the data folder is of cluster ff")
        #expect(view.rows[1].problem == nil)
    }
}
