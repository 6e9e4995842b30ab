// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import NIOCore
import NIOPosix
import Testing
import clusterctl

@Suite("The load generator's parts")
struct BenchTests {
    @Test(
        "An answer's outcome is found",
        arguments: [
            (#"{"gid":"g","outcome":"committed"}"#, BenchAnswer.committed), (#"{"outcome":"aborted"}"#, .aborted),
            (#"{"outcome":null}"#, .undecided),
        ])
    func outcomes(body: String, expected: BenchAnswer) throws {
        var buffer = ByteBuffer(string: CannedServer.answer(body, header: "content-LENGTH"))
        #expect(try BenchAnswer.next(from: &buffer) == expected)
        #expect(buffer.readableBytes == 0)
    }

    @Test("A refusal has its status and its problem's code")
    func refusal() throws {
        var buffer = ByteBuffer(
            string: CannedServer.answer(#"{"title":"t","code":"no-leader"}"#, status: "503 Service Unavailable"))
        #expect(try BenchAnswer.next(from: &buffer) == .refused(status: 503, code: "no-leader"))
        buffer = ByteBuffer(string: CannedServer.answer("oops", status: "500 X"))
        #expect(try BenchAnswer.next(from: &buffer) == .refused(status: 500, code: ""))
    }

    @Test("An answer that isn't all there is left in the buffer; two come one after the other")
    func parts() throws {
        let whole = Array(CannedServer.answer(#"{"outcome":"committed"}"#).utf8)
        var buffer = ByteBuffer()
        for byte in whole.dropLast() {
            buffer.writeInteger(byte)
            #expect(try BenchAnswer.next(from: &buffer) == nil)
        }
        buffer.writeBytes(whole.suffix(1))
        buffer.writeBytes(whole)
        #expect(try BenchAnswer.next(from: &buffer) == .committed)
        #expect(try BenchAnswer.next(from: &buffer) == .committed)
        #expect(try BenchAnswer.next(from: &buffer) == nil)
    }

    static let malformedAnswers: [(text: String, problem: BenchAnswer.Malformed)] = [
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", .notHTTP), ("HTTP/1.1 abc\r\n\r\n", .notHTTP), ("\r\n\r\n", .notHTTP),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .noLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .noLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", .tooLong),
        (String(repeating: "a", count: (1 << 20) + 1), .tooLong),
    ]

    @Test("What can't be read is an error", arguments: BenchTests.malformedAnswers)
    func malformed(text: String, problem: BenchAnswer.Malformed) {
        var buffer = ByteBuffer(string: text)
        #expect(throws: problem) { try BenchAnswer.next(from: &buffer) }
    }

    private static func plan(participants: [String], payload: String? = nil) -> BenchPlan {
        let nodes = [7401, 7402].map { CoordinatorClient.Address(host: "127.0.0.1", port: $0) }
        return BenchPlan(
            nodes: nodes, participants: participants, payload: payload, isConcurrent: false, wait: .seconds(30))
    }

    @Test("A request is an HTTP request whose gid alone changes")
    func templates() throws {
        let plan = Self.plan(participants: ["http://a/x", "http://b/y"], payload: #"{"account": "c-%c"}"#)
        let templates = try plan.templates(client: 3)
        #expect(templates.count == 1)
        let gid = GlobalTransactionID.next()
        let text = String(decoding: templates[0].request(gid: gid), as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        #expect(parts.count == 2)
        #expect(parts[0].hasPrefix("POST /v1/transactions HTTP/1.1\r\nHost: 127.0.0.1:7402\r\n"))
        #expect(parts[0].hasSuffix("Content-Length: \(parts[1].utf8.count)"))
        #expect(
            parts[1] == """
                {"branches":[{"action":"http://a/x","compensate":"http://a/x/compensate","payload":{"account":"c-3"}},\
                {"action":"http://b/y","compensate":"http://b/y/compensate","payload":{"account":"c-3"}}],\
                "gid":"\(gid)","protocol":"saga","wait_ms":30000}
                """)
    }

    @Test("Steps go around the participants")
    func participants() throws {
        func urls(_ participants: [String], _ turn: Int) throws -> [String?] {
            try Self.plan(participants: participants).submission(client: 0, turn: turn).branches.map(\.action)
        }
        #expect(try urls(["a"], 4) == ["a", "a"])
        #expect(try urls(["a", "b"], 1) == ["a", "b"])
        #expect(try urls(["a", "b", "c"], 1) == ["c", "a"])
        #expect(try Self.plan(participants: ["a", "b", "c"]).templates(client: 0).count == 3)
    }

    @Test("Percentiles are those of the nearest rank")
    func percentiles() {
        let values = (1...100).map { UInt32($0) }
        #expect([0.5, 0.95, 0.99, 1, 0].map { BenchRecorder.percentile($0, of: values) } == [50, 95, 99, 100, 1])
        #expect(BenchRecorder.percentile(0.99, of: [7]) == 7)
        #expect(BenchRecorder.percentile(0.5, of: []) == 0)
    }

    @Test("A summary counts what ended, and every kind of error")
    func summary() {
        var recorder = BenchRecorder()
        for milliseconds in 1...10 { recorder.ended(.committed, after: .milliseconds(milliseconds)) }
        recorder.ended(.aborted, after: .milliseconds(100))
        recorder.ended(.undecided, after: .seconds(9))
        recorder.ended(.refused(status: 503, code: "no-leader"), after: .seconds(9))
        recorder.ended(.refused(status: 503, code: "no-leader"), after: .seconds(9))
        recorder.failed("connection lost")
        let summary = recorder.summary(over: .seconds(2))
        #expect(summary.committed == 10 && summary.aborted == 1 && summary.transactions == 11)
        #expect(summary.transactionsPerSecond == 5.5)
        #expect(summary.p50Ms == 6 && summary.p99Ms == 100 && summary.maxMs == 100)
        #expect(summary.errorKinds == ["undecided": 1, "503 no-leader": 2, "connection lost": 1])
        #expect(summary.errors == 4)
    }

    @Test("A run against a server that commits everything counts no error and every answer")
    func run() async throws {
        let server = try await CannedServer(#"{"gid":"g","outcome":"committed"}"#)
        let plan = BenchPlan(
            nodes: [CoordinatorClient.Address(host: "127.0.0.1", port: server.port)], participants: ["http://a"],
            payload: nil, isConcurrent: false, wait: .seconds(30))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let recorder = try await LoadRun.run(
            plan, clients: 3, warmUp: .zero, duration: .seconds(120), limit: 50, connectTimeout: .seconds(60), on: loop)
        let summary = recorder.summary(over: .seconds(1))
        try await server.stop()
        #expect(summary.committed >= 50)
        #expect(summary.errorKinds == [:])
        #expect(summary.transactions == summary.committed)
    }

    @Test("A run against nobody ends, and says that nobody was there")
    func nobody() async throws {
        let port = try ReservedPort()
        let address = CoordinatorClient.Address(host: "127.0.0.1", port: port.number)
        let plan = BenchPlan(
            nodes: [address], participants: ["http://a"], payload: nil, isConcurrent: false, wait: .seconds(30))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let recorder = try await LoadRun.run(
            plan, clients: 2, warmUp: .zero, duration: .seconds(120), limit: 4, on: loop)
        let summary = recorder.summary(over: .seconds(1))
        #expect(summary.transactions == 0)
        #expect(summary.errorKinds.keys.sorted() == ["no connection to 127.0.0.1:\(port.number)"])
    }
}
