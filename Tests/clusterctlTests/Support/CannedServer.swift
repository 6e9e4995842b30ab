// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix

/// A server of one answer: it gives it to every request, whatever it asks for.
struct CannedServer {
    let port: Int
    private let channel: any Channel

    /// - Parameter status: code and reason, such as `200 OK`.
    init(_ body: String, status: String = "200 OK") async throws {
        let answer = Self.answer(body, status: status)
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    func stop() async throws { try await self.channel.close() }

    static func answer(_ body: String, status: String = "200 OK", header: String = "Content-Length") -> String {
        "HTTP/1.1 \(status)\r\nServer: x\r\n\(header): \(body.utf8.count)\r\nDate: y\r\n\r\n\(body)"
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: String
        private var received = ""

        init(_ answer: String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += String(buffer: self.unwrapInboundIn(data))
            while let head = self.received.range(of: "\r\n\r\n") {
                let lines = self.received[..<head.lowerBound].lowercased().components(separatedBy: "\r\n")
                let length = lines.first { $0.hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
                let rest = self.received[head.upperBound...]
                guard rest.utf8.count >= length ?? 0 else { return }
                self.received = String(rest.utf8.dropFirst(length ?? 0)) ?? ""
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.answer)), promise: nil)
            }
        }
    }
}
