// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Testing

/// Answers that end a call at the first node.
@Suite(.timeLimit(.minutes(2)))
struct RefusalTests {
    @Test(arguments: [
        (409, "gid-conflict", CoordinatorClientError.Code.conflict), (409, "already-decided", .alreadyDecided),
        (409, "not-open", .notOpen), (409, "not-possible", .notPossible), (404, "not-found", .notFound),
        (422, "target-not-allowed", .targetNotAllowed),
        (413, "body-too-large", .tooLarge), (400, "malformed-json", .invalidRequest),
        (400, "invalid-request", .invalidRequest), (418, "some-new-code", .unexpectedAnswer),
    ])
    func aRefusalEndsTheCallWithItsCode(
        _ status: Int, _ code: String, _ expected: CoordinatorClientError.Code
    ) async throws {
        let first = try await ScriptedNode(.problem(status, code, pointer: "/branches/0"))
        let second = try await ScriptedNode(.transaction())
        try await withClient([first.address, second.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.abort("g1") }
            #expect(error?.code == expected)
            #expect(error?.gid == "g1")
            #expect(error?.problem?.status == status)
            #expect(error?.description == "\(expected) at /branches/0: the node says \(code) (gid g1)")
        }
        #expect(first.requests.count == 1)
        #expect(second.requests.isEmpty)
    }

    @Test(arguments: [
        Reply.answer(404, "<html>no such page</html>"), .answer(301, "", fields: ["Location: http://elsewhere/"]),
    ])
    func aRefusalByAnotherServerIsAnUnexpectedAnswer(_ reply: Reply) async throws {
        let node = try await ScriptedNode(reply)
        try await withClient([node.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.transaction("g1") }
            #expect(error?.code == .unexpectedAnswer)
            #expect(error?.problem == nil)
        }
        #expect(node.requests.count == 1)
    }

    @Test(arguments: [
        "", "not JSON", "[]", "{}", #"{"gid":7}"#, #"{"gid":"g1","protocol":"saga","state":"running"}"#,
    ])
    func anAnswerThatIsNoneNamesTheNodeAndWhatWasExpected(_ body: String) async throws {
        let node = try await ScriptedNode(.answer(200, body))
        try await withClient([node.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.transaction("g1") }
            #expect(error?.code == .unexpectedAnswer)
            #expect(error?.detail.hasPrefix("\(node.address) answered something else than Transaction: ") == true)
        }
        #expect(node.requests.count == 1)
    }

    @Test
    func anAnswerBeyondTheLimitIsNotRead() async throws {
        let large = try await ScriptedNode(.answer(200, String(repeating: " ", count: 2000)))
        let small = try await ScriptedNode(.transaction())
        try await withClient([large.address, small.address], answerLimit: 1000) { client in
            let seen = try await client.transaction("g1")
            #expect(seen.index == 7)
        }
        #expect(large.requests.count == 1)
    }

    @Test(arguments: ["", " ", "a b", "a\nb", "ä", String(repeating: "g", count: 129)])
    func aGidThatNoTransactionCanHaveIsRefusedWithoutAsking(_ gid: String) async throws {
        let node = try await ScriptedNode(.transaction())
        try await withClient([node.address]) { client in
            let error = await failure { () throws(CoordinatorClientError) in try await client.transaction(gid) }
            #expect(error?.code == .invalidRequest)
            #expect(error?.gid == gid)
        }
        #expect(node.requests.isEmpty)
    }

    @Test(arguments: [
        ("..", "%2E%2E"), ("a/b?c#d%", "a%2Fb%3Fc%23d%25"), ("a.b-c_d~e", "a.b-c_d~e"), ("{|}", "%7B%7C%7D"),
    ])
    func aGidStaysOneStepOfThePath(_ gid: String, _ step: String) async throws {
        let node = try await ScriptedNode(.transaction())
        try await withClient([node.address]) { client in
            _ = try await client.commit(gid)
        }
        #expect(node.requests.map(\.target) == ["/v1/transactions/\(step)/commit"])
    }
}
