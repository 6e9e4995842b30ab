// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Testing

/// Deadlines, waiting for the outcome, cancelling and closing.
@Suite(.timeLimit(.minutes(2)))
struct TimeTests {
    @Test
    func aSilentNodeIsGivenUpForTheNextOne() async throws {
        let silent = try await ScriptedNode(.silence)
        let node = try await ScriptedNode(.transaction(status: 201))
        try await withClient([silent.address, node.address], attemptTimeout: .milliseconds(200)) { client in
            // Given a patience of its own, so that only the attempt's time can end it.
            _ = try await client.submit(saga, patience: .seconds(60))
        }
        // The gid stays; it is called fresh as long as nobody can have heard of it.
        #expect(silent.requests.first?.body.contains(#""fresh":true"#) == true)
        #expect(
            silent.requests.first?.body.replacing(#""fresh":true,"#, with: "") == node.requests.first?.body)
    }

    @Test
    func silenceLeavesTheOutcomeOfAChangeUnknownAndAReadUnavailable() async throws {
        // The first answer makes the connection, so that no time goes into it later.
        let node = try await ScriptedNode(.transaction(), .silence)
        try await withClient([node.address], attemptTimeout: .seconds(1)) { client in
            _ = try await client.transaction("g1", patience: .seconds(60))
            let changed = await failure { () throws(CoordinatorClientError) in
                try await client.submit(saga, patience: .zero)
            }
            #expect(changed?.code == .outcomeUnknown)
            let read = await failure { () throws(CoordinatorClientError) in
                try await client.transaction("g1", patience: .milliseconds(100))
            }
            #expect(read?.code == .unavailable)
        }
        #expect(node.requests.prefix(2).map(\.method) == ["GET", "POST"])
    }

    @Test
    func withoutAWaitTheAnswerComesWhenTheTransactionIsRecorded() async throws {
        let node = try await ScriptedNode(.transaction(status: 201))
        try await withClient([node.address]) { client in
            let seen = try await client.submit(saga)
            #expect(seen.outcome == nil)
        }
        #expect(node.requests.count == 1)
        #expect(node.requests.first?.body.contains("wait_ms") == false)
    }

    @Test
    func aWaitGoesOnWithReadsUntilTheOutcomeIsThere() async throws {
        let node = try await ScriptedNode(
            .transaction(status: 201), .transaction(), .problem(503, "no-leader"), .transaction("committed"))
        try await withClient([node.address]) { client in
            let seen = try await client.submit(saga, wait: .seconds(60))
            #expect(seen.outcome == .committed)
        }
        let requests = node.requests
        #expect(requests.map(\.method) == ["POST", "GET", "GET", "GET"])
        // The longest that one request is held, 10 s by default.
        #expect(requests.first?.body.contains(#""wait_ms":10000"#) == true)
        #expect(requests.dropFirst().allSatisfy { $0.target.hasSuffix("?consistency=linearizable&wait_ms=10000") })
    }

    @Test
    func aWaitThatEndsIsNoError() async throws {
        let node = try await ScriptedNode(.transaction(status: 201))
        try await withClient([node.address]) { client in
            let seen = try await client.submit(saga, wait: .milliseconds(100))
            #expect(seen.state == .running)
            #expect(seen.outcome == nil)
        }
    }

    @Test
    func aReadThatFailsTakesNothingBackFromARecordedTransaction() async throws {
        let node = try await ScriptedNode(.transaction(status: 201), .problem(404, "not-found"))
        try await withClient([node.address]) { client in
            let seen = try await client.submit(saga, wait: .seconds(60))
            #expect(seen.state == .running)
        }
        #expect(node.requests.map(\.method) == ["POST", "GET"])
    }

    @Test
    func aCancelledCallEndsAtOnceAndNamesItsTransaction() async throws {
        let silent = try await ScriptedNode(.silence)
        let other = try await ScriptedNode(.transaction())
        try await withClient([silent.address, other.address]) { client in
            let call = Task { await failure { () throws(CoordinatorClientError) in try await client.commit("g1") } }
            _ = await silent.arrival()
            call.cancel()
            let error = await call.value
            #expect(error?.code == .cancelled)
            #expect(error?.gid == "g1")
        }
        #expect(other.requests.isEmpty)
    }

    @Test
    func aCallCanBeCancelledInItsPause() async throws {
        let node = try await ScriptedNode(.problem(503, "no-leader", retryAfter: forever))
        try await withClient([node.address], patience: .seconds(100_000)) { client in
            let call = Task { await failure { () throws(CoordinatorClientError) in try await client.commit("g1") } }
            _ = await node.arrival()
            call.cancel()
            #expect(await call.value?.code == .cancelled)
        }
        #expect(node.requests.count == 1)
    }

    @Test
    func closingEndsTheCallsThatRun() async throws {
        let silent = try await ScriptedNode(.silence)
        try await withClient([silent.address]) { client in
            let change = Task { await failure { () throws(CoordinatorClientError) in try await client.commit("g1") } }
            _ = await silent.arrival()
            let read = Task { await failure { () throws(CoordinatorClientError) in try await client.cluster() } }
            _ = await silent.arrival()
            await client.shutdown()
            #expect(await change.value?.code == .outcomeUnknown)
            #expect(await read.value?.code == .closed)
        }
        #expect(silent.requests.count == 2)
    }

    @Test
    func aClosedClientAsksNobodyAndClosesAgainInPeace() async throws {
        let node = try await ScriptedNode(.transaction())
        try await withClient([node.address]) { client in
            await client.shutdown()
            let change = await failure { () throws(CoordinatorClientError) in try await client.submit(saga) }
            #expect(change?.code == .closed)
            #expect(await client.isReady(at: node.address) == false)
            await client.shutdown()
        }
        #expect(node.requests.isEmpty)
    }
}
