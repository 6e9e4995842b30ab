// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import NIOCore
import NIOEmbedded
import Testing

@Suite("Answers that nobody reads (bad input: a client that stands still)") struct UnreadAnswersTests {
    private static func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: UnreadAnswers(timeout: .seconds(30)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private static func set(_ channel: EmbeddedChannel, isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
    }

    @Test("The connection ends once nothing was read for the whole time")
    func ended() throws {
        let channel = try Self.channel()
        Self.set(channel, isWritable: false)
        channel.embeddedEventLoop.advanceTime(by: .seconds(29))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test("Who reads again in time has all of it again")
    func goesOn() throws {
        let channel = try Self.channel()
        for _ in 0..<3 {
            Self.set(channel, isWritable: false)
            channel.embeddedEventLoop.advanceTime(by: .seconds(29))
            Self.set(channel, isWritable: true)
            channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        }
        #expect(channel.isActive)
        _ = try channel.finish()
    }
}
