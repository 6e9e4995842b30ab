// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Turns a channel's bytes into frames. It parses and bounds, and decides nothing.
///
/// Bytes that are no frames fire `FrameError` once; nothing is read after it.
package final class FrameHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = Frame

    private var decoder: FrameDecoder

    package init(maximumBodyLength: Int = Frame.maximumHandshakeBodyLength) {
        self.decoder = FrameDecoder(maximumBodyLength: maximumBodyLength)
    }

    /// The longest body that is accepted from now on; raised when the handshake is over.
    package var maximumBodyLength: Int {
        get { self.decoder.maximumBodyLength }
        set { self.decoder.maximumBodyLength = newValue }
    }

    private var hasFailed = false
    /// Bytes that have come so far, whole frames or not.
    package private(set) var receivedBytes: UInt64 = 0

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.hasFailed else { return }
        let bytes = self.unwrapInboundIn(data)
        self.receivedBytes += UInt64(bytes.readableBytes)
        self.decoder.append(bytes)
        do throws(FrameError) {
            while let frame = try self.decoder.next() { context.fireChannelRead(self.wrapInboundOut(frame)) }
        } catch {
            self.hasFailed = true
            context.fireErrorCaught(error)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if !self.hasFailed {
            do throws(FrameError) {
                try self.decoder.finish()
            } catch {
                self.hasFailed = true
                context.fireErrorCaught(error)
            }
        }
        context.fireChannelInactive()
    }
}
