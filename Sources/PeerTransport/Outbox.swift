// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What waits to leave on one connection, as bytes. A value without I/O; bounded.
///
/// Frames are written straight into chunks of about 256 KiB. A chunk is given to the channel whole, so that a turn costs
/// one write, and a channel that is not writable holds at most one chunk over its high-water mark.
package struct Outbox {
    private var open = ByteBuffer()
    private var sealed = CircularBuffer<ByteBuffer>()
    private var sealedBytes = 0
    /// Bytes given to the channel and not yet to the socket.
    private var channelBytes = 0
    /// Bytes that have reached the socket so far.
    package private(set) var writtenBytes: UInt64 = 0
    private let limit: Int
    /// The chunk that the next frame goes to; chunks count from 1.
    package private(set) var openChunk: UInt64 = 1
    /// The last chunk that the channel has: of its frames the peer may know.
    package private(set) var handedOverChunk: UInt64 = 0

    /// A chunk that has grown to this many bytes is closed.
    private static let chunkBytes = 256 << 10

    /// - Parameter limit: bytes that may wait, here and in the channel together.
    package init(limit: Int) { self.limit = limit }

    /// Bytes that wait, here and in the channel.
    package var queuedBytes: Int { self.open.readableBytes + self.sealedBytes + self.channelBytes }

    /// Queues one frame, unless it would break the limit: then false, and nothing is queued.
    package mutating func append(_ kind: Frame.Kind, bodyLength: Int, body: (inout ByteBuffer) -> Void) -> Bool {
        let length = Frame.headerLength + bodyLength
        guard self.queuedBytes + length <= self.limit else { return false }
        if self.open.capacity == 0 { self.open.reserveCapacity(max(length, 4 << 10)) }
        Frame.write(kind, to: &self.open, body: body)
        if self.open.readableBytes >= Self.chunkBytes { self.seal() }
        return true
    }

    /// The next chunk for the channel, oldest first.
    package mutating func next() -> ByteBuffer? {
        if self.sealed.isEmpty, self.open.readableBytes > 0 { self.seal() }
        guard let chunk = self.sealed.popFirst() else { return nil }
        self.sealedBytes -= chunk.readableBytes
        self.channelBytes += chunk.readableBytes
        self.handedOverChunk += 1
        return chunk
    }

    /// These bytes of the channel's have reached the socket.
    package mutating func written(_ count: Int) {
        self.channelBytes -= count
        self.writtenBytes += UInt64(count)
    }

    private mutating func seal() {
        self.sealedBytes += self.open.readableBytes
        self.sealed.append(self.open)
        self.open = ByteBuffer()
        self.openChunk += 1
    }
}
