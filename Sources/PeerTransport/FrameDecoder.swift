// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Cuts a stream of bytes into frames, wherever the network has cut it before. A value without I/O.
///
/// It keeps only bytes that have really arrived: a length that a stranger announces reserves nothing.
package struct FrameDecoder: Sendable {
    private var buffer = ByteBuffer()
    private var failure: FrameError?
    /// The longest body that is accepted from now on, in bytes.
    package var maximumBodyLength: Int

    package init(maximumBodyLength: Int = Frame.maximumBodyLength) {
        self.maximumBodyLength = maximumBodyLength
    }

    /// Bytes that wait for the rest of their frame.
    package var bufferedBytes: Int { self.buffer.readableBytes }

    /// Bytes of memory that the decoder holds.
    package var capacity: Int { self.buffer.storageCapacity }

    package mutating func append(_ bytes: ByteBuffer) {
        guard self.failure == nil else { return }
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else {
            // Without this a stream whose reads always end inside a frame would grow the buffer for ever.
            if self.buffer.readerIndex > self.buffer.readableBytes { self.buffer.discardReadBytes() }
            self.buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole frame, or nil until more bytes have come. After an error every call throws the same.
    package mutating func next() throws(FrameError) -> Frame? {
        if let failure = self.failure { throw failure }
        do throws(FrameError) {
            return try self.cutFrame()
        } catch {
            self.failure = error
            self.buffer = ByteBuffer()
            throw error
        }
    }

    /// Says that the stream has ended, which is an error inside a frame.
    package mutating func finish() throws(FrameError) {
        guard self.failure == nil, self.buffer.readableBytes > 0 else { return }
        let announced = self.announcedLength.map { Frame.headerLength + $0 }
        let error = self.error(.truncated(received: self.buffer.readableBytes, announced: announced))
        self.failure = error
        throw error
    }

    private var announcedLength: Int? {
        self.buffer.getInteger(at: self.buffer.readerIndex, endianness: .little, as: UInt32.self).map(Int.init)
    }

    private mutating func cutFrame() throws(FrameError) -> Frame? {
        let start = self.buffer.readerIndex
        guard let length = self.announcedLength else { return nil }
        guard length <= self.maximumBodyLength else { throw self.error(self.foreignProtocol(length: length)) }
        guard
            let announced = self.buffer.getInteger(at: start + 4, endianness: .little, as: UInt32.self),
            let kindByte = self.buffer.getInteger(at: start + 8, as: UInt8.self)
        else { return nil }
        guard let kind = Frame.Kind(rawValue: kindByte) else { throw self.error(.unknownKind(kindByte)) }
        guard let checked = self.buffer.viewBytes(at: start + 8, length: 1 + length) else { return nil }
        let computed = Frame.checksum(checked)
        guard computed == announced else {
            throw self.error(.wrongChecksum(announced: announced, computed: computed))
        }
        self.buffer.moveReaderIndex(forwardBy: Frame.headerLength)
        guard let body = self.buffer.readSlice(length: length) else { return nil }
        return Frame(kind: kind, body: body)
    }

    /// A first word that is far too long for a frame is often the text of another protocol.
    private func foreignProtocol(length: Int) -> FrameError.Reason {
        let beginning = self.firstBytes
        let methods = ["GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI ", "HTTP"]
        if methods.contains(where: { beginning.starts(with: $0.utf8) }) { return .http }
        // A TLS record of type handshake, version 3.x (RFC 8446, section 5.1).
        if beginning.starts(with: [0x16, 0x03]) { return .tls }
        return .tooLong(length: length, limit: self.maximumBodyLength)
    }

    private var firstBytes: [UInt8] {
        Array(self.buffer.readableBytesView.prefix(FrameError.maximumFirstBytes))
    }

    private func error(_ reason: FrameError.Reason) -> FrameError {
        FrameError(reason: reason, firstBytes: self.firstBytes)
    }
}
