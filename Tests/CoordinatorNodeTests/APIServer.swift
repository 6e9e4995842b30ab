// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorNode
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

/// The native API on a free port of this machine, in front of a coordinator whose answers the test writes.
struct APIServer {
    let port: Int
    let coordinator: ScriptedCoordinator
    let services: ServiceGroup

    /// Runs a server for as long as `body` does.
    static func run(
        _ coordinator: ScriptedCoordinator = ScriptedCoordinator(), limits: APILimits = APILimits(),
        _ body: (APIServer) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = HTTPService(
            responder: Self.api(coordinator, limits: limits), host: "127.0.0.1", port: 0, limits: limits,
            eventLoopGroup: Self.group, logger: Self.logger, whenListening: { listening.yield($0) })
        let services = ServiceGroup(configuration: .init(services: [service], logger: Self.logger))
        let running = Task { try await services.run() }
        defer { running.cancel() }
        let port = await ports.first { _ in true }
        try await body(APIServer(port: try #require(port), coordinator: coordinator, services: services))
        await services.triggerGracefulShutdown()
        try await running.value
    }

    static var group: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }

    static var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    /// Calls may go to this machine, but for the node's own port, and to one name.
    static func api(_ coordinator: ScriptedCoordinator, limits: APILimits = APILimits()) -> NativeAPI {
        let targets = AllowList(
            entries: ["127.0.0.1:*", "bank.example:*"].compactMap { AllowEntry($0) },
            ownEndpoints: Set(["127.0.0.1:7401"].compactMap { Endpoint($0) }))
        return NativeAPI(
            coordinator: coordinator,
            gids: GidGenerator(now: { 1_795_339_800_250 }, random: SystemRandomNumberGenerator()), targets: targets,
            limits: limits, logger: Self.logger)
    }

    /// Sends one request on a connection of its own.
    func send(
        _ method: String, _ target: String, _ body: String? = nil, headers: [(String, String)] = []
    ) async throws -> APIAnswer {
        try await RawConnection.open(port: self.port) { connection in
            try await connection.send(
                RawConnection.request(method, target, body.map { Array($0.utf8) }, headers: headers))
            return try await connection.answer(toHead: method == "HEAD")
        }
    }

    func post(_ target: String, _ body: String, headers: [(String, String)] = []) async throws -> APIAnswer {
        try await self.send("POST", target, body, headers: headers)
    }

    func get(_ target: String) async throws -> APIAnswer {
        try await self.send("GET", target)
    }
}

/// One answer as it came over the wire.
struct APIAnswer: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: [UInt8]

    var json: JSONTree {
        get throws { try JSONDecoder().decode(JSONTree.self, from: Data(self.body)) }
    }

    var code: String? { (try? self.json)?["code"]?.text }
}

/// JSON as Foundation reads it: an opinion that isn't ours.
enum JSONTree: Decodable, Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case array([JSONTree])
    case object([String: JSONTree])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONTree].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }

    subscript(key: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    subscript(position: Int) -> JSONTree? {
        guard case .array(let elements) = self, elements.indices.contains(position) else { return nil }
        return elements[position]
    }

    var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    var number: Double? {
        guard case .number(let number) = self else { return nil }
        return number
    }

    var count: Int? {
        guard case .array(let elements) = self else { return nil }
        return elements.count
    }
}

/// A TCP connection that sends what it is told to, HTTP or not.
struct RawConnection {
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var received: [UInt8] = []

    struct Closed: Error {}

    static func open<Value>(
        port: Int, _ body: (inout RawConnection) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var connection = RawConnection(outbound: outbound, inbound: inbound.makeAsyncIterator())
            return try await body(&connection)
        }
    }

    private init(
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    ) {
        self.outbound = outbound
        self.inbound = inbound
    }

    static func request(
        _ method: String, _ target: String, _ body: [UInt8]?, headers: [(String, String)] = []
    ) -> [UInt8] {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + (body ?? [])
    }

    func send(_ bytes: [UInt8]) async throws {
        try await self.outbound.write(ByteBuffer(bytes: bytes))
    }

    func send(_ text: String) async throws {
        try await self.send(Array(text.utf8))
    }

    /// The next whole answer. Throws `Closed` if the server closes the connection before one is whole.
    mutating func answer(toHead: Bool = false) async throws -> APIAnswer {
        let end = try await self.find(Array("\r\n\r\n".utf8))
        let lines = String(decoding: self.received[..<end], as: UTF8.self).split(separator: "\r\n")
        self.received.removeFirst(end + 4)
        let status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let length = toHead ? 0 : headers["content-length"].flatMap { Int($0) } ?? 0
        while self.received.count < length { try await self.receive() }
        defer { self.received.removeFirst(length) }
        return APIAnswer(status: status, headers: headers, body: Array(self.received.prefix(length)))
    }

    /// Returns when the server has closed the connection, in good order or not; what it still sends is dropped.
    mutating func closed() async {
        while (try? await self.inbound.next(isolation: #isolation)) ?? nil != nil {}
    }

    private mutating func find(_ pattern: [UInt8]) async throws -> Int {
        while true {
            if let found = self.received.firstRange(of: pattern) { return found.lowerBound }
            try await self.receive()
        }
    }

    private mutating func receive() async throws {
        guard let bytes = try await self.inbound.next(isolation: #isolation) else { throw Closed() }
        self.received += bytes.readableBytesView
    }
}
