// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// One connection to a target: carries one call at a time, and is given back to its target after each.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let target: HTTPTarget
    private let maximumAnswerBytes: Int
    private var context: ChannelHandlerContext?
    private var call: HTTPCall?
    private var answer = HTTPAnswer()
    private var staysOpen = true
    /// It has carried a call to its answer: if it now breaks before an answer begins, the participant had most likely
    /// closed it for being unused.
    private var isUsed = false
    /// What went wrong, for the call that hears of it when the connection is closed.
    private var error: (any Error)?
    /// Since when it has carried no call.
    private(set) var idleSince = NIODeadline.uptimeNanoseconds(0)

    init(target: HTTPTarget, maximumAnswerBytes: Int) {
        self.target = target
        self.maximumAnswerBytes = maximumAnswerBytes
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Sends a call. The connection must carry none.
    func send(_ call: HTTPCall) {
        self.answer = HTTPAnswer()
        guard let context = self.context, let message = call.message else { return self.lose(call) }
        self.call = call
        call.connection = self
        context.write(self.wrapOutboundOut(.head(message.head)), promise: nil)
        if let body = message.body { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    func close() {
        self.context?.close(promise: nil)
    }

    /// Nobody waits for the answer any more.
    func abandon() {
        self.call = nil
        self.close()
    }

    // MARK: What comes back

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What is behind an answer, or comes without a call, is none of ours; the decoder has closed for less.
        guard self.call != nil else { return context.close(promise: nil) }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.answer.begin(head)
            // Behind "101 Switching Protocols" the decoder would read nothing more.
            self.staysOpen = head.isKeepAlive && head.status.code >= 200
        case .body(let part):
            guard !self.answer.append(part, limit: self.maximumAnswerBytes) else { return }
            self.staysOpen = false
            self.end()
        case .end:
            self.end()
        }
    }

    private func end() {
        guard let call = self.call else { return }
        self.call = nil
        if self.staysOpen {
            self.isUsed = true
            self.idleSince = .now()
            self.target.release(self)
        } else {
            self.close()
        }
        call.finish(self.answer.verdict)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.error == nil { self.error = error }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        self.target.closed(self)
        guard let call = self.call else { return }
        self.call = nil
        self.lose(call)
    }

    private func lose(_ call: HTTPCall) {
        let isMalformed = self.error.map { UnknownAnswer($0).kind == .malformedAnswer } ?? false
        if self.isUsed, !self.answer.hasBegun, !isMalformed, !call.isSecondTry {
            call.isSecondTry = true
            call.connection = nil
            return self.target.connect(call)
        }
        call.finish(.unknown(self.error.map { UnknownAnswer($0) } ?? .closedEarly))
    }
}
