// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Testing

@Suite("Native API: the HTTP edge", .timeLimit(.minutes(2))) struct APIEdgeTests {
    static func submission(of length: Int) -> [UInt8] {
        let frame = Example.saga(branches: [Example.branch(#", "payload": "@""#)]).split(separator: "@")
        let padding = length - frame[0].utf8.count - frame[1].utf8.count
        return Array(frame[0].utf8) + Array(repeating: UInt8(ascii: "x"), count: padding) + Array(frame[1].utf8)
    }

    @Test("A body of 1 MiB is taken, one of a byte more is refused, and the connection lives on")
    func bodyLimit() async throws {
        try await APIServer.run { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(
                    RawConnection.request("POST", "/v1/transactions", Self.submission(of: 1 << 20)))
                #expect(try await connection.answer().status == 201)
                for length in [(1 << 20) + 1, 2 << 20] {
                    try await connection.send(
                        RawConnection.request("POST", "/v1/transactions", Self.submission(of: length)))
                    let answer = try await connection.answer()
                    #expect(answer.status == 413)
                    #expect(answer.code == "body-too-large")
                }
                try await connection.send(RawConnection.request("GET", "/healthz", nil))
                #expect(try await connection.answer().status == 200)
            }
        }
    }

    @Test("A chunked body is counted as it comes")
    func chunkedBody() async throws {
        try await APIServer.run { server in
            try await RawConnection.open(port: server.port) { connection in
                let head = "POST /v1/transactions HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
                let chunk = Array("10000\r\n".utf8) + Array(repeating: 0x20, count: 0x10000) + Array("\r\n".utf8)
                try await connection.send(head)
                for _ in 0..<17 { try await connection.send(chunk) }
                #expect(try await connection.answer().status == 413)
                try await connection.send("0\r\n\r\n")
                let body = Example.saga()
                try await connection.send(
                    "\(head)\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
                #expect(try await connection.answer().status == 201)
            }
        }
    }

    @Test("Headers of 80 KiB, one header of 20 KiB, 200 headers and a line of 20 KiB are too large", arguments: 0..<5)
    func headerLimit(kind: Int) async throws {
        let many = (0..<200).map { ("X-\($0)", "v") }
        let requests = [
            RawConnection.request(
                "GET", "/healthz", nil,
                headers: (0..<80).map { ("X-\($0)", String(repeating: "v", count: 1015)) }),
            RawConnection.request("GET", "/healthz", nil, headers: [("X", String(repeating: "v", count: 20 << 10))]),
            RawConnection.request("GET", "/healthz", nil, headers: many),
            RawConnection.request("GET", "/healthz?" + String(repeating: "q", count: 20 << 10), nil),
            // Far more than is read: the answer must come through all the same.
            RawConnection.request("GET", "/healthz", nil, headers: [("X", String(repeating: "v", count: 1 << 20))]),
        ]
        try await APIServer.run { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(requests[kind])
                let answer = try await connection.answer()
                #expect(answer.status == 431)
                #expect(answer.code == "headers-too-large")
                #expect(answer.headers["connection"] == "close")
                await connection.closed()
            }
            #expect(try await server.get("/healthz").status == 200)
        }
    }

    @Test("Headers of 10 KiB are taken")
    func largeHeaders() async throws {
        try await APIServer.run { server in
            let answer = try await server.send(
                "GET", "/healthz", nil, headers: [("X-Trace", String(repeating: "v", count: 10 << 10))])
            #expect(answer.status == 200)
        }
    }

    @Test(
        "What isn't HTTP gets a problem that says so",
        arguments: [
            "GET\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost test\r\n\r\n",
        ])
    func notHTTP(bytes: String) async throws {
        try await APIServer.run { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(bytes)
                let answer = try await connection.answer()
                #expect(answer.status == 400)
                #expect(answer.code == "invalid-request")
                await connection.closed()
            }
            #expect(try await server.get("/healthz").status == 200)
        }
    }

    @Test("A head that doesn't come to its end in time is a 408")
    func slowHead() async throws {
        var limits = APILimits()
        limits.headerTimeout = .milliseconds(200)
        try await APIServer.run(limits: limits) { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send("GET /healthz HTTP/1.1\r\nHost: test\r\nX-Slow: ")
                let answer = try await connection.answer()
                #expect(answer.status == 408)
                #expect(answer.code == "request-timeout")
                #expect(try answer.json["detail"]?.text?.contains("headers") == true)
                await connection.closed()
            }
        }
    }

    @Test("A body that doesn't come to its end in time is a 408, also behind a whole request")
    func slowBody() async throws {
        var limits = APILimits()
        limits.bodyTimeout = .milliseconds(200)
        try await APIServer.run(limits: limits) { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(RawConnection.request("POST", "/v1/transactions", Array(Example.saga().utf8)))
                #expect(try await connection.answer().status == 201)
                try await connection.send(
                    "POST /v1/transactions HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{")
                let answer = try await connection.answer()
                #expect(answer.status == 408)
                #expect(try answer.json["detail"]?.text?.contains("body") == true)
                await connection.closed()
            }
            #expect(server.coordinator.seen.commands.count == 1)
        }
    }

    @Test("A connection on which nothing happens is closed, before and behind a request", arguments: [false, true])
    func idle(hasRequest: Bool) async throws {
        var limits = APILimits()
        limits.idleTimeout = .milliseconds(200)
        try await APIServer.run(limits: limits) { server in
            try await RawConnection.open(port: server.port) { connection in
                if hasRequest { try await connection.send(RawConnection.request("GET", "/healthz", nil)) }
                await connection.closed()
            }
        }
    }

    @Test("Only JSON in UTF-8 without a coding is taken")
    func mediaTypes() async throws {
        try await APIServer.run { server in
            let refused: [(String, String)] = [
                ("Content-Type", "text/plain"), ("Content-Type", "application/json; charset=latin1"),
                ("Content-Encoding", "gzip"),
            ]
            for header in refused {
                let answer = try await server.post("/v1/transactions", Example.saga(), headers: [header])
                #expect(answer.status == 415, "\(header)")
                #expect(answer.code == "unsupported-media-type")
            }
            for type in ["application/json", "Application/JSON ; Charset=\"UTF-8\"", "application/json;charset=utf-8"] {
                let answer = try await server.post(
                    "/v1/transactions", Example.saga(), headers: [("Content-Type", type)])
                #expect(answer.status == 201, "\(type)")
            }
        }
    }

    /// A server on whose connections nothing ends by idling, so that what is closed is closed for its own reason.
    private static func withoutIdling(_ body: (APIServer) async throws -> Void) async throws {
        var limits = APILimits()
        limits.idleTimeout = .seconds(3600)
        try await APIServer.run(limits: limits, body)
    }

    @Test(
        "A connection ends with its answer when HTTP/1.0 doesn't ask to keep it, and when the client says so",
        arguments: [
            "HTTP/1.0\r\n", "HTTP/1.0\r\nHost: test\r\n", "HTTP/1.0\r\nConnection: close\r\n",
            "HTTP/1.1\r\nHost: test\r\nConnection: Close\r\n",
            "HTTP/1.1\r\nHost: test\r\nConnection: close\r\n",
        ])
    func closing(head: String) async throws {
        try await Self.withoutIdling { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send("GET /v1/cluster \(head)\r\n")
                let answer = try await connection.answer()
                #expect(answer.status == 200 && !answer.body.isEmpty)
                #expect(answer.headers["connection"] == "close")
                await connection.closed()
            }
            let body = Example.saga()
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(
                    "POST /v1/transactions \(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                #expect(try await connection.answer().status == 201)
                await connection.closed()
            }
        }
    }

    @Test("A connection of HTTP/1.0 stays when that is asked for, and the answer says so; there is no 100")
    func keptAlive() async throws {
        try await Self.withoutIdling { server in
            try await RawConnection.open(port: server.port) { connection in
                let body = Example.saga()
                for _ in 0..<3 {
                    try await connection.send(
                        """
                        POST /v1/transactions HTTP/1.0\r\nConnection: Keep-Alive\r\nExpect: 100-continue\r\n\
                        Content-Length: \(body.utf8.count)\r\n\r\n\(body)
                        """)
                    let answer = try await connection.answer()
                    #expect(answer.status == 201)
                    #expect(answer.headers["connection"] == "keep-alive")
                }
                try await connection.send(RawConnection.request("GET", "/healthz", nil))
                let newer = try await connection.answer()
                #expect(newer.status == 200 && newer.headers["connection"] == nil)
            }
        }
    }

    @Test(
        "A request of HTTP/1.1 without a Host, and any with two, is a 400 and the connection's last",
        arguments: [
            "HTTP/1.1\r\n", "HTTP/1.1\r\nHost: test\r\nhost: test\r\n", "HTTP/1.1\r\nHost: a\r\nX: y\r\nHost: b\r\n",
            "HTTP/1.0\r\nHost: a\r\nHost: b\r\n",
        ])
    func hosts(head: String) async throws {
        try await Self.withoutIdling { server in
            let body = Example.saga()
            let request = "POST /v1/transactions \(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(request)
                let answer = try await connection.answer()
                #expect(answer.status == 400)
                #expect(answer.code == "invalid-request")
                #expect(try answer.json["detail"]?.text?.contains("Host") == true)
                await connection.closed()
            }
            // Behind a good request it is refused as well, once that one has its answer.
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(
                    RawConnection.request("GET", "/v1/cluster", nil) + Array((request + request).utf8))
                #expect(try await connection.answer().status == 200)
                #expect(try await connection.answer().status == 400)
                await connection.closed()
            }
            #expect(server.coordinator.seen.commands.isEmpty)
        }
    }

    @Test("A body without a Content-Type is taken for JSON")
    func withoutMediaType() async throws {
        try await APIServer.run { server in
            let saga = try await server.post("/v1/transactions", Example.saga())
            #expect(saga.status == 201)
            let other = try await server.post("/v1/transactions", "<saga/>")
            #expect(other.code == "malformed-json")
        }
    }

    @Test("Requests that come in one piece are answered in their order")
    func pipelining() async throws {
        try await APIServer.run { server in
            try await RawConnection.open(port: server.port) { connection in
                var bytes: [UInt8] = []
                for number in 0..<50 {
                    bytes += RawConnection.request(
                        "POST", "/v1/transactions", Array(Example.saga(#", "gid": "p\#(number)""#).utf8))
                }
                try await connection.send(bytes)
                for number in 0..<50 {
                    #expect(try await connection.answer().json["gid"] == .text("p\(number)"))
                }
            }
        }
    }

    @Test("A client that asks first is told to go on, or that its body is too large")
    func expectContinue() async throws {
        try await APIServer.run { server in
            let body = Example.saga()
            func head(_ length: Int) -> String {
                "POST /v1/transactions HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
                    + "Content-Length: \(length)\r\n\r\n"
            }
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(head(body.utf8.count))
                #expect(try await connection.answer().status == 100)
                try await connection.send(body)
                #expect(try await connection.answer().status == 201)
            }
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(head(2 << 20))
                #expect(try await connection.answer().status == 413)
            }
        }
    }

    @Test("A HEAD is a GET without its body")
    func head() async throws {
        try await APIServer.run { server in
            let get = try await server.get("/v1/cluster")
            let head = try await server.send("HEAD", "/v1/cluster")
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == String(get.body.count))
            #expect(head.body.isEmpty)
            #expect(try await server.send("HEAD", "/nowhere").status == 404)
        }
    }

    @Test("A client that goes away in the middle leaves the server as it was")
    func clientGoesAway() async throws {
        let coordinator = ScriptedCoordinator()
        var limits = APILimits()
        limits.requests = 1
        try await APIServer.run(coordinator, limits: limits) { server in
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(
                    "POST /v1/transactions HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{")
            }
            // The place of the request whose client has gone comes free when its work has ended.
            while try await server.get("/v1/cluster").status == 429 { await Task.yield() }
            coordinator.gate.close()
            try await RawConnection.open(port: server.port) { connection in
                try await connection.send(RawConnection.request("POST", "/v1/transactions", Array(Example.saga().utf8)))
                await coordinator.gate.someoneWaits()
            }
            #expect(try await server.get("/v1/cluster").status == 429)
            coordinator.gate.open()
            while try await server.get("/v1/cluster").status == 429 { await Task.yield() }
        }
    }
}
