// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server of one answer: it gives it to every request, whatever it asks for.
struct CannedServer {
    let port: Int
    private let channel: any Channel

    /// - Parameters:
    ///   - status: code and reason, such as `200 OK`.
    ///   - first: what the first request gets instead, whole.
    init(_ body: String, status: String = "200 OK", first: String? = nil) async throws {
        let answers = Answers(first: first, then: Self.answer(body, status: status))
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(answers))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    func stop() async throws { try await self.channel.close() }

    static func answer(_ body: String, status: String = "200 OK", header: String = "Content-Length") -> String {
        "HTTP/1.1 \(status)\r\nServer: x\r\n\(header): \(body.utf8.count)\r\nDate: y\r\n\r\n\(body)"
    }

    private final class Answers: Sendable {
        private let first: String?
        private let then: String
        private let isBegun = Atomic(false)

        init(first: String?, then: String) {
            self.first = first
            self.then = then
        }

        func next() -> String {
            let isBegun = self.isBegun.exchange(true, ordering: .relaxed)
            return isBegun ? self.then : self.first ?? self.then
        }
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answers: Answers
        private var received = ""

        init(_ answers: Answers) { self.answers = answers }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += String(buffer: self.unwrapInboundIn(data))
            while let head = self.received.range(of: "\r\n\r\n") {
                let lines = self.received[..<head.lowerBound].lowercased().components(separatedBy: "\r\n")
                let length = lines.first { $0.hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
                let rest = self.received[head.upperBound...]
                guard rest.utf8.count >= length ?? 0 else { return }
                self.received = String(rest.utf8.dropFirst(length ?? 0)) ?? ""
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.answers.next())), promise: nil)
            }
        }
    }
}
