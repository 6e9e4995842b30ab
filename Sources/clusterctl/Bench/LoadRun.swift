// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
package import NIOCore
import NIOPosix

/// Closed-loop load: every client has one connection and one transaction under way at a time.
///
/// Confined to one event loop, so that it takes little of the machine that it measures.
package final class LoadRun {
    let plan: BenchPlan
    let loop: any EventLoop
    private(set) var recorder = BenchRecorder()
    private let measureFrom: NIODeadline
    private let measureUntil: NIODeadline
    /// Enough answers and failures, however much time is left.
    private let limit: Int
    private let connectTimeout: TimeAmount
    private var answers = 0
    private var running = 0
    private let ended: EventLoopPromise<BenchRecorder>

    private init(
        _ plan: BenchPlan, on loop: any EventLoop, from: NIODeadline, until: NIODeadline, limit: Int,
        connectTimeout: TimeAmount, ended: EventLoopPromise<BenchRecorder>
    ) {
        self.plan = plan
        self.loop = loop
        self.measureFrom = from
        self.measureUntil = until
        self.limit = limit
        self.connectTimeout = connectTimeout
        self.ended = ended
    }

    /// Runs the load and counts what ends between the warm-up and the end.
    /// - Parameters:
    ///   - limit: it is over after so many answers and failures, too.
    ///   - connectTimeout: a client that has no connection by then turns to the next node.
    package static func run(
        _ plan: BenchPlan, clients: Int, warmUp: Duration, duration: Duration, limit: Int = .max,
        connectTimeout: Duration = .seconds(1), on loop: any EventLoop
    ) async throws -> BenchRecorder {
        let ended = loop.makePromise(of: BenchRecorder.self)
        let templates = try (0..<clients).map { try plan.templates(client: $0) }
        loop.execute {
            let from = NIODeadline.now() + TimeAmount(warmUp)
            let run = LoadRun(
                plan, on: loop, from: from, until: from + TimeAmount(duration), limit: limit,
                connectTimeout: TimeAmount(connectTimeout), ended: ended)
            run.running = clients
            for client in 0..<clients { run.connect(client, templates[client], attempt: 0) }
        }
        return try await ended.futureResult.get()
    }

    /// The load is over: no client begins another transaction.
    var isOver: Bool { self.answers >= self.limit || NIODeadline.now() >= self.measureUntil }

    func record(_ answer: BenchAnswer, sent: NIODeadline) {
        let now = NIODeadline.now()
        guard now >= self.measureFrom, now < self.measureUntil else { return }
        self.answers += 1
        self.recorder.ended(answer, after: Duration(now - sent))
    }

    func recordFailure(_ reason: String) {
        let now = NIODeadline.now()
        guard now >= self.measureFrom, now < self.measureUntil else { return }
        self.answers += 1
        self.recorder.failed(reason)
    }

    /// Connects a client to its node, or to the next one in turn if it has failed before.
    func connect(_ client: Int, _ templates: [BenchPlan.Template], attempt: Int) {
        guard !self.isOver else { return self.leave() }
        let address = self.plan.nodes[(client + attempt) % self.plan.nodes.count]
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        ClientBootstrap(group: self.loop)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(self.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = LoadClient(
                        run: bound.value, client: client, templates: templates, attempt: attempt)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: address.host, port: address.port)
            .whenFailure { _ in
                bound.value.recordFailure("no connection to \(address)")
                bound.value.reconnect(client, templates, attempt: attempt + 1)
            }
    }

    func reconnect(_ client: Int, _ templates: [BenchPlan.Template], attempt: Int) {
        guard !self.isOver else { return self.leave() }
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.loop.scheduleTask(in: .milliseconds(100)) { bound.value.connect(client, templates, attempt: attempt) }
    }

    /// A client has ended; with the last one the run is over.
    func leave() {
        self.running -= 1
        if self.running == 0 { self.ended.succeed(self.recorder) }
    }
}

/// One client: sends a transaction, waits for its outcome, sends the next.
private final class LoadClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private let client: Int
    private let templates: [BenchPlan.Template]
    private let attempt: Int
    private var turn = 0
    private var sent: NIODeadline?
    private var received = ByteBuffer()
    private var watch: Scheduled<Void>?

    init(run: LoadRun, client: Int, templates: [BenchPlan.Template], attempt: Int) {
        self.run = run
        self.client = client
        self.templates = templates
        self.attempt = attempt
    }

    func channelActive(context: ChannelHandlerContext) { self.send(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = self.unwrapInboundIn(data)
        self.received.writeBuffer(&part)
        do {
            guard let answer = try BenchAnswer.next(from: &self.received) else { return }
            self.received.discardReadBytes()
            if let sent = self.sent { self.run.record(answer, sent: sent) }
            self.sent = nil
            self.watch?.cancel()
            self.send(context)
        } catch {
            self.run.recordFailure("an answer that can't be read (\(error))")
            self.sent = nil
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.watch?.cancel()
        if self.sent != nil { self.run.recordFailure("connection lost") }
        self.run.reconnect(self.client, self.templates, attempt: self.attempt + 1)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func send(_ context: ChannelHandlerContext) {
        guard !self.run.isOver else {
            context.close(promise: nil)
            return
        }
        let request = self.templates[self.turn % self.templates.count].request(gid: GlobalTransactionID.next())
        self.turn += 1
        self.sent = .now()
        // A node that was stopped answers nothing and closes nothing.
        let channel = context.channel
        self.watch = context.eventLoop.scheduleTask(in: TimeAmount(self.run.plan.wait) + .seconds(5)) {
            channel.close(promise: nil)
        }
        context.writeAndFlush(self.wrapOutboundOut(context.channel.allocator.buffer(bytes: request)), promise: nil)
    }
}
