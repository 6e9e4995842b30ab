// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import PeerTransport
import Testing

@Suite("Frames") struct FrameTests {
    private static func decode(_ bytes: [UInt8], limit: Int = Frame.maximumBodyLength) throws -> [Frame] {
        var decoder = FrameDecoder(maximumBodyLength: limit)
        decoder.append(ByteBuffer(bytes: bytes))
        var frames: [Frame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }

    private static func reason(_ bytes: [UInt8], limit: Int = Frame.maximumBodyLength) -> FrameError.Reason? {
        do {
            _ = try self.decode(bytes, limit: limit)
            return nil
        } catch {
            return (error as? FrameError)?.reason
        }
    }

    @Test("The checksum of the tests is CRC32C") func checksum() {
        // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
        #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(crc32c(Array("123456789".utf8)) == 0xe306_9283)
    }

    @Test("Frames of every kind are read, wherever the network cuts them", arguments: [1, 2, 3, 8, 9, 10, 64, 1_000])
    func cuts(piece: Int) throws {
        let bodies = Frame.Kind.allCases.map { kind in
            [UInt8](repeating: kind.rawValue, count: Int(kind.rawValue) * 7 % 5 * 11)
        }
        let stream = zip(Frame.Kind.allCases, bodies).flatMap { wire($0, $1) }
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        for start in stride(from: 0, to: stream.count, by: piece) {
            decoder.append(ByteBuffer(bytes: stream[start..<min(start + piece, stream.count)]))
            while let frame = try decoder.next() { frames.append(frame) }
        }
        try decoder.finish()
        #expect(frames.map(\.kind) == Frame.Kind.allCases)
        #expect(frames.map { Array($0.body.readableBytesView) } == bodies)
        #expect(decoder.bufferedBytes == 0)
    }

    @Test func lengthAtTheLimitAndOverIt() throws {
        #expect(try Self.decode(wire(.message, [UInt8](repeating: 1, count: 64)), limit: 64).count == 1)
        // The header is enough: nobody waits for the body of a frame that is too long.
        let header = Array(wire(.message, [UInt8](repeating: 1, count: 65)).prefix(Frame.headerLength))
        #expect(Self.reason(header, limit: 64) == .tooLong(length: 65, limit: 64))
        #expect(Self.reason([0xff, 0xff, 0xff, 0xff]) == .tooLong(length: 0xffff_ffff, limit: Frame.maximumBodyLength))
    }

    @Test func unknownKinds() {
        #expect(Self.reason(wire(0, [1])) == .unknownKind(0))
        #expect(Self.reason(wire(9, [1])) == .unknownKind(9))
        #expect(Self.reason(wire(0xff, [])) == .unknownKind(0xff))
    }

    @Test("A flipped bit anywhere behind the length is seen") func flippedBits() {
        let frame = wire(.reply, Array("what the sender wrote".utf8))
        for position in 4..<frame.count {
            for bit in 0..<8 {
                var bytes = frame
                bytes[position] ^= 1 << UInt8(bit)
                let reason = Self.reason(bytes)
                switch reason {
                case .wrongChecksum, .unknownKind: continue
                case .tooLong, .truncated, .http, .tls, nil:
                    Issue.record("bit \(bit) of byte \(position): \(String(describing: reason))")
                }
            }
        }
    }

    @Test(
        "Other protocols are named",
        arguments: [
            ("GET / HTTP/1.1\r\n", FrameError.Reason.http), ("POST /v1/transactions", .http), ("HTTP/1.1 200", .http),
            ("PRI * HTTP/2.0", .http), ("OPTIONS * HTTP/1.1", .http), ("\u{16}\u{3}\u{1}\u{2}", .tls),
        ])
    func otherProtocols(text: String, reason: FrameError.Reason) {
        #expect(Self.reason(Array(text.utf8)) == reason)
        #expect(Self.reason(Array(text.utf8), limit: Frame.maximumHandshakeBodyLength) == reason)
    }

    @Test("A stream that ends inside a frame is an error, between two frames it is not") func ends() throws {
        let frame = wire(.message, [1, 2, 3])
        var decoder = FrameDecoder()
        decoder.append(ByteBuffer(bytes: frame))
        #expect(try decoder.next() != nil)
        try decoder.finish()
        decoder.append(ByteBuffer(bytes: frame.dropLast()))
        #expect(try decoder.next() == nil)
        #expect {
            try decoder.finish()
        } throws: {
            ($0 as? FrameError)?.reason == .truncated(received: 11, announced: 12)
        }
        var short = FrameDecoder()
        short.append(ByteBuffer(bytes: frame.prefix(3)))
        #expect {
            try short.finish()
        } throws: {
            ($0 as? FrameError)?.reason == .truncated(received: 3, announced: nil)
        }
    }

    @Test("An announced length takes no memory before its bytes come") func announcedLength() throws {
        var decoder = FrameDecoder()
        decoder.append(ByteBuffer(bytes: littleEndian(UInt32(Frame.maximumBodyLength)) + [0, 0, 0, 0, 4]))
        #expect(try decoder.next() == nil)
        #expect(decoder.capacity < 1 << 10)
    }

    @Test("A stream whose reads always end inside a frame does not grow the buffer") func endlessStream() throws {
        let frame = wire(.message, [UInt8](repeating: 5, count: 991))
        var decoder = FrameDecoder()
        decoder.append(ByteBuffer(bytes: frame.prefix(500)))
        for _ in 0..<1_000 {
            decoder.append(ByteBuffer(bytes: frame.dropFirst(500) + frame.prefix(500)))
            #expect(try decoder.next()?.body.readableBytes == 991)
            #expect(try decoder.next() == nil)
        }
        #expect(decoder.capacity <= 16 << 10)
    }

    @Test func handlerFiresOneErrorAndNothingBehindIt() throws {
        final class Errors: ChannelInboundHandler {
            typealias InboundIn = Frame
            var errors: [FrameError] = []
            func errorCaught(context: ChannelHandlerContext, error: any Error) {
                if let error = error as? FrameError { self.errors.append(error) }
            }
        }
        let channel = EmbeddedChannel()
        let errors = Errors()
        try channel.pipeline.syncOperations.addHandlers([FrameHandler(), errors])
        try channel.writeInbound(ByteBuffer(bytes: wire(.hello, [1]) + wire(99, [2])))
        try channel.writeInbound(ByteBuffer(bytes: wire(.hello, [3])))
        try channel.writeInbound(ByteBuffer(bytes: wire(.hello, [4])))
        #expect(try channel.readInbound(as: Frame.self)?.body == ByteBuffer(bytes: [1]))
        #expect(try channel.readInbound(as: Frame.self) == nil)
        _ = try channel.finish()
        #expect(errors.errors.map(\.reason) == [.unknownKind(99)])
        #expect(
            errors.errors.first?.firstBytesText == "01000000" + hexadecimal(littleEndian(crc32c([99, 2]))) + "6302")
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
