// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import Locks
import NIOCore
import NIOPosix

/// A node that answers from a list: the first request gets the first reply, and so on; the last reply is for all later
/// requests. It keeps what it was asked.
final class ScriptedNode: Sendable {
    /// One request as it came.
    struct Request: Sendable {
        let method: String
        let target: String
        let body: String
        let time: ContinuousClock.Instant
    }

    let address: CoordinatorClient.Address
    /// Each request when it comes, before its reply goes out.
    let arrivals: AsyncStream<Request>

    private let channel: any Channel
    private let state: State

    /// Serves on a free port of this machine until `stop`.
    init(_ replies: Reply...) async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Request.self)
        let state = State(replies: replies, arrived: arrived)
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.address = CoordinatorClient.Address(host: "127.0.0.1", port: self.channel.localAddress?.port ?? 0)
        self.arrivals = arrivals
        self.state = state
    }

    /// What it was asked so far, in order.
    var requests: [Request] { self.state.requests.withLock { $0 } }

    /// Waits for the next request that nobody has waited for yet.
    func arrival() async -> Request? { await self.arrivals.first { _ in true } }

    func stop() async { try? await self.channel.close() }

    fileprivate final class State: Sendable {
        let requests = Locked<[Request]>([])
        private let replies: [Reply]
        private let arrived: AsyncStream<Request>.Continuation

        init(replies: [Reply], arrived: AsyncStream<Request>.Continuation) {
            self.replies = replies
            self.arrived = arrived
        }

        func reply(to request: Request) -> Reply {
            let number = self.requests.withLock { requests in
                requests.append(request)
                return requests.count
            }
            self.arrived.yield(request)
            return self.replies[min(number, self.replies.count) - 1]
        }
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let state: State
        private var received = ""

        init(_ state: State) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += String(buffer: self.unwrapInboundIn(data))
            while let request = self.nextRequest() {
                switch self.state.reply(to: request) {
                case .bytes(let text):
                    context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                case .silence: break
                case .hangUp: context.close(promise: nil)
                }
            }
        }

        /// Takes a whole request off what was received; `nil` while the rest of it is still to come.
        private func nextRequest() -> Request? {
            guard let head = self.received.range(of: "\r\n\r\n") else { return nil }
            let lines = self.received[..<head.lowerBound].components(separatedBy: "\r\n")
            let field = "content-length:"
            let length =
                lines.first { $0.lowercased().hasPrefix(field) }
                .flatMap { Int($0.dropFirst(field.count).trimmingCharacters(in: .whitespaces)) } ?? 0
            let rest = self.received[head.upperBound...].utf8
            guard rest.count >= length else { return nil }
            let words = (lines.first ?? "").components(separatedBy: " ")
            let request = Request(
                method: words.first ?? "", target: words.dropFirst().first ?? "",
                body: String(decoding: rest.prefix(length), as: UTF8.self), time: .now)
            self.received = String(decoding: rest.dropFirst(length), as: UTF8.self)
            return request
        }
    }
}
