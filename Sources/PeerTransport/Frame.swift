// SPDX-License-Identifier: Apache-2.0

import CChecksum
package import NIOCore

/// One unit on a peer connection.
///
/// On the wire: length of the body (4 bytes), CRC32C over kind and body (4), kind (1), body; integers are little-endian.
package struct Frame: Hashable, Sendable {
    /// What a body is. The raw value is its byte on the wire.
    package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// Who the connecting node is and whom it wants to reach: the first frame on a connection.
        case hello = 1
        /// The accepting node's answer to a hello that it believes.
        case welcome = 2
        /// The accepting node's answer to a hello that it does not believe; it closes then.
        case refusal = 3
        /// A message of Raft with its header.
        case message = 4
        /// A number drawn by the connecting node, then bytes that the transport does not look into.
        case request = 5
        /// The number of the request, then its answer.
        case reply = 6
        /// Sent by the connecting side now and then, with an empty body, so that a silent connection is a dead one.
        case ping = 7
        /// The accepting side's answer to a ping.
        case pong = 8
    }

    package let kind: Kind
    package let body: ByteBuffer

    package init(kind: Kind, body: ByteBuffer) {
        self.kind = kind
        self.body = body
    }

    /// Bytes in front of the body.
    package static let headerLength = 9
    /// The longest body of any frame, in bytes.
    package static let maximumBodyLength = 8 << 20
    /// The longest body before the handshake is over: a stranger cannot make a node keep more than this.
    package static let maximumHandshakeBodyLength = 1 << 10
}

extension Frame {
    /// Writes one frame behind what the buffer holds; `body` writes its body, which must not be over the limit.
    static func write(_ kind: Kind, to buffer: inout ByteBuffer, body: (inout ByteBuffer) -> Void) {
        let start = buffer.writerIndex
        buffer.writeRepeatingByte(0, count: 8)
        buffer.writeInteger(kind.rawValue)
        body(&buffer)
        let checked = buffer.viewBytes(at: start + 8, length: buffer.writerIndex - start - 8)
        buffer.setInteger(UInt32(buffer.writerIndex - start - self.headerLength), at: start, endianness: .little)
        buffer.setInteger(self.checksum(checked), at: start + 4, endianness: .little)
    }

    /// CRC32C of kind and body.
    static func checksum(_ bytes: ByteBufferView?) -> UInt32 {
        bytes?.withContiguousStorageIfAvailable { verdict_crc32c(0, $0.baseAddress, $0.count) } ?? 0
    }
}
