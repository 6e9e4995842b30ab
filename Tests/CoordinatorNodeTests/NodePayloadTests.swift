// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import Locks
import StateStore
import Testing
import Transactions

@Suite("Whole nodes: payloads of what isn't finished are on the disk until they are due", .timeLimit(.minutes(10)))
struct NodePayloadTests {
    @Test("A participant that is asked again and again gets the same body, also from a leader that has only its disk")
    func sameBody() async throws {
        let isWilling = Locked(false)
        try await Participant.run { _ in
            .send(isWilling.withLock { $0 } ? Answers.ok() : Answers.status("503 Later"))
        } _: { participant, port in
            try await NodeTestCluster.run { cluster in
                try cluster.startAll()
                let leader = try await cluster.leader()
                let payload = "{\"pad\": \"\(String(repeating: "x", count: 20_000))\"}"
                let saga = """
                    {"gid": "long", "protocol": "saga", "timeout_ms": 600000, "branches": [
                      {"id": "a", "action": "http://127.0.0.1:\(port)/do", "compensate": "http://127.0.0.1:\(port)/undo",
                       "payload": \(payload)}]}
                    """
                #expect(await cluster.ask("n1", "POST", "/v1/transactions", saga)?.status == 201)
                let gid = try #require(Gid(rawValue: "long"))
                let branch = try #require(BranchID(rawValue: "a"))
                let data = try #require(cluster.configuration.node(leader)).data
                _ = try await cluster.until("the leader's disk has the payload") {
                    let reader = try? ArchiveReader(
                        path: data + "/" + "state.db", identity: cluster.stateIdentity(of: leader))
                    return (try? reader?.payload(of: gid, branch: branch)) == Array(payload.utf8) ? true : nil as Bool?
                }
                let asked = participant.requests.count
                await participant.wait { $0.requests.count > asked + 2 }
                await cluster.stopAll()
                try cluster.startAll()
                _ = try await cluster.leader()
                let before = participant.requests.count
                await participant.wait { $0.requests.count > before }
                isWilling.withLock { $0 = true }
                let answer = await cluster.ask("n2", "GET", "/v1/transactions/long?wait_ms=30000")
                #expect(answer?.field("outcome") == "committed")
                #expect(participant.requests.allSatisfy { $0.body == payload })
                // The same again finds it, other content doesn't.
                #expect(await cluster.ask("n3", "POST", "/v1/transactions", saga)?.status == 200)
                let other = saga.replacingOccurrences(of: "xxxx\"}", with: "xxxy\"}")
                #expect(await cluster.ask("n3", "POST", "/v1/transactions", other)?.field("code") == "gid-conflict")
            }
        }
    }
}
