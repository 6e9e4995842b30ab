// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Makes the transport's sockets, all on one event loop.
struct Sockets {
    let loop: any EventLoop
    let limits: TransportLimits
    /// Outgoing sockets are bound to this address, so that a firewall tells the nodes of one machine apart. Nil if the
    /// node listens at a name or at every address.
    private let localAddress: SocketAddress?

    typealias Initialiser = @Sendable (any Channel) -> EventLoopFuture<Void>

    init(loop: any EventLoop, limits: TransportLimits, listenHost: String?) {
        self.loop = loop
        self.limits = limits
        self.localAddress = listenHost.flatMap { try? SocketAddress(ipAddress: $0, port: 0) }
            .flatMap { Self.isWildcard($0) ? nil : $0 }
    }

    /// Listens for peers. The error says which address was wanted.
    func listen(at address: PeerAddress, initialiser: @escaping Initialiser) -> EventLoopFuture<any Channel> {
        let server = ServerBootstrap(group: self.loop, childGroup: self.loop)
            // A node that was killed must be able to come back to its port while old connections still fade away.
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(ChannelOptions.backlog, value: 128)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(Self.userTimeout), value: self.userTimeoutMilliseconds)
            .childChannelOption(ChannelOptions.writeBufferWaterMark, value: Self.waterMark)
            .childChannelOption(ChannelOptions.recvAllocator, value: Self.receiveBuffers)
            .childChannelInitializer(initialiser)
        return server.bind(host: address.host, port: address.port).flatMapErrorThrowing { error in
            if let error = error as? IOError, error.errnoCode == EADDRINUSE {
                throw TransportError.addressInUse(address)
            }
            throw TransportError.cannotListen(address, reason: "\(error)")
        }
    }

    /// Connects to a peer. A host name is looked up anew; an IP address is used at once.
    func connect(to address: PeerAddress, initialiser: @escaping Initialiser) -> EventLoopFuture<any Channel> {
        let client = ClientBootstrap(group: self.loop)
            .connectTimeout(self.limits.connectTimeout)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(ChannelOptions.tcpOption(Self.userTimeout), value: self.userTimeoutMilliseconds)
            .channelOption(ChannelOptions.writeBufferWaterMark, value: Self.waterMark)
            .channelOption(ChannelOptions.recvAllocator, value: Self.receiveBuffers)
            .channelInitializer(initialiser)
        guard let target = try? SocketAddress(ipAddress: address.host, port: address.port) else {
            return client.connect(host: address.host, port: address.port)
        }
        if let local = self.localAddress, local.protocol == target.protocol {
            return client.bind(to: local).connect(to: target)
        }
        return client.connect(to: target)
    }

    /// Whether the peer's machine has said that nobody listens there: at every address that its name has.
    static func isRefused(_ error: any Error) -> Bool {
        switch error {
        case let error as IOError:
            error.errnoCode == ECONNREFUSED
        case let error as NIOConnectionError:
            !error.connectionErrors.isEmpty && error.connectionErrors.allSatisfy { self.isRefused($0.error) }
        case _:
            false
        }
    }

    /// Why an attempt to connect has failed, for people; the same text for the same cause.
    static func describe(_ error: any Error) -> String {
        if self.isRefused(error) { return "connection refused: nobody listens there" }
        switch error {
        case let error as IOError: return error.description
        case let error as NIOConnectionError:
            guard error.connectionErrors.isEmpty else {
                return error.connectionErrors.map { "\($0.target): \(self.describe($0.error))" }.sorted()
                    .joined(separator: "; ")
            }
            return "the name \(error.host) has no address"
        case ChannelError.connectTimeout: return "no answer in time"
        case _: return "\(error)"
        }
    }

    private static func isWildcard(_ address: SocketAddress) -> Bool {
        address.ipAddress == "0.0.0.0" || address.ipAddress == "::"
    }

    private var userTimeoutMilliseconds: ChannelOptions.Types.SocketOption.Value {
        ChannelOptions.Types.SocketOption.Value(self.limits.unacknowledgedTimeout.nanoseconds / 1_000_000)
    }

    /// How long sent bytes may stay unacknowledged (tcp(7), TCP_USER_TIMEOUT; RFC 5482).
    private static let userTimeout = NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)
    private static let receiveBuffers = AdaptiveRecvByteBufferAllocator(
        minimum: 1 << 10, initial: 16 << 10, maximum: 256 << 10)
}
