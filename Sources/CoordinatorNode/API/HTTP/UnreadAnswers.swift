// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Ends a connection whose client doesn't read what it has asked for: a long answer, a backup above all, would keep its file
/// and its place for ever.
package final class UnreadAnswers: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = NIOAny
    package typealias InboundOut = NIOAny

    private let timeout: TimeAmount
    private var timer: Scheduled<Void>?

    package init(timeout: Duration) {
        self.timeout = TimeAmount(timeout)
    }

    /// A full buffer says that nobody has read for a while; one that has room again, that somebody does.
    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer =
            context.channel.isWritable
            ? nil
            : context.eventLoop.assumeIsolated().scheduleTask(in: self.timeout) { context.close(promise: nil) }
        context.fireChannelWritabilityChanged()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }
}
