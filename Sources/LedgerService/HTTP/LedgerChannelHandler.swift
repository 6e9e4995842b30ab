// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Reads one connection's requests and writes their answers. Behind NIO's pipelining handler, which hands it one
/// request at a time.
final class LedgerChannelHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// The largest body that is read, in bytes.
    private static let bodyLimit = 64 << 10

    private enum State {
        case idle
        case reading(LedgerRequest)
        /// The request was answered before its end; the rest of it doesn't matter.
        case refused
    }

    private let responder: LedgerResponder
    private var state = State.idle

    init(responder: LedgerResponder) {
        self.responder = responder
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.state = .reading(LedgerRequest(head: head, body: ByteBuffer()))
        case .body(let bytes):
            guard case .reading(var request) = self.state else { return }
            self.state = .refused
            guard request.body.readableBytes + bytes.readableBytes <= Self.bodyLimit else {
                let problem = LedgerAnswer.problem(
                    .payloadTooLarge, "too-large", "a body is at most \(Self.bodyLimit) bytes")
                self.write(problem, to: request.head, isLast: true, context: context)
                return
            }
            request.body.writeImmutableBuffer(bytes)
            self.state = .reading(request)
        case .end:
            guard case .reading(let request) = self.state else { return }
            self.state = .idle
            let delivery = self.responder.answer(request, on: context.eventLoop)
            delivery.assumeIsolated().whenSuccess { self.deliver($0, to: request.head, context: context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What isn't HTTP has been answered 400 by NIO's own handler.
        context.close(promise: nil)
    }

    private func deliver(_ delivery: Delivery, to head: HTTPRequestHead, context: ChannelHandlerContext) {
        switch delivery {
        case .answer(let answer): self.write(answer, to: head, isLast: !head.isKeepAlive, context: context)
        case .hangUp: context.close(promise: nil)
        case .garbage:
            // Past the encoder, which only knows answers.
            let raw = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            raw?.writeAndFlush(NIOAny(ByteBuffer(string: "\u{1}this is no answer\r\n\r\n")), promise: nil)
            context.close(promise: nil)
        }
    }

    /// - Parameter isLast: the connection ends behind this answer.
    private func write(
        _ answer: LedgerAnswer, to request: HTTPRequestHead, isLast: Bool, context: ChannelHandlerContext
    ) {
        var head = HTTPResponseHead(version: request.version, status: answer.status, headers: answer.headers)
        if isLast {
            head.headers.add(name: "Connection", value: "close")
        } else if request.version == .http1_0 {
            head.headers.add(name: "Connection", value: "keep-alive")
        }
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(self.wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
        }
        let written = context.writeAndFlush(self.wrapOutboundOut(.end(nil)))
        if isLast { written.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
    }
}
