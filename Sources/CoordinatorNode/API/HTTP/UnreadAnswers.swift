// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Ends a connection whose client doesn't read what it has asked for: a long answer, a backup above all, would keep its file
/// and its place for ever.
package final class UnreadAnswers: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = NIOAny
    package typealias InboundOut = NIOAny

    private let timeout: TimeAmount
    private var timer: Scheduled<Void>?
    /// Bytes that nobody had read when the timer was set.
    private var waiting = 0

    package init(timeout: Duration) {
        self.timeout = TimeAmount(timeout)
    }

    /// A full buffer says that nobody has read for a while; one that has room again, or gets shorter, that somebody does.
    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
        if !context.channel.isWritable { self.watch(context) }
        context.fireChannelWritabilityChanged()
    }

    private func watch(_ context: ChannelHandlerContext) {
        self.waiting = Self.unread(context)
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: self.timeout) {
            if Self.unread(context) < self.waiting { self.watch(context) } else { context.close(promise: nil) }
        }
    }

    /// Bytes of answers that the client hasn't taken.
    private static func unread(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }
}
