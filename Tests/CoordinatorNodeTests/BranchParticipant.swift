// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Locks
import NIOCore
import NIOPosix
import Testing

/// A participant on a free port of this machine that answers with the bytes it is told to, good or bad.
final class Participant: Sendable {
    /// A request as it came: the head's lines, and the body.
    struct Request: Sendable {
        let lines: [String]
        let body: String
        /// Which connection brought it, and which of that connection's requests it was; both from 1.
        let connection: Int
        let number: Int

        var path: String { String(self.lines.first?.split(separator: " ").dropFirst().first ?? "") }
    }

    enum Reaction: Sendable {
        case send(String)
        case sendAndClose(String)
        case close
        case silence
        /// Keeps this answer until so many requests are being kept; then all are answered.
        case gather(String, count: Int)
        /// Sends the first text, then the second one again and again until the other side closes.
        case stream(String, then: String)
    }

    struct State {
        var requests: [Request] = []
        var accepted = 0
        var open = 0
        var kept: [(channel: any Channel, answer: String)] = []
    }

    private struct Watcher {
        let number: Int
        let condition: @Sendable (State) -> Bool
        /// Whether the condition has come true.
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct Watched {
        var state = State()
        var watchers: [Watcher] = []
        var lastNumber = 0
    }

    private let watched = Locked(Watched())
    fileprivate let react: @Sendable (Request) -> Reaction

    init(_ react: @escaping @Sendable (Request) -> Reaction) {
        self.react = react
    }

    /// Runs a participant for as long as `body` does.
    static func run(
        _ react: @escaping @Sendable (Request) -> Reaction, _ body: (Participant, Int) async throws -> Void
    ) async throws {
        let participant = Participant(react)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ParticipantHandler(participant))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        do {
            try await body(participant, port)
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
    }

    /// A port on which nobody listens: one that was free a moment ago.
    static func deadPort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        return port
    }

    var requests: [Request] { self.watched.withLock { $0.state.requests } }
    var accepted: Int { self.watched.withLock { $0.state.accepted } }

    /// Waits until the participant's side of every connection is closed.
    func waitUntilAllClosed() async { await self.wait { $0.open == 0 } }

    /// Waits, at most a minute.
    func wait(
        until condition: @escaping @Sendable (State) -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let isTrue = await withCheckedContinuation { continuation in
            let number = self.watched.withLock { watched -> Int? in
                guard !condition(watched.state) else { return nil }
                watched.lastNumber += 1
                watched.watchers.append(
                    Watcher(number: watched.lastNumber, condition: condition, continuation: continuation))
                return watched.lastNumber
            }
            guard let number else { return continuation.resume(returning: true) }
            MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: .seconds(60)) { self.giveUp(number) }
        }
        if !isTrue { Issue.record("not within a minute", sourceLocation: sourceLocation) }
    }

    private func giveUp(_ number: Int) {
        let waiting = self.watched.withLock { watched -> CheckedContinuation<Bool, Never>? in
            guard let position = watched.watchers.firstIndex(where: { $0.number == number }) else { return nil }
            return watched.watchers.remove(at: position).continuation
        }
        waiting?.resume(returning: false)
    }

    fileprivate func change<Result>(_ body: (inout State) -> Result) -> Result {
        let (result, satisfied) = self.watched.withLock { watched in
            let result = body(&watched.state)
            let satisfied = watched.watchers.filter { $0.condition(watched.state) }.map(\.continuation)
            watched.watchers.removeAll { $0.condition(watched.state) }
            return (result, satisfied)
        }
        for continuation in satisfied { continuation.resume(returning: true) }
        return result
    }
}

/// Cuts requests out of the bytes and carries out the reactions.
private final class ParticipantHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let participant: Participant
    private var bytes = ""
    private var connection = 0
    private var number = 0
    private var isClosed = false

    init(_ participant: Participant) {
        self.participant = participant
    }

    func channelActive(context: ChannelHandlerContext) {
        self.connection = self.participant.change { state in
            state.accepted += 1
            state.open += 1
            return state.accepted
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isClosed = true
        self.participant.change { $0.open -= 1 }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes += String(buffer: self.unwrapInboundIn(data))
        while let end = self.bytes.range(ofFirst: "\r\n\r\n") {
            let lines = self.bytes[..<end.lowerBound].split(separator: "\r\n").map { String($0) }
            let length =
                lines.lazy.compactMap { line -> Int? in
                    guard line.lowercased().hasPrefix("content-length:") else { return nil }
                    return Int(line.dropFirst("content-length:".count).filter { $0 != " " })
                }.first ?? 0
            guard self.bytes[end.upperBound...].utf8.count >= length else { return }
            let body = String(self.bytes[end.upperBound...].utf8.prefix(length)) ?? ""
            self.bytes = String(self.bytes[end.upperBound...].utf8.dropFirst(length)) ?? ""
            self.number += 1
            let request = Participant.Request(
                lines: lines, body: body, connection: self.connection, number: self.number)
            self.participant.change { $0.requests.append(request) }
            self.carryOut(self.participant.react(request), context: context)
        }
    }

    private func carryOut(_ reaction: Participant.Reaction, context: ChannelHandlerContext) {
        switch reaction {
        case .send(let text): self.write(text, context: context)
        case .sendAndClose(let text):
            self.write(text, context: context)
            context.close(promise: nil)
        case .close: context.close(promise: nil)
        case .silence: break
        case .gather(let text, let count):
            let all = self.participant.change { state in
                state.kept.append((context.channel, text))
                guard state.kept.count == count else { return [] as [(channel: any Channel, answer: String)] }
                defer { state.kept = [] }
                return state.kept
            }
            for (channel, answer) in all { channel.writeAndFlush(ByteBuffer(string: answer), promise: nil) }
        case .stream(let text, let more):
            self.write(text, context: context)
            self.stream(more, context: context)
        }
    }

    private func write(_ text: String, context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }

    private func stream(_ text: String, context: ChannelHandlerContext) {
        guard !self.isClosed else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text))).whenSuccess {
            // In a turn of its own: a write that is done at once would else come back here ever deeper.
            eventLoop.execute {
                let (handler, context) = bound.value
                handler.stream(text, context: context)
            }
        }
    }
}

extension String {
    fileprivate func range(ofFirst text: String) -> Range<String.Index>? { self.ranges(of: text).first }
}

/// Answers in the words of HTTP.
enum Answers {
    static func ok(_ body: String = "") -> String { Self.status("200 OK", body: body) }

    static func status(_ status: String, headers: [String] = [], body: String = "") -> String {
        (["HTTP/1.1 \(status)"] + headers + ["Content-Length: \(body.utf8.count)", "", body]).joined(separator: "\r\n")
    }
}
