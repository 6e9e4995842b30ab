// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Hummingbird
import HummingbirdCore
package import Logging
package import NIOCore
import ServiceLifecycle

/// Why the API can't be served.
package enum HTTPServiceError: Error, Hashable, Sendable, CustomStringConvertible {
    case addressInUse(host: String, port: Int)
    case cannotListen(host: String, port: Int, reason: String)

    package var description: String {
        switch self {
        case .addressInUse(let host, let port):
            "cannot listen on \(host):\(port): another process has the port; stop it, or give this node another client "
                + "address"
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host):\(port): \(reason)"
        }
    }
}

/// Serves the API on one address until its service group stops: then it takes no more connections, lets every running
/// request end, and returns.
package struct HTTPService<Responder: HTTPResponder>: Service where Responder.Context == APIContext {
    private let application: Application<Responder>
    private let host: String
    private let port: Int

    /// - Parameters:
    ///   - port: 0 takes any free one.
    ///   - whenListening: called once with the port that is listened on.
    package init(
        responder: Responder, host: String, port: Int, limits: APILimits, eventLoopGroup: any EventLoopGroup,
        logger: Logger, whenListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                UnreadAnswers(timeout: limits.answerTimeout), RequestGuard(limits: limits),
            ],
            idleTimeout: TimeAmount(limits.idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                maxHeaderFieldCount: limits.headerCount))
        // The server's own words about requests and its start are below what an operator of this node wants once.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .warning)
        self.application = Application(
            responder: responder,
            server: HTTPServerBuilder { LoopBoundChannel(base: HTTP1Channel(responder: $0, configuration: channel)) },
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections, logger: serverLogger)),
            onServerRunning: { await whenListening($0.localAddress?.port ?? port) },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: serverLogger)
    }

    package func run() async throws {
        do {
            try await self.application.run()
        } catch let error as IOError {
            throw error.errnoCode == EADDRINUSE
                ? HTTPServiceError.addressInUse(host: self.host, port: self.port)
                : HTTPServiceError.cannotListen(host: self.host, port: self.port, reason: error.description)
        } catch let error as SocketAddressError {
            throw HTTPServiceError.cannotListen(host: self.host, port: self.port, reason: "\(error)")
        }
    }
}
