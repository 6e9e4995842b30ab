// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import NIOCore
import NIOPosix
import Testing
import Transactions

@Suite("Calls over HTTP: what is sent, and what answers mean") struct BranchAnswerTests {
    @Test("The request is a POST with the branch's headers and payload, and says what it is for")
    func request() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { participant, port in
            try await Caller.run { caller in
                let call = try Due.call(
                    Due.gid("transfer-1"), branch: "2", .compensate, url: "http://127.0.0.1:\(port)/undo?x=%20y",
                    headers: [Header(name: "X-Tenant", value: "blue")], payload: Array(#"{"amount":5}"#.utf8))
                let answer = await caller.answer(call, attempt: 3, term: 9)
                #expect(answer == .success)
            }
            let request = try #require(participant.requests.first)
            #expect(request.lines.first == "POST /undo?x=%20y HTTP/1.1")
            #expect(
                Set(request.lines.dropFirst()) == [
                    "Host: 127.0.0.1:\(port)", "Content-Length: 12", "Content-Type: application/json",
                    "Verdict-Gid: transfer-1", "Verdict-Branch: 2", "Verdict-Operation: compensate",
                    "Verdict-Attempt: 3", "Verdict-Cluster: \(Caller.clusterID)", "Verdict-Term: 9", "X-Tenant: blue",
                ])
            #expect(request.body == #"{"amount":5}"#)
        }
    }

    @Test("Without a payload there is no body and no type of one; a URL without a path is the root's")
    func emptyRequest() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { participant, port in
            try await Caller.run { caller in
                _ = await caller.answer(url: "http://127.0.0.1:\(port)")
                _ = await caller.answer(url: "HTTP://127.0.0.1:\(port)?q")
            }
            #expect(participant.requests.map(\.path) == ["/", "/?q"])
            let lines = participant.requests.first?.lines ?? []
            #expect(lines.contains("Content-Length: 0") && !lines.contains { $0.hasPrefix("Content-Type") })
        }
    }

    @Test(
        "2xx is success, 409 the participant's no, everything else is not known",
        arguments: [
            ("200 OK", BranchAnswer.success), ("204 No Content", .success), ("299 Fine", .success),
            ("409 Conflict", .failure(detail: "said so")),
            ("302 Found", .status(302)), ("400 Bad Request", .status(400)), ("404 Not Found", .status(404)),
            ("429 Too Many Requests", .status(429)), ("500 Internal Server Error", .status(500)),
            ("503 Service Unavailable", .status(503)),
        ])
    func table(status: String, expected: BranchAnswer) async throws {
        let isEmpty = status.hasPrefix("204")
        let text =
            isEmpty
            ? "HTTP/1.1 204 No Content\r\n\r\n"
            : Answers.status(status, headers: ["Location: /elsewhere"], body: "said\r\n\t so\u{7}")
        try await Participant.run({ _ in .send(text) }) { participant, port in
            try await Caller.run { caller in
                let answer = await caller.answer(port: port)
                #expect(answer == expected)
                // The connection is good for the next call, and no redirect was followed.
                let again = await caller.answer(port: port)
                #expect(again == expected)
            }
            #expect(participant.requests.map(\.path) == ["/debit", "/debit"] && participant.accepted == 1)
        }
    }

    @Test("Retry-After in seconds is passed on; a date and nonsense are not")
    func retryAfter() async throws {
        try await Participant.run({ request in
            .send(Answers.status("503 Later", headers: ["Retry-After: \(request.number == 1 ? "7" : "soon")"]))
        }) { _, port in
            try await Caller.run { caller in
                let first = await caller.answer(port: port)
                let second = await caller.answer(port: port)
                #expect(first.unknown?.retryAfterMilliseconds == 7_000)
                #expect(second.unknown?.kind == .status(503) && second.unknown?.retryAfterMilliseconds == nil)
            }
        }
    }

    static let garbage = [
        "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ]

    @Test("What is no HTTP/1.1 is no verdict", arguments: BranchAnswerTests.garbage)
    func malformed(text: String) async throws {
        try await Participant.run({ _ in .send(text) }) { participant, port in
            try await Caller.run { caller in
                let answer = await caller.answer(port: port)
                #expect(answer.unknown?.kind == .malformedAnswer, "\(answer)")
                await participant.waitUntilAllClosed()
            }
        }
    }

    @Test(
        "A connection that closes before the whole answer is there gives no verdict, even behind a 200",
        arguments: ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    func closesEarly(text: String) async throws {
        try await Participant.run({ _ in text.isEmpty ? .close : .sendAndClose(text) }) { participant, port in
            try await Caller.run { caller in
                let answer = await caller.answer(port: port)
                #expect(answer.unknown?.kind == .connectionLost, "\(answer)")
            }
            #expect(participant.requests.count == 1)
        }
    }

    @Test("A body that ends with the connection is whole")
    func bodyUntilClose() async throws {
        try await Participant.run({ _ in .sendAndClose("HTTP/1.1 409 No\r\nConnection: close\r\n\r\nempty account") }) {
            _, port in
            try await Caller.run { caller in
                let answer = await caller.answer(port: port)
                #expect(answer == .failure(detail: "empty account"))
            }
        }
    }

    @Test(
        "A longer answer than allowed is cut off with its connection; its status counts",
        arguments: [
            ("200 OK", BranchAnswer.success), ("409 Conflict", .failure(detail: String(repeating: "x", count: 200))),
        ])
    func oversize(status: String, expected: BranchAnswer) async throws {
        let head = "HTTP/1.1 \(status)\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunk = "400\r\n" + String(repeating: "x", count: 0x400) + "\r\n"
        try await Participant.run({ _ in .stream(head, then: chunk) }) { participant, port in
            try await Caller.run(maximumAnswerBytes: 10_000) { caller in
                let answer = await caller.answer(port: port)
                #expect(answer == expected)
                await participant.waitUntilAllClosed()
            }
        }
    }

    @Test("Headers without end are no answer")
    func endlessHeaders() async throws {
        let line = "X-More: \(String(repeating: "x", count: 1_000))\r\n"
        try await Participant.run({ _ in .stream("HTTP/1.1 200 OK\r\n", then: line) }) { participant, port in
            try await Caller.run { caller in
                let answer = await caller.answer(port: port)
                #expect(answer.unknown?.kind == .malformedAnswer, "\(answer)")
                await participant.waitUntilAllClosed()
            }
        }
    }

    @Test("An interim answer is passed over; a change of protocol is no answer, and nothing follows on its connection")
    func informational() async throws {
        try await Participant.run({ request in
            request.path == "/switch"
                ? .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
                : .send("HTTP/1.1 103 Early Hints\r\n\r\n" + Answers.ok())
        }) { _, port in
            try await Caller.run { caller in
                let hints = await caller.answer(port: port)
                #expect(hints == .success)
                let switched = await caller.answer(url: "http://127.0.0.1:\(port)/switch")
                #expect(switched.unknown?.kind == .status(101), "\(switched)")
                let after = await caller.answer(port: port)
                #expect(after == .success)
            }
        }
    }

    @Test(
        "What can't be called is told so, at once",
        arguments: [
            "https://127.0.0.1:1/x", "ftp://127.0.0.1/x", "127.0.0.1:1/x", "http://", "http:///x",
            "http://user@127.0.0.1:1/", "http://127.0.0.1:x/", "http://127.0.0.1:1/a b", "http://127.0.0.1:1/#x",
            "http://127.0.0.1:1/\r\nX: y", "",
        ])
    func invalidURL(url: String) async throws {
        try await Caller.run { caller in
            let answer = await caller.answer(url: url)
            #expect(answer.unknown?.kind == .invalidRequest, "\(answer)")
        }
    }
}

/// An `HTTPBranch` for tests.
struct Caller {
    static let clusterID = "00112233445566778899aabbccddeeff"

    let branch: HTTPBranch

    static func run(
        allow: [String] = ["127.0.0.1:*"], own: [String] = [], timeout: TimeAmount = .seconds(30),
        maximumAnswerBytes: Int = 64 << 10, idleTimeout: TimeAmount = .seconds(30),
        names: [String: [ResolvedAddress]] = [:], beforeResolving: @escaping @Sendable (String) -> Void = { _ in },
        _ body: (Caller) async throws -> Void
    ) async throws {
        let list = AllowList(
            entries: try allow.map { try #require(AllowEntry($0)) },
            ownEndpoints: Set(try own.map { try #require(Endpoint($0)) }))
        let branch = HTTPBranch(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            configuration: HTTPBranchConfiguration(
                clusterID: Self.clusterID, callTimeout: timeout, maximumAnswerBytes: maximumAnswerBytes,
                idleTimeout: idleTimeout), allow: list,
            resolve: { name in
                beforeResolving(name)
                return names[name] ?? []
            })
        do {
            try await body(Caller(branch: branch))
        } catch {
            await branch.shutDown()
            throw error
        }
        await branch.shutDown()
    }

    func answer(_ call: BranchCall, attempt: UInt32 = 1, term: UInt64 = 1) async -> BranchAnswer {
        await withCheckedContinuation { continuation in
            self.branch.call(BranchRequest(call: call, attempt: attempt, term: term)) {
                continuation.resume(returning: $0)
            }
        }
    }

    func answer(url: String) async -> BranchAnswer {
        do {
            return await self.answer(try Due.call(Due.gid("g1"), url: url))
        } catch {
            Issue.record(error)
            return .success
        }
    }

    func answer(port: Int) async -> BranchAnswer {
        await self.answer(url: "http://127.0.0.1:\(port)/debit")
    }
}

extension BranchAnswer {
    var unknown: UnknownAnswer? {
        if case .unknown(let unknown) = self { unknown } else { nil }
    }

    static func status(_ code: Int) -> BranchAnswer {
        .unknown(UnknownAnswer(kind: .status(code), detail: "status \(code): said so"))
    }
}
