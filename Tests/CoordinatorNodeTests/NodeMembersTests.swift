// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import RaftStore
import Testing

@Suite("Nodes that join, leave and are replaced", .timeLimit(.minutes(10))) struct NodeMembersTests {
    private static let path = "/v1/cluster/members"

    /// Changes the members by one node's mouth, until that succeeds.
    private static func change(
        _ cluster: NodeTestCluster, at name: String, _ body: String
    ) async throws -> NodeTestCluster.Answer {
        try await cluster.until("a change: \(body)") {
            let answer = await cluster.ask(name, "POST", Self.path, body)
            return answer?.status == 200 ? answer : nil
        }
    }

    /// The answer to one change, asked again only while nobody can make changes or too few nodes have been heard.
    private static func attempt(
        _ cluster: NodeTestCluster, at name: String, _ body: String
    ) async throws -> NodeTestCluster.Answer {
        try await cluster.until("an answer to \(body)") {
            let answer = await cluster.ask(name, "POST", Self.path, body)
            return answer?.status == 503 || answer?.body.contains("of late") == true ? nil : answer
        }
    }

    private static func addition(_ cluster: NodeTestCluster, _ name: String, storageID: String) throws -> String {
        let node = try #require(cluster.configuration.node(name))
        return """
            {"add": [{"id": "\(name)", "storage_id": "\(storageID)", "peer_address": "\(node.peer)", \
            "client_address": "\(node.client)"}]}
            """
    }

    /// The standing of every member as the answer says.
    private static func standings(_ answer: NodeTestCluster.Answer?) throws -> [String: String] {
        let body = try #require(answer?.body)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
        let members = try #require(object["members"] as? [[String: Any]])
        return Dictionary(
            members.map { ("\($0["id"] ?? "")", "\($0["standing"] ?? "")") }, uniquingKeysWith: { first, _ in first })
    }

    private static func begin(_ cluster: NodeTestCluster, at name: String, _ gid: String) async throws {
        let body = #"{"gid": "\#(gid)", "protocol": "saga", "timeout_ms": 60000}"#
        _ = try await cluster.until("a transaction at \(name)") {
            await cluster.ask(name, "POST", "/v1/transactions/begin", body)?.status == 201 ? true : nil
        }
    }

    @Test("A node joins as a learner, is promoted, serves, and leads when it is asked to") func join() async throws {
        try await NodeTestCluster.run(nodes: 4, founders: 3) { cluster in
            for name in ["n1", "n2", "n3"] { try cluster.start(name) }
            let leader = try await cluster.leader(among: ["n1", "n2", "n3"])
            let follower = leader == "n1" ? "n2" : "n1"
            try await Self.begin(cluster, at: leader, "before")
            try cluster.join("n4", storageID: 44, knowing: ["n1", "n2", "n3"])
            // Asked of a follower: the leader makes the change.
            let added = try await Self.change(
                cluster, at: follower, Self.addition(cluster, "n4", storageID: "000000000000002c"))
            #expect(try Self.standings(added) == ["n1": "voter", "n2": "voter", "n3": "voter", "n4": "learner"])
            // It is refused for as long as the learner lags; then it is done.
            let promoted = try await Self.change(cluster, at: leader, #"{"promote": ["n4"]}"#)
            #expect(try Self.standings(promoted)["n4"] == "voter")
            try await Self.begin(cluster, at: "n4", "at-the-new-node")
            let read = await cluster.ask("n4", "GET", "/v1/transactions/before")
            #expect(read?.status == 200)
            _ = try await cluster.until("n4 leads") {
                let answer = await cluster.ask(leader, "POST", "/v1/cluster/transfer-leadership", #"{"to": "n4"}"#)
                return answer?.field("leader") == "n4" ? true : nil
            }
            // Two of four would not be enough; three are.
            await cluster.stop(leader)
            try await Self.begin(cluster, at: follower, "three-of-four")
            // And the change is still there after a start of everything.
            for name in cluster.names { await cluster.stop(name) }
            try cluster.startAll()
            let again = try await cluster.until("the members") {
                let answer = await cluster.ask("n4", "GET", Self.path)
                return answer?.status == 200 ? answer : nil
            }
            #expect(try Self.standings(again).values.allSatisfy { $0 == "voter" })
            #expect(try Self.standings(again).count == 4)
        }
    }

    @Test("A removed follower hears of it, and never starts again; the others serve") func removeFollower() async throws
    {
        try await NodeTestCluster.run { cluster in
            try cluster.startAll()
            let leader = try await cluster.leader()
            let leaves = try #require(cluster.names.first { $0 != leader })
            let stays = try #require(cluster.names.first { $0 != leader && $0 != leaves })
            // Asked of the very node that leaves: it gets its answer first.
            let removed = try await Self.attempt(cluster, at: leaves, #"{"remove": ["\#(leaves)"]}"#)
            #expect(removed.status == 200, "\(removed)")
            #expect(try Self.standings(removed) == [leader: "voter", stays: "voter"])
            _ = try await cluster.until("\(leaves) knows") { cluster.isRemoved(leaves) ? true : nil }
            await cluster.stop(leaves)
            try cluster.start(leaves)
            let error = try #require(await cluster.failure(of: leaves) as? NodeError)
            #expect(error.isUsage)
            #expect(error.description.contains("was removed from the cluster"))
            try await Self.begin(cluster, at: leader, "after")
        }
    }

    @Test("A leader that is removed sees the change through, and another one leads") func removeLeader() async throws {
        try await NodeTestCluster.run { cluster in
            try cluster.startAll()
            let leader = try await cluster.leader()
            let others = cluster.names.filter { $0 != leader }
            try await Self.begin(cluster, at: leader, "before")
            let answer = try await Self.attempt(cluster, at: leader, #"{"remove": ["\#(leader)"]}"#)
            // Unknown only if it has ceased to lead meanwhile.
            #expect([200, 504].contains(answer.status), "\(answer)")
            _ = try await cluster.until("\(leader) knows") { cluster.isRemoved(leader) ? true : nil }
            await cluster.stop(leader)
            let next = try await cluster.leader(among: others)
            #expect(await cluster.ask(next, "GET", "/v1/transactions/before")?.status == 200)
            try await Self.begin(cluster, at: others[0], "after")
            try await Self.begin(cluster, at: others[1], "after-too")
        }
    }

    @Test("A member whose disk is lost is removed and joins anew under another storage id") func replace() async throws
    {
        try await NodeTestCluster.run { cluster in
            try cluster.startAll()
            let leader = try await cluster.leader()
            let lost = try #require(cluster.names.first { $0 != leader })
            let others = cluster.names.filter { $0 != lost }
            try await Self.begin(cluster, at: leader, "before")
            await cluster.stop(lost)
            let folder = try #require(cluster.configuration.node(lost)).data
            try FileManager.default.removeItem(atPath: folder)
            // Under its old name it can't be added, and nothing but its own folder can stand for it.
            let early = try await Self.attempt(
                cluster, at: leader, Self.addition(cluster, lost, storageID: "0000000000000063"))
            #expect(early.status == 409, "\(early)")
            _ = try await Self.change(cluster, at: leader, #"{"remove": ["\#(lost)"]}"#)
            try cluster.join(lost, storageID: 99, knowing: others)
            _ = try await Self.change(cluster, at: leader, Self.addition(cluster, lost, storageID: "0000000000000063"))
            let back = try await Self.change(cluster, at: leader, #"{"promote": ["\#(lost)"]}"#)
            #expect(try Self.standings(back)[lost] == "voter")
            // It counts: with it alone another one makes a majority.
            await cluster.stop(try #require(others.first { $0 != leader }))
            try await Self.begin(cluster, at: lost, "after")
            #expect(await cluster.ask(lost, "GET", "/v1/transactions/before")?.status == 200)
        }
    }

    @Test("Changes that make no sense are refused, and say why") func nonsense() async throws {
        try await NodeTestCluster.run(nodes: 1) { cluster in
            try cluster.startAll()
            _ = try await cluster.leader()
            for (body, words) in [
                (#"{"remove": ["n1"]}"#, "no voter would be left"), (#"{"remove": ["n7"]}"#, "n7 is no member"),
                (#"{"promote": ["n1"]}"#, "n1 is no learner"), (#"{"go_back": true}"#, "no change is under way"),
                (try Self.addition(cluster, "n1", storageID: "0000000000000007"), "n1 is a member already"),
            ] {
                let answer = await cluster.ask("n1", "POST", Self.path, body)
                #expect(answer?.status == 409, "\(body)")
                #expect(answer?.body.contains(words) == true, "\(String(describing: answer))")
            }
            for body in [
                "{}", #"{"add": []}"#, #"{"promote": [""]}"#, #"{"promote": ["n1"], "go_back": true}"#,
                #"{"remove": "n1"}"#,
                #"{"add": [{"id": "n2", "storage_id": "zz", "peer_address": "h:1", "client_address": "h:2"}]}"#,
                #"{"add": [{"id": "n2", "storage_id": "0000000000000000", "peer_address": "h:1", "client_address": "h:2"}]}"#,
                #"{"add": [{"id": "n2", "storage_id": "00000000000000ff", "peer_address": "h", "client_address": "h:2"}]}"#,
            ] {
                let answer = await cluster.ask("n1", "POST", Self.path, body)
                #expect(answer?.status == 400, "\(body): \(String(describing: answer))")
            }
        }
    }
}
