// SPDX-License-Identifier: Apache-2.0

import Glibc
import Locks
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// The bank behind its HTTP port, from its start to its stop.
package final class LedgerServer: Sendable {
    package struct Settings: Sendable {
        package var name: String
        package var listen: ListenAddress
        /// `nil`: instant, without a file.
        package var database: String?
        /// Accounts `a0`, `a1` and so on that there are from the start; those in the file already stay as they are.
        package var accounts: Int64
        /// Cents in each of them when it is created.
        package var balance: Int64
        package var faults: FaultSettings

        package init(
            name: String, listen: ListenAddress = ListenAddress(host: "127.0.0.1", port: 0), database: String?,
            accounts: Int64 = 0, balance: Int64 = 0, faults: FaultSettings = FaultSettings()
        ) {
            self.name = name
            self.listen = listen
            self.database = database
            self.accounts = accounts
            self.balance = balance
            self.faults = faults
        }
    }

    /// How long a stop waits for running requests.
    private static let stopTimeout = TimeAmount.seconds(10)

    /// Where it really serves.
    package let address: ListenAddress
    private let group: MultiThreadedEventLoopGroup
    private let listener: any Channel
    private let connections: OpenConnections
    private let writer: LedgerWriter?
    private let stopping = Locked<Task<Void, Never>?>(nil)

    private init(
        address: ListenAddress, group: MultiThreadedEventLoopGroup, listener: any Channel,
        connections: OpenConnections, writer: LedgerWriter?
    ) {
        self.address = address
        self.group = group
        self.listener = listener
        self.connections = connections
        self.writer = writer
    }

    /// Opens the file and the port, and serves. `stop()` must be called before the last reference goes.
    package static func start(_ settings: Settings, logger: Logger) async throws(LedgerServerError) -> LedgerServer {
        let writer = try await Self.openWriter(settings, logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = OpenConnections()
        let responder = LedgerResponder(name: settings.name, writer: writer, faults: Faults(settings.faults))
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelInitializer { channel in
                connections.insert(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(LedgerChannelHandler(responder: responder))
                }
            }
        do {
            let listener = try await bootstrap.bind(host: settings.listen.host, port: settings.listen.port).get()
            let bound = listener.localAddress
            let address = ListenAddress(
                host: bound?.ipAddress ?? settings.listen.host, port: bound?.port ?? settings.listen.port)
            return LedgerServer(
                address: address, group: group, listener: listener, connections: connections, writer: writer)
        } catch {
            await writer?.close()
            try? await group.shutdownGracefully()
            throw .cannotListen(settings.listen, reason: Self.reason(error))
        }
    }

    /// Takes no more connections, ends the running requests, and closes the file. Returns when that is done, whoever
    /// began it.
    package func stop() async {
        let stopping = self.stopping.withLock { stopping in
            let task = stopping ?? Task { await self.end() }
            stopping = task
            return task
        }
        await stopping.value
    }

    private func end() async {
        try? await self.listener.close()
        let open = self.connections.all
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        let eventLoop = self.listener.eventLoop
        let cut = eventLoop.scheduleTask(in: Self.stopTimeout) {
            for channel in open { channel.close(promise: nil) }
        }
        try? await EventLoopFuture.andAllComplete(open.map(\.closeFuture), on: eventLoop).get()
        cut.cancel()
        await self.writer?.close()
        try? await self.group.shutdownGracefully()
    }

    private static func openWriter(_ settings: Settings, _ logger: Logger) async throws(LedgerServerError)
        -> LedgerWriter?
    {
        guard let path = settings.database else { return nil }
        let writer: LedgerWriter
        do {
            writer = try await LedgerWriter.start(path: path, logger: logger)
        } catch {
            throw .cannotOpen(path, reason: "\(error)")
        }
        guard settings.accounts > 0 else { return writer }
        let reply = await writer.perform(
            .createAccounts(prefix: "a", count: settings.accounts, balance: settings.balance, overwrites: false))
        guard reply == .created(settings.accounts) else {
            await writer.close()
            throw .cannotOpen(path, reason: "\(reply)")
        }
        return writer
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError:
            error.errnoCode == EADDRINUSE ? "another process has the port" : error.description
        case SocketAddressError.unknown(let host, _): "the name \(host) is unknown"
        case let error: "\(error)"
        }
    }
}

package enum LedgerServerError: Error, Hashable, Sendable, CustomStringConvertible {
    case cannotOpen(String, reason: String)
    case cannotListen(ListenAddress, reason: String)

    package var description: String {
        switch self {
        case .cannotOpen(let path, let reason): "cannot use \(path) as the bank's database: \(reason)"
        case .cannotListen(let address, let reason): "cannot serve at \(address): \(reason)"
        }
    }
}

/// The connections that are open.
private final class OpenConnections: Sendable {
    private let channels = Locked<[ObjectIdentifier: any Channel]>([:])

    var all: [any Channel] { self.channels.withLock { Array($0.values) } }

    func insert(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        self.channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in
            self.channels.withLock { _ = $0.removeValue(forKey: id) }
        }
    }
}
