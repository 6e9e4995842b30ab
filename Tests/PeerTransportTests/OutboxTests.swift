// SPDX-License-Identifier: Apache-2.0

import NIOCore
import PeerTransport
import Testing

@Suite("The queue of a connection") struct OutboxTests {
    private static func append(_ outbox: inout Outbox, _ body: [UInt8]) -> Bool {
        outbox.append(.message, bodyLength: body.count) { $0.writeBytes(body) }
    }

    @Test("What a turn has queued leaves in one write") func oneChunk() {
        var outbox = Outbox(limit: 1 << 20)
        let bodies = (0..<100).map { [UInt8](repeating: $0, count: Int($0)) }
        for body in bodies { #expect(Self.append(&outbox, body)) }
        let chunk = outbox.next()
        #expect(chunk.map { Array($0.readableBytesView) } == bodies.flatMap { wire(.message, $0) })
        #expect(outbox.next() == nil)
        #expect(outbox.handedOverChunk == 1 && outbox.openChunk == 2)
    }

    @Test("Nothing over the limit is queued, and room comes back only when the socket has the bytes") func limit() {
        var outbox = Outbox(limit: 100)
        let body = [UInt8](repeating: 1, count: 50 - Frame.headerLength)
        #expect(Self.append(&outbox, body))
        #expect(Self.append(&outbox, body))
        #expect(!Self.append(&outbox, []))
        let chunk = outbox.next()
        #expect(chunk?.readableBytes == 100 && outbox.queuedBytes == 100)
        #expect(!Self.append(&outbox, []))
        outbox.written(100)
        #expect(outbox.queuedBytes == 0 && outbox.writtenBytes == 100)
        #expect(Self.append(&outbox, body))
    }

    @Test("A large queue leaves in pieces, in order") func pieces() {
        var outbox = Outbox(limit: 64 << 20)
        let bodies = (0..<40).map { [UInt8](repeating: $0, count: 100_000) }
        for body in bodies { #expect(Self.append(&outbox, body)) }
        var bytes: [UInt8] = []
        var chunks: UInt64 = 0
        while let chunk = outbox.next() {
            chunks += 1
            #expect(chunk.readableBytes <= (256 << 10) + 100_009)
            bytes += Array(chunk.readableBytesView)
        }
        #expect(bytes == bodies.flatMap { wire(.message, $0) })
        #expect(chunks > 10 && outbox.handedOverChunk == chunks)
    }
}
