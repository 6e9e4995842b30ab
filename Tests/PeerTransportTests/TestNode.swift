// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import NIOCore
import NIOPosix
import PeerTransport
import Raft

/// What a transport has told its delegate.
enum NodeEvent: Hashable, Sendable {
    case connected(NodeID)
    case disconnected(NodeID, isRefused: Bool)
    case message(Message, group: GroupID, from: NodeID)
    case request([UInt8], from: NodeID)
    case learned(StorageID, of: NodeID)
    case removed(at: LogIndex, saidBy: NodeID)
    case outdated(FormatLevel)
}

/// One transport on an event loop of its own, and all that it tells.
struct TestNode: Sendable {
    /// Answers requests: given the requests that wait, it says which ones to answer now.
    typealias Answerer = @Sendable (_ waiting: inout [(bytes: [UInt8], token: ReplyToken)], PeerTransport) -> Void

    /// The delegate; confined to the loop.
    private final class Ears: PeerTransportDelegate {
        let transport: PeerTransport
        let events: Journal<NodeEvent>
        let answer: Answerer
        var waiting: [(bytes: [UInt8], token: ReplyToken)] = []
        var batches = 0

        init(transport: PeerTransport, events: Journal<NodeEvent>, answer: @escaping Answerer) {
            self.transport = transport
            self.events = events
            self.answer = answer
        }

        func peerConnected(_ peer: NodeID) { self.events.append(.connected(peer)) }

        func peerDisconnected(_ peer: NodeID, isRefused: Bool) {
            self.events.append(.disconnected(peer, isRefused: isRefused))
        }

        func received(_ message: Message, group: GroupID, from peer: NodeID) {
            self.events.append(.message(message, group: group, from: peer))
        }

        func receivedRequest(_ bytes: [UInt8], from peer: NodeID, token: ReplyToken) {
            self.waiting.append((bytes, token))
            self.answer(&self.waiting, self.transport)
            self.events.append(.request(bytes, from: peer))
        }

        func learned(_ storage: StorageID, of peer: NodeID) { self.events.append(.learned(storage, of: peer)) }
        func removed(at index: LogIndex, saidBy peer: NodeID) { self.events.append(.removed(at: index, saidBy: peer)) }
        func outdated(uses format: FormatLevel) { self.events.append(.outdated(format)) }
        func receiveBatchEnded() { self.transport.flush() }
    }

    static let cluster = ClusterID(high: 0x1122_3344_5566_7788, low: 0x99aa_bbcc_ddee_ff00)

    /// The storage id that a node has in these tests unless they say otherwise.
    static func storage(of node: NodeID) -> StorageID {
        StorageID(rawValue: node.rawValue.utf8.reduce(7) { $0 * 31 + UInt64($1) })
    }

    static func identity(_ node: NodeID) -> PeerIdentity {
        PeerIdentity(cluster: self.cluster, node: node, storage: self.storage(of: node))
    }

    let id: NodeID
    let identity: PeerIdentity
    let loop: any EventLoop
    let events = Journal<NodeEvent>()
    let log = Journal<LogLine>()
    private let ears: NIOLoopBound<Ears>

    /// - Parameters:
    ///   - peers: where each peer listens.
    ///   - directory: whom the node believes; by default every peer, with the storage id of these tests.
    init(
        _ id: NodeID, identity: PeerIdentity? = nil, peers: [NodeID: PeerAddress] = [:],
        directory: MemberDirectory? = nil, limits: TransportLimits = .calm,
        answer: @escaping Answerer = { _, _ in }
    ) async throws {
        self.id = id
        let identity = identity ?? Self.identity(id)
        self.identity = identity
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        let known = Dictionary(uniqueKeysWithValues: (peers.keys + [id]).map { ($0, Self.storage(of: $0)) })
        let directory = directory ?? MemberDirectory(known)
        let (events, log) = (self.events, self.log)
        self.ears = try await loop.submit {
            let transport = PeerTransport(
                loop: loop, identity: identity, members: peers, directory: directory, limits: limits, seed: 7,
                logger: Logger(label: "test") { _ in LogRecorder(lines: log) })
            let ears = Ears(transport: transport, events: events, answer: answer)
            transport.delegate = ears
            return NIOLoopBound(ears, eventLoop: loop)
        }.get()
    }

    /// Runs on the node's loop.
    @discardableResult
    func run<Value: Sendable>(_ body: @escaping @Sendable (PeerTransport) throws -> Value) async throws -> Value {
        let ears = self.ears
        return try await self.loop.submit { try body(ears.value.transport) }.get()
    }

    /// Runs on the node's loop, and waits for what comes of it.
    @discardableResult
    func run<Value: Sendable>(
        future body: @escaping @Sendable (PeerTransport) -> EventLoopFuture<Value>
    ) async throws -> Value {
        let ears = self.ears
        return try await self.loop.flatSubmit { body(ears.value.transport) }.get()
    }

    /// Listens at a port that the system chooses, without connecting yet.
    func listen(host: String = "127.0.0.1", port: Int = 0) async throws -> PeerAddress {
        try await self.run(future: { $0.listen(host: host, port: port) })
        guard let address = try await self.run({ $0.boundAddress }) else {
            throw DeadlineExceeded(description: "\(self.id) does not listen")
        }
        return address
    }

    /// Waits until what the transport says meets the condition.
    func wait(for what: String, until isMet: @escaping @Sendable (PeerTransport) -> Bool) async throws {
        let ears = self.ears
        let loop = self.loop
        let end = NIODeadline.now() + .seconds(60)
        try await loop.flatSubmit {
            let promise = loop.makePromise(of: Void.self)
            loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(1)) { task in
                if isMet(ears.value.transport) {
                    task.cancel()
                    promise.succeed()
                } else if NIODeadline.now() > end {
                    task.cancel()
                    promise.fail(DeadlineExceeded(description: "no \(what)"))
                }
            }
            return promise.futureResult
        }.get()
    }

    func send(_ messages: [Message], group: GroupID = .zero, to peer: NodeID) async throws {
        try await self.run { transport in
            for message in messages { transport.send(message, group: group, to: peer) }
            transport.flush()
        }
    }

    func request(
        _ bytes: [UInt8], to peer: NodeID, within limit: TimeAmount = .seconds(60)
    ) async throws -> [UInt8] {
        try await self.run(future: { transport in
            let reply = transport.request(bytes, to: peer, deadline: .now() + limit)
            transport.flush()
            return reply
        })
    }

    /// How a request ends that is to fail.
    func failure(
        of bytes: [UInt8], to peer: NodeID, within limit: TimeAmount = .seconds(60)
    ) async throws -> RequestError? {
        do {
            _ = try await self.request(bytes, to: peer, within: limit)
            return nil
        } catch let error as RequestError {
            return error
        }
    }

    func close() async throws { try await self.run(future: { $0.closeAll() }) }
}

extension TransportLimits {
    /// Without the short times that a busy machine breaks: a test that needs one of them sets it.
    static var calm: TransportLimits {
        var limits = TransportLimits()
        limits.handshakeTimeout = .minutes(5)
        limits.connectTimeout = .minutes(1)
        limits.unacknowledgedTimeout = .minutes(5)
        limits.closeTimeout = .minutes(1)
        limits.silentIntervals = 1_000
        return limits
    }

    /// Also with pauses that no test would sit out: what happens, happens without them.
    static var patient: TransportLimits {
        var limits = Self.calm
        limits.firstPause = .hours(1)
        limits.longestPause = .hours(1)
        return limits
    }

    /// Also with pauses so short that a storm of attempts comes within the time of a test.
    static var impatient: TransportLimits {
        var limits = Self.calm
        limits.firstPause = .milliseconds(1)
        limits.longestPause = .milliseconds(4)
        return limits
    }
}

/// Some nodes that know each other, all connected.
func connectedNodes(
    _ ids: [NodeID], limits: TransportLimits = .calm, answer: @escaping TestNode.Answerer = { _, _ in }
) async throws -> [TestNode] {
    let nobody = PeerAddress(host: "127.0.0.1", port: 1)
    var nodes: [TestNode] = []
    for id in ids {
        let peers = Dictionary(uniqueKeysWithValues: ids.filter { $0 != id }.map { ($0, nobody) })
        nodes.append(try await TestNode(id, peers: peers, limits: limits, answer: answer))
    }
    var addresses: [NodeID: PeerAddress] = [:]
    for node in nodes { addresses[node.id] = try await node.listen() }
    for node in nodes {
        try await node.run { [addresses] transport in
            for (id, address) in addresses { transport.setAddress(address, of: id) }
            transport.connect()
        }
    }
    for node in nodes {
        for id in ids where id != node.id { try await node.events.wait(for: .connected(id)) }
    }
    return nodes
}

/// One line that a node has logged.
struct LogLine: Sendable {
    let level: Logger.Level
    let message: String
    let metadata: [String: String]
}

/// Keeps log lines for a test to look at.
struct LogRecorder: LogHandler {
    let lines: Journal<LogLine>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(lines: Journal<LogLine>) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
        self.lines.append(LogLine(level: event.level, message: "\(event.message)", metadata: metadata))
    }
}

extension Journal where Item == LogLine {
    /// The warnings so far that name this reason.
    func warnings(of reason: String) -> [LogLine] {
        self.items.filter { $0.level == .warning && ($0.metadata[LogKey.reason] ?? "").contains(reason) }
    }

    /// Waits for a warning that names this reason.
    @discardableResult
    func waitForWarning(of reason: String) async throws -> LogLine? {
        try await self.wait(for: "warning about \(reason)") { lines in
            lines.contains { $0.level == .warning && ($0.metadata[LogKey.reason] ?? "").contains(reason) }
        }
        return self.warnings(of: reason).first
    }
}

extension NodeID: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(rawValue: value) }
}
