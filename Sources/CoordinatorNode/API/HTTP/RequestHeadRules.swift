// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Keeps the rules of a request's head that the server behind can't: it learns neither the version nor how often there was
/// a Host, and takes `close` in one spelling alone. Stands between the decoder and the translation into HTTP types.
///
/// A connection ends with its answer if the client says so, or speaks HTTP/1.0 and doesn't ask to keep it (RFC 9112,
/// section 9.3); the answer tells which.
final class RequestHeadRules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A head that is refused; nothing is passed on behind it.
    enum Violation: Error, Hashable {
        /// None in HTTP/1.1, or more than one (RFC 9112, section 3.2).
        case hosts(Int)

        var detail: String {
            switch self {
            case .hosts(0): "A request of HTTP/1.1 needs a Host header."
            case .hosts(let count): "A request has one Host header, not \(count)."
            }
        }
    }

    private var isOver = false
    /// What the answers to come say of their connection, one for each request that has none yet.
    private var connections: CircularBuffer<Connection> = []

    private enum Connection {
        case close
        /// Asked for in HTTP/1.0, which otherwise takes the end of the answer for the connection's.
        case keepAlive
        /// Stays open without a word.
        case implied
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isOver else { return }
        guard case .head(var head) = self.unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let isOld = head.version.major < 1 || head.version == .http1_0
        let hosts = head.headers[canonicalForm: "host"].count
        guard hosts == 1 || hosts == 0 && isOld else {
            self.isOver = true
            return context.fireErrorCaught(Violation.hosts(hosts))
        }
        let stays = head.isKeepAlive
        self.connections.append(!stays ? .close : isOld ? .keepAlive : .implied)
        guard isOld || !stays else { return context.fireChannelRead(data) }
        if !stays { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        // HTTP/1.0 has no 100 (RFC 9110, section 10.1.1).
        if isOld { head.headers.remove(name: "Expect") }
        context.fireChannelRead(self.wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = self.unwrapOutboundIn(data), head.status.code >= 200 else {
            return context.write(data, promise: promise)
        }
        switch self.connections.popFirst() {
        case .close: head.headers.replaceOrAdd(name: "Connection", value: "close")
        case .keepAlive where !head.headers.contains(name: "Connection"):
            head.headers.add(name: "Connection", value: "keep-alive")
        case .keepAlive, .implied, nil: return context.write(data, promise: promise)
        }
        context.write(self.wrapOutboundOut(.head(head)), promise: promise)
    }
}
