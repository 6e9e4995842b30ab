// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Bytes
import ClusterConfiguration
import CoordinatorNode
import Foundation
import Locks
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Raft
import RaftStore
import ServiceLifecycle
import StateStore
import Testing

/// Whole nodes in this process, each with its own folder and real sockets on this machine.
final class NodeTestCluster: Sendable {
    struct Answer: Sendable {
        let status: UInt
        let body: String

        /// The text of a member of the answer's JSON object; nil if it is null or absent.
        func field(_ name: String) -> String? {
            let object = try? JSONSerialization.jsonObject(with: Data(self.body.utf8)) as? [String: Any]
            guard let value = object?[name], !(value is NSNull) else { return nil }
            return "\(value)"
        }
    }

    private struct Running {
        let group: ServiceGroup
        let task: Task<Void, any Error>
    }

    let configuration: ClusterConfiguration
    private let running = Locked<[String: Running]>([:])
    private let removed = Locked<Set<String>>([])
    /// Its own: a port of one cluster may become another's.
    private let clusterID = ClusterID(high: 1, low: .random(in: 1 ... .max))

    private init(_ configuration: ClusterConfiguration) {
        self.configuration = configuration
    }

    /// Runs a cluster for as long as `body` does. The nodes are initialised and not yet started.
    /// - Parameter founders: how many of the nodes are members from the beginning; the others may join.
    static func run(
        nodes count: Int = 3, founders: Int? = nil, settings: [String] = [],
        _ body: (NodeTestCluster) async throws -> Void
    ) async throws {
        try await Self.turnstile.pass {
            try await Self.runAtOnce(nodes: count, founders: founders, settings: settings, body)
        }
    }

    /// A dozen clusters at once on two processors with a slow disk would time out for no other reason.
    private static let turnstile = Turnstile(width: 2)

    private static func runAtOnce(
        nodes count: Int, founders: Int?, settings: [String], _ body: (NodeTestCluster) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("verdict-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ports = try await Self.freePorts(2 * count)
        var text = ""
        for number in 1...count {
            text += """
                [node n\(number)]
                peer = 127.0.0.1:\(ports[2 * number - 2])
                client = 127.0.0.1:\(ports[2 * number - 1])
                data = n\(number)

                """
        }
        let configuration = try ClusterConfiguration.parse(
            Array(text.utf8), file: "cluster.conf", folder: folder,
            // ThreadSanitizer and a busy machine make everything slow; no test here measures an election.
            environment: [
                "VERDICT_TIMING_ELECTION_TIMEOUT_MIN": "500ms", "VERDICT_TIMING_ELECTION_TIMEOUT_MAX": "1000ms",
            ],
            flags: settings)
        let members = configuration.nodes.prefix(founders ?? count).enumerated().map { position, node in
            Member(nodeID: NodeID(rawValue: node.id), storageID: StorageID(rawValue: UInt64(position + 1)))
        }
        let cluster = NodeTestCluster(configuration)
        for (node, member) in zip(configuration.nodes, members) {
            try DataFolder.initialise(
                path: node.data, clusterID: cluster.clusterID, nodeID: member.nodeID, storageID: member.storageID,
                members: members, reserveBytes: 1 << 16)
        }
        do {
            try await body(cluster)
        } catch {
            await cluster.stopAll()
            throw error
        }
        await cluster.stopAll()
    }

    /// Ports that were free a moment ago, each a different one.
    private static func freePorts(_ count: Int) async throws -> [Int] {
        var channels: [any Channel] = []
        for _ in 0..<count {
            channels.append(
                try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .bind(host: "127.0.0.1", port: 0).get())
        }
        let ports = channels.compactMap { $0.localAddress?.port }
        for channel in channels { try await channel.close() }
        return ports
    }

    var names: [String] { self.configuration.nodes.map(\.id) }

    /// - Parameter known: the newest format that the node's program knows.
    func start(_ name: String, known: FormatLevel = .newest) throws {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let node = try CoordinatorNode(
            name, in: self.configuration, version: "test", known: known, logger: logger,
            endings: NodeEndings(
                fatal: { reason in fatalError("the disk failed: \(reason)") },
                outdated: { reason in fatalError("\(name) is outdated: \(reason)") },
                onRemoved: { self.removed.withLock { _ = $0.insert(name) } }))
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: node, successTerminationBehavior: .gracefullyShutdownGroup)], logger: logger))
        self.running.withLock { $0[name] = Running(group: group, task: Task { try await group.run() }) }
    }

    /// Makes the folder of a node that is no member, and starts it.
    func join(_ name: String, storageID: UInt64, knowing founders: [String]) throws {
        let node = try #require(self.configuration.node(name))
        try DataFolder.initialise(
            path: node.data, clusterID: self.clusterID, nodeID: NodeID(rawValue: name),
            storageID: StorageID(rawValue: storageID),
            members: founders.map { Member(nodeID: NodeID(rawValue: $0), storageID: .unknown) }, isJoining: true,
            reserveBytes: 1 << 16)
        try self.start(name)
    }

    /// Whose state a founder's folder holds.
    func stateIdentity(of name: String) -> StateIdentity {
        let storageID = (self.names.firstIndex(of: name) ?? 0) + 1
        return StateIdentity(clusterID: self.clusterID.bytes, nodeID: name, storageID: UInt64(storageID))
    }

    /// Whether a node has heard that it was removed.
    func isRemoved(_ name: String) -> Bool { self.removed.withLock { $0.contains(name) } }

    func startAll(known: FormatLevel = .newest) throws { for name in self.names { try self.start(name, known: known) } }

    /// Stops a node as SIGTERM would, and gives the error that ended it, if one did.
    @discardableResult
    func stop(_ name: String) async -> (any Error)? {
        guard let running = self.running.withLock({ $0.removeValue(forKey: name) }) else { return nil }
        await running.group.triggerGracefulShutdown()
        do {
            try await running.task.value
            return nil
        } catch {
            return error
        }
    }

    /// The error with which a node ended by itself.
    func failure(of name: String) async -> (any Error)? {
        guard let running = self.running.withLock({ $0.removeValue(forKey: name) }) else { return nil }
        do {
            try await running.task.value
            return nil
        } catch {
            return error
        }
    }

    func stopAll() async { for name in self.names { await self.stop(name) } }

    /// Asks one node; nil if it can't be reached.
    func ask(_ name: String, _ method: String, _ path: String, _ body: String? = nil) async -> Answer? {
        guard let node = self.configuration.node(name) else { return nil }
        var request = HTTPClientRequest(url: "http://\(node.client)\(path)")
        request.method = .init(rawValue: method)
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            let bytes = try await response.body.collect(upTo: 1 << 20)
            return Answer(status: response.status.code, body: String(buffer: bytes))
        } catch {
            return nil
        }
    }

    /// Waits, at most half a minute, until some node says that it leads; gives its name.
    func leader(among names: [String]? = nil) async throws -> String {
        try await self.until("a leader") {
            for name in names ?? self.names {
                let answer = await self.ask(name, "GET", "/v1/node")
                if answer?.field("role") == "leader" { return name }
            }
            return nil
        }
    }

    func until<Value>(_ what: String, _ condition: () async throws -> Value?) async throws -> Value {
        let end = ContinuousClock.now.advanced(by: .seconds(30))
        while ContinuousClock.now < end {
            if let value = try await condition() { return value }
            await Task.yield()
        }
        throw NotWithinTime(what: what)
    }

    struct NotWithinTime: Error { let what: String }
}
