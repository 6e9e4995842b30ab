// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import Testing

/// Which answers lead to another attempt, where, and with what.
@Suite(.timeLimit(.minutes(2)))
struct RetryTests {
    @Test
    func aNodeWithoutALeaderSendsTheCallToTheOtherNodeWhichIsThenAskedFirst() async throws {
        let cutOff = try await ScriptedNode(.problem(503, "no-leader"))
        let healthy = try await ScriptedNode(.transaction(status: 201))
        try await withClient([cutOff.address, healthy.address]) { client in
            let seen = try await client.submit(saga)
            #expect(seen.gid == "g1")
            _ = try await client.transaction("g1")
        }
        #expect(cutOff.requests.map(\.method) == ["POST"])
        #expect(healthy.requests.map(\.method) == ["POST", "GET"])
        #expect(cutOff.requests.first?.body == healthy.requests.first?.body)
    }

    @Test
    func aNodeIsAskedAgainUntilItHasALeader() async throws {
        let node = try await ScriptedNode(
            .problem(503, "no-leader"), .problem(503, "no-leader"), .transaction(status: 201))
        try await withClient([node.address]) { client in
            _ = try await client.submit(saga)
        }
        #expect(node.requests.count == 3)
    }

    @Test
    func patienceEndsBeforeAPauseThatWouldOutlastIt() async throws {
        let first = try await ScriptedNode(.problem(503, "no-leader", retryAfter: forever))
        let second = try await ScriptedNode(.problem(503, "no-leader", retryAfter: forever))
        try await withClient([first.address, second.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.submit(saga) }
            #expect(error?.code == .unavailable)
            #expect(error?.problem?.code == "no-leader")
            #expect(error?.detail == "the node says no-leader (after 2 attempts)")
            #expect(error?.gid?.utf8.count == 26)
        }
        #expect(first.requests.count == 1)
        #expect(second.requests.count == 1)
    }

    @Test
    func aPatienceOfZeroIsOneAttempt() async throws {
        let node = try await ScriptedNode(.problem(503, "no-leader"))
        try await withClient([node.address]) { client in
            let submitted = await failure { () throws(CoordinatorClientError) in
                try await client.submit(saga, patience: .zero)
            }
            #expect(submitted?.code == .unavailable)
            let asked = await failure { () throws(CoordinatorClientError) in try await client.cluster(patience: .zero) }
            #expect(asked?.code == .unavailable)
        }
        #expect(node.requests.map(\.method) == ["POST", "GET"])
    }

    @Test(arguments: [
        Reply.problem(504, "outcome-unknown"), .answer(503, "busy, says a proxy"), .answer(500, ""), .hangUp,
        .bytes("not HTTP\r\n\r\n"),
    ])
    func afterAnUnknownOutcomeTheSameTransactionIsAskedForAgain(_ unknown: Reply) async throws {
        let first = try await ScriptedNode(unknown)
        let second = try await ScriptedNode(.transaction(status: 201))
        try await withClient([first.address, second.address]) { client in
            _ = try await client.submit(saga)
        }
        let sent = try (first.requests + second.requests).map { request in
            try JSONDecoder().decode(Submission.self, from: Data(request.body.utf8))
        }
        #expect(sent.count == 2)
        #expect(sent.first?.gid?.utf8.count == 26)
        #expect(sent.first == sent.last)
    }

    @Test
    func aBranchKeepsTheIDThatTheClientMadeForIt() async throws {
        let node = try await ScriptedNode(.problem(504, "outcome-unknown"), .transaction())
        try await withClient([node.address]) { client in
            _ = try await client.register(.tcc(confirm: "http://bank/confirm", cancel: "http://bank/cancel"), in: "g1")
        }
        let sent = try node.requests.map { request in
            try JSONDecoder().decode(BranchRequest.self, from: Data(request.body.utf8))
        }
        #expect(node.requests.map(\.target) == Array(repeating: "/v1/transactions/g1/branches", count: 2))
        #expect(sent.first?.id?.utf8.count == 26)
        #expect(sent.first == sent.last)
    }

    @Test(arguments: [
        Reply.problem(504, "outcome-unknown", retryAfter: forever),
        .answer(503, "busy, says a proxy", fields: ["Retry-After: 3600"]),
    ])
    func onceTheOutcomeIsUnknownNoLaterRefusalMakesItKnown(_ unknown: Reply) async throws {
        let first = try await ScriptedNode(unknown)
        let second = try await ScriptedNode(.problem(503, "no-leader", retryAfter: forever))
        try await withClient([first.address, second.address]) { client in
            let changed = await failure { () throws(CoordinatorClientError) in try await client.commit("g1") }
            #expect(changed?.code == .outcomeUnknown)
            #expect(changed?.gid == "g1")
            let read = await failure { () throws(CoordinatorClientError) in try await client.transaction("g1") }
            #expect(read?.code == .unavailable)
        }
        #expect(first.requests.map(\.method) == ["POST", "GET"])
        #expect(second.requests.map(\.method) == ["POST", "GET"])
    }

    @Test
    func aRefusedConnectionSendsTheCallToTheNextAddress() async throws {
        let node = try await ScriptedNode(.transaction(status: 201))
        try await withClient([try ClosedPort.address(), node.address]) { client in
            _ = try await client.submit(saga)
        }
        #expect(node.requests.count == 1)
    }

    @Test
    func whatWasNeverSentIsCertainlyNotRecorded() async throws {
        let address = try ClosedPort.address()
        try await withClient([address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in
                try await client.submit(saga, patience: .zero)
            }
            #expect(error?.code == .unavailable)
            #expect(error?.detail.contains("\(address)") == true)
        }
    }

    @Test
    func aClientWithoutAddressesSaysSo() async throws {
        try await withClient([]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.cluster() }
            #expect(error?.code == .unavailable)
            #expect(error?.detail == "the client was given no address")
        }
    }

    @Test
    func aCallToOneAddressAsksNoOther() async throws {
        let first = try await ScriptedNode(.problem(503, "no-leader", retryAfter: forever))
        let second = try await ScriptedNode(.transaction())
        try await withClient([first.address, second.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in
                try await client.transaction("g1", at: first.address)
            }
            #expect(error?.code == .unavailable)
            #expect(await client.isReady(at: first.address) == false)
        }
        #expect(first.requests.map(\.target) == ["/v1/transactions/g1?consistency=linearizable", "/readyz"])
        #expect(second.requests.isEmpty)
    }

    @Test
    func tooMuchWorkEverywhereIsCalledOverloadedOnlyIfEveryNodeSaidSo() async throws {
        let busy = try await ScriptedNode(.problem(429, "overloaded", retryAfter: forever))
        let busyToo = try await ScriptedNode(.problem(503, "overloaded", retryAfter: forever))
        let leaderless = try await ScriptedNode(.problem(503, "no-leader", retryAfter: forever))
        try await withClient([busy.address, busyToo.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.submit(saga) }
            #expect(error?.code == .overloaded)
        }
        try await withClient([busy.address, leaderless.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.submit(saga) }
            #expect(error?.code == .unavailable)
        }
    }

    @Test(arguments: [
        (Reply.problem(429, "overloaded", retryAfter: 150), Duration.milliseconds(150)),
        (.answer(429, "slower", fields: ["Retry-After: 1"]), .seconds(1)),
    ])
    func aNodeIsLeftAloneAsLongAsItAskedFor(_ refusal: Reply, _ pause: Duration) async throws {
        let node = try await ScriptedNode(refusal, .transaction(status: 201))
        try await withClient([node.address]) { client in
            _ = try await client.submit(saga)
        }
        let times = node.requests.map(\.time)
        try #require(times.count == 2)
        #expect(times[0].duration(to: times[1]) >= pause)
    }
}
