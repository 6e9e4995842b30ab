// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import Raft
import StateStore
import Testing
import Transactions

@Suite("Nodes hold their applied states against each other", .timeLimit(.minutes(10))) struct NodeStatePointTests {
    private static func digests(_ digests: [Int: UInt64]) -> [NodeID: UInt64] {
        Dictionary(uniqueKeysWithValues: digests.map { (Self.node($0), $1) })
    }

    private static func node(_ number: Int) -> NodeID { NodeID(rawValue: "n\(number)") }

    @Test("A majority of the voters says who is wrong; a learner has no say, and neither has half of them")
    func verdicts() {
        func verdict(_ digests: [Int: UInt64]) -> StateVerdict {
            StateVerdict(Self.digests(digests), voters: Set((1...3).map(Self.node)))
        }
        #expect(verdict([1: 7]) == .equal)
        #expect(verdict([1: 7, 2: 7, 3: 7, 4: 7]) == .equal)
        #expect(verdict([1: 7, 2: 8, 3: 7]) == .odd([Self.node(2)], majority: 7))
        #expect(verdict([1: 7, 2: 8, 3: 8]) == .odd([Self.node(1)], majority: 8))
        #expect(verdict([1: 7, 2: 7, 4: 8, 5: 9]) == .odd([Self.node(4), Self.node(5)], majority: 7))
        for digests in [[1: 7, 2: 8], [1: 7, 4: 8, 5: 8], [1: 7, 2: 8, 3: 9]] as [[Int: UInt64]] {
            #expect(verdict(digests) == .undecided(Self.digests(digests)))
        }
    }

    @Test("The latest points are kept, each under its index")
    func points() {
        var points = StatePoints()
        for number in UInt64(1)...20 {
            #expect(StatePoints.isPoint(number * StatePoints.spacing))
            #expect(!StatePoints.isPoint(number * StatePoints.spacing - 1))
            points.add(100 + number, at: number * StatePoints.spacing)
        }
        #expect(points.digest(at: 20 * StatePoints.spacing) == 120)
        #expect(points.digest(at: 13 * StatePoints.spacing) == 113)
        #expect(points.digest(at: 12 * StatePoints.spacing) == nil)
        #expect(points.digest(at: 13 * StatePoints.spacing + 1) == nil)
    }

    @Test("A node whose state is another one is found, and ends; its next start fills the state anew")
    func oddNode() async throws {
        let ends = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            try await NodeStatePointTests.letOneDiffer()
        }
        let said = String(decoding: ends?.standardErrorContent ?? [], as: UTF8.self)
        #expect(said.contains("n3/state.db is damaged"), "\(said.suffix(2_000))")
        #expect(said.contains("isn't what the majority of the nodes has"), "\(said.suffix(2_000))")
    }

    /// Three nodes, one of which has another sum in its state than its log gives, run until they have compared.
    static func letOneDiffer() async throws {
        try await Participant.run { _ in
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        } _: { _, port in
            try await NodeTestCluster.run { cluster in
                try cluster.startAll()
                _ = try await cluster.leader()
                try await Self.submit(0..<8, to: cluster, port: port)
                await cluster.stop("n3")
                try Self.falsify("n3", in: cluster)
                try cluster.start("n3")
                _ = try await cluster.leader()
                // The process ends before this does.
                try await Self.submit(8..<100_000, to: cluster, port: port)
            }
        }
    }

    /// Writes a checkpoint that is right but for its sum.
    private static func falsify(_ name: String, in cluster: NodeTestCluster) throws {
        let path = try #require(cluster.configuration.node(name)).data + "/state.db"
        let database = try StateDatabase.open(path: path, identity: cluster.stateIdentity(of: name))
        let state = try database.load()
        try database.checkpoint(
            StateCheckpoint(
                StateChanges(finished: [], changedLive: [], sum: state.sum &+ 1), appliedIndex: state.appliedIndex,
                appliedTerm: state.appliedTerm, logTime: state.logTime))
        _ = try database.sync()
    }

    private static func submit(_ numbers: Range<Int>, to cluster: NodeTestCluster, port: Int) async throws {
        for number in numbers {
            let body = """
                {"gid": "t-\(number)", "protocol": "saga", "wait_ms": 20000, "branches": [
                  {"action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo"}]}
                """
            let answer = await cluster.ask("n1", "POST", "/v1/transactions", body)
            #expect(answer?.field("outcome") == "committed")
        }
    }
}
