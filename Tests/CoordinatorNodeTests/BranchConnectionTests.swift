// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Dispatch
import NIOCore
import Synchronization
import Testing
import Transactions

@Suite("Calls over HTTP: connections, time and the allow list") struct BranchConnectionTests {
    @Test("64 calls to one host are under way at the same time, and their connections are used again")
    func concurrent() async throws {
        try await Participant.run({ _ in .gather(Answers.ok(), count: 64) }) { participant, port in
            try await Caller.run { caller in
                for _ in 0..<3 {
                    // The participant answers none before it has all.
                    let answers = await Self.answers(count: 64, of: caller, port: port)
                    #expect(answers.count == 64 && answers.allSatisfy { $0 == .success })
                }
            }
            #expect(participant.requests.count == 192 && participant.accepted == 64)
        }
    }

    private static func answers(count: Int, of caller: Caller, port: Int) async -> [BranchAnswer] {
        await withTaskGroup(of: BranchAnswer.self) { group in
            for _ in 0..<count { group.addTask { await caller.answer(port: port) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test("No whole answer in time: the call ends, its connection too, and the next call is not disturbed")
    func timeout() async throws {
        try await Participant.run({ request in
            switch request.path {
            case "/never": .silence
            case "/drip": .stream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", then: "1\r\nx\r\n")
            case _: .send(Answers.ok())
            }
        }) { participant, port in
            try await Caller.run(timeout: .milliseconds(50), maximumAnswerBytes: 1 << 40) { caller in
                for path in ["never", "drip"] {
                    var answer: BranchAnswer
                    // On a busy machine the time may pass before there is a connection.
                    repeat {
                        answer = await caller.answer(url: "http://127.0.0.1:\(port)/\(path)")
                    } while answer.unknown?.kind == .unreachable
                    #expect(answer.unknown?.kind == .timeout, "\(answer)")
                    #expect(answer.unknown?.detail == "no whole answer within 50 ms")
                }
                await participant.waitUntilAllClosed()
            }
            try await Caller.run { caller in
                let after = await caller.answer(port: port)
                #expect(after == .success)
            }
        }
    }

    @Test("Nobody listens: the reason names the address")
    func refusedConnection() async throws {
        let port = try await Participant.deadPort()
        try await Caller.run { caller in
            let answer = await caller.answer(port: port)
            #expect(
                answer
                    == .unknown(
                        UnknownAnswer(kind: .unreachable, detail: "127.0.0.1, port \(port): connection refused")))
        }
    }

    @Test(
        "An unused connection that the participant has closed, or closes under the next call, costs that call nothing")
    func staleConnection() async throws {
        try await Participant.run({ $0.number == 1 ? .send(Answers.ok()) : .close }) { participant, port in
            try await Caller.run { caller in
                let first = await caller.answer(port: port)
                // The participant closes without an answer; the call goes out again on a new connection.
                let second = await caller.answer(port: port)
                #expect(first == .success && second == .success)
                #expect(participant.requests.map(\.connection) == [1, 1, 2])
            }
        }
    }

    @Test("A new connection that breaks at once is not tried again: that is for the schedule to say")
    func brokenConnection() async throws {
        try await Participant.run({ _ in .close }) { participant, port in
            try await Caller.run { caller in
                let answer = await caller.answer(port: port)
                #expect(answer.unknown?.kind == .connectionLost)
            }
            #expect(participant.requests.count == 1)
        }
    }

    @Test("Connection: close is obeyed; bytes behind an answer end the connection, not the next call")
    func notReused() async throws {
        try await Participant.run({ request in
            request.path == "/close"
                ? .send(Answers.status("200 OK", headers: ["Connection: close"]))
                : .send(Answers.ok() + Answers.status("409 Conflict", body: "nobody asked"))
        }) { participant, port in
            try await Caller.run { caller in
                for path in ["close", "close", "twice", "twice"] {
                    let answer = await caller.answer(url: "http://127.0.0.1:\(port)/\(path)")
                    #expect(answer == .success, "\(path)")
                }
                #expect(participant.accepted == 4)
                await participant.waitUntilAllClosed()
            }
        }
    }

    @Test("A connection that stays unused is closed")
    func idle() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { participant, port in
            try await Caller.run(idleTimeout: .milliseconds(10)) { caller in
                let answer = await caller.answer(port: port)
                #expect(answer == .success)
                await participant.waitUntilAllClosed()
                let again = await caller.answer(port: port)
                #expect(again == .success && participant.accepted == 2)
            }
        }
    }

    @Test("At the end calls in flight are cancelled, all connections are closed, and nothing more is called")
    func shutDown() async throws {
        try await Participant.run({ _ in .gather(Answers.ok(), count: 100) }) { participant, port in
            try await Caller.run { caller in
                async let answers = Self.answers(count: 10, of: caller, port: port)
                await participant.wait { $0.requests.count == 10 }
                await caller.branch.shutDown()
                let all = await answers
                #expect(all.count == 10 && all.allSatisfy { $0.unknown?.kind == .cancelled })
                let late = await caller.answer(port: port)
                #expect(late.unknown?.kind == .cancelled)
                await participant.waitUntilAllClosed()
            }
        }
    }

    // MARK: Where calls may go

    @Test("A target that isn't listed is never connected to")
    func notListed() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { participant, port in
            try await Caller.run(allow: ["10.0.0.0/8:*"]) { caller in
                let answer = await caller.answer(port: port)
                #expect(
                    answer.unknown?.detail
                        == "target forbidden: \(TargetRefusal.notListed(host: "127.0.0.1", port: port))")
            }
            #expect(participant.accepted == 0)
        }
    }

    @Test("A listed name that means a forbidden address is not called, whatever name it is")
    func nameLeadsElsewhere() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { participant, port in
            let names = [
                "bank.example": [ResolvedAddress(127, 0, 0, 1)], "meta.example": [ResolvedAddress(169, 254, 169, 254)],
                "own.localhost": [ResolvedAddress(127, 0, 0, 1)],
            ]
            try await Caller.run(allow: names.keys.map { "\($0):*" }, own: ["127.0.0.2:\(port)"], names: names) {
                caller in
                for name in names.keys {
                    let answer = await caller.answer(url: "http://\(name):\(port)/debit")
                    #expect(answer.unknown?.kind == .targetForbidden, "\(name): \(answer)")
                }
            }
            #expect(participant.accepted == 0)
        }
    }

    @Test("Of a name's addresses the first that is allowed and listens is called")
    func severalAddresses() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { participant, port in
            let names = [
                "bank.localhost": [
                    ResolvedAddress(169, 254, 169, 254), ResolvedAddress(127, 0, 0, 9), ResolvedAddress(127, 0, 0, 1),
                ]
            ]
            try await Caller.run(allow: ["bank.localhost:*"], names: names) { caller in
                let answer = await caller.answer(url: "http://Bank.localhost:\(port)/debit")
                #expect(answer == .success)
            }
            #expect(participant.requests.first?.lines.contains("Host: Bank.localhost:\(port)") == true)
        }
    }

    @Test("A name whose look-up hangs keeps no other name waiting, and is looked up once for all who wait")
    func hangingName() async throws {
        try await Participant.run({ _ in .send(Answers.ok()) }) { _, port in
            let names = ["slow", "quick"].map { ("\($0).localhost", [ResolvedAddress(127, 0, 0, 1)]) }
            let gate = DispatchSemaphore(value: 0)
            let lookUps = Mutex<[String]>([])
            try await Caller.run(
                allow: names.map { "\($0.0):*" }, names: Dictionary(uniqueKeysWithValues: names),
                beforeResolving: { name in
                    lookUps.withLock { $0.append(name) }
                    if name == "slow.localhost" { gate.wait() }
                }
            ) { caller in
                async let first = caller.answer(url: "http://slow.localhost:\(port)/debit")
                async let second = caller.answer(url: "http://slow.localhost:\(port)/debit")
                let quick = await caller.answer(url: "http://quick.localhost:\(port)/debit")
                #expect(quick == .success)
                gate.signal()
                let slow = await [first, second]
                #expect(slow == [.success, .success])
            }
            #expect(lookUps.withLock { $0.sorted() } == ["quick.localhost", "slow.localhost"])
        }
    }

    @Test("A name that nobody knows is unreachable")
    func unknownName() async throws {
        try await Caller.run(allow: ["nowhere.example:*"]) { caller in
            let answer = await caller.answer(url: "http://nowhere.example/debit")
            #expect(
                answer
                    == .unknown(
                        UnknownAnswer(kind: .unreachable, detail: "the name nowhere.example is unknown")))
        }
    }
}
