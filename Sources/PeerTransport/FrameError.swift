// SPDX-License-Identifier: Apache-2.0

/// Why bytes at a peer connection are not frames. The connection cannot go on: where the next frame begins is unknown.
package struct FrameError: Error, Hashable, Sendable {
    package enum Reason: Hashable, Sendable, CustomStringConvertible {
        /// The frame announces a body over the limit.
        case tooLong(length: Int, limit: Int)
        /// No frame has this kind.
        case unknownKind(UInt8)
        /// The body is not what the sender wrote.
        case wrongChecksum(announced: UInt32, computed: UInt32)
        /// The connection ended inside a frame. `announced` is unknown if not even its header is complete.
        case truncated(received: Int, announced: Int?)
        /// A web browser, a proxy or a health check that was given the peers' port.
        case http
        /// A client that wants TLS on a port that speaks plainly.
        case tls

        package var description: String {
            switch self {
            case .tooLong(let length, let limit): "frame of \(length) bytes, the limit is \(limit)"
            case .unknownKind(let kind): "unknown kind of frame \(kind)"
            case .wrongChecksum(let announced, let computed):
                "checksum is \(String(computed, radix: 16)), the frame says \(String(announced, radix: 16))"
            case .truncated(let received, .some(let announced)):
                "connection ended after \(received) of a frame's \(announced) bytes"
            case .truncated(let received, .none): "connection ended after \(received) bytes of a frame's header"
            case .http: "looks like HTTP: this port is for the peers, clients have another one"
            case .tls: "looks like TLS, which this node does not speak at this port"
            }
        }
    }

    package let reason: Reason
    /// The beginning of what should have been a frame, at most 16 bytes, so that a log line shows who spoke.
    package let firstBytes: [UInt8]

    package init(reason: Reason, firstBytes: [UInt8]) {
        self.reason = reason
        self.firstBytes = firstBytes
    }

    package static let maximumFirstBytes = 16

    /// The first bytes in hexadecimal.
    package var firstBytesText: String { Self.hexadecimal(self.firstBytes) }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
