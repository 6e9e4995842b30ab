// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Stands between the HTTP decoder and the server on every connection. Ends requests that come too slowly, answers what
/// the decoder can't read with a problem that says so, and tells a client that asks first whether it may send its body.
///
/// The server itself has an idle timeout alone, and closes the connection of a request that it can't parse with an
/// empty answer.
final class RequestGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let bodyBytes: Int
    private var clock: RequestClock
    /// When the timer runs out, if there is one. It may run out before the clock's deadline and is then set anew: a
    /// timer per request would cost more than the guard is worth.
    private var timer: (at: NIODeadline, scheduled: Scheduled<Void>)?
    /// Requests whose head was read and whose answer has not ended.
    private var unanswered = 0
    /// Whether the head of an answer was written and its end wasn't.
    private var isAnswering = false
    /// The connection ends; nothing more is passed on.
    private var isClosing = false

    init(limits: APILimits) {
        self.bodyBytes = limits.bodyBytes
        self.clock = RequestClock(
            headerTimeout: TimeAmount(limits.headerTimeout), bodyTimeout: TimeAmount(limits.bodyTimeout))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // The first byte of a request is seen before the decoder only.
        let watch = ByteWatch { [weak self] in self?.bytesArrived(context: context) }
        do {
            let pipeline = context.pipeline.syncOperations
            try pipeline.addHandler(watch, position: .first)
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(RequestHeadRules(), position: .before(codec))
        } catch {
            context.fireErrorCaught(error)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.scheduled.cancel()
        self.timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.scheduled.cancel()
        self.timer = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isClosing else { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.unanswered += 1
            self.clock.headArrived(now: context.eventLoop.now)
            self.answerExpectation(of: head, context: context)
        case .body: break
        case .end: self.clock.endArrived()
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.setTimer(context: context)
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !self.isClosing else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch self.unwrapOutboundIn(data) {
        case .head(let head): self.isAnswering = head.status.kind != .informational
        case .body: break
        case .end:
            self.isAnswering = false
            self.unanswered -= 1
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What still comes behind the request that ends the connection is no news.
        guard !self.isClosing else { return }
        guard self.unanswered == 0 else {
            // The server gives the answers that are owed, and behind them its own to what can't be read.
            return context.fireErrorCaught(error is RequestHeadRules.Violation ? HTTPParserError.unknown : error)
        }
        switch error {
        case let violation as RequestHeadRules.Violation:
            self.close(with: Problem(.invalidRequest, violation.detail), context: context)
        case HTTPParserError.headerOverflow:
            self.close(
                with: Problem(.headersTooLarge, "The request's line or headers are too large."), context: context)
        case is HTTPParserError, is HTTP1TypeConversionError:
            self.close(with: Problem(.invalidRequest, "This is not an HTTP/1.1 request."), context: context)
        case _: context.fireErrorCaught(error)
        }
    }

    private func bytesArrived(context: ChannelHandlerContext) {
        self.clock.bytesArrived(now: context.eventLoop.now)
    }

    /// A client that asks before it sends a large body (RFC 9110, section 10.1.1) waits for this a while before it goes
    /// on all the same. One whose body is too large gets its 413 instead.
    private func answerExpectation(of head: HTTPRequest, context: ChannelHandlerContext) {
        guard self.unanswered == 1, head.headerFields[.expect]?.lowercased() == "100-continue" else { return }
        let length = head.headerFields[.contentLength].flatMap { Int($0) } ?? 0
        guard length <= self.bodyBytes else { return }
        context.writeAndFlush(self.wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }

    // MARK: Time

    private func setTimer(context: ChannelHandlerContext) {
        guard !self.isClosing, let deadline = self.clock.deadline else { return }
        if let timer = self.timer {
            guard deadline < timer.at else { return }
            timer.scheduled.cancel()
        }
        let scheduled = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            self.timerRanOut(context: context)
        }
        self.timer = (deadline, scheduled)
    }

    private func timerRanOut(context: ChannelHandlerContext) {
        guard self.clock.isOver(now: context.eventLoop.now) else { return self.setTimer(context: context) }
        // An answer can be given only where none has begun and none is owed before it.
        let isBody = self.clock.reading == .body
        guard !self.isAnswering, self.unanswered == (isBody ? 1 : 0) else {
            self.isClosing = true
            return context.close(promise: nil)
        }
        let what = isBody ? "body" : "headers"
        self.close(
            with: Problem(.requestTimeout, "The request's \(what) didn't arrive in time."), context: context)
    }

    private func close(with problem: Problem, context: ChannelHandlerContext) {
        self.isClosing = true
        let body = problem.json()
        let head = HTTPResponse(
            status: HTTPResponse.Status(code: problem.code.status),
            headerFields: [
                .contentType: "application/problem+json", .contentLength: String(body.count), .connection: "close",
            ])
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: nil)
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in self.linger(context: context) }
    }

    /// Closes our half now and the whole a little later, or when the client has closed its half: bytes of the client
    /// that nobody has read would make the system reset the connection, and the client might never see its answer.
    private func linger(context: ChannelHandlerContext) {
        context.close(mode: .output, promise: nil)
        self.timer?.scheduled.cancel()
        let scheduled = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) {
            context.close(promise: nil)
        }
        self.timer = (context.eventLoop.now + Self.lingerTime, scheduled)
    }

    private static let lingerTime = TimeAmount.seconds(1)
}

/// Tells of every read of bytes, before anything has looked at them.
private final class ByteWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let bytesArrived: () -> Void

    init(bytesArrived: @escaping () -> Void) {
        self.bytesArrived = bytesArrived
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytesArrived()
        context.fireChannelRead(data)
    }
}
