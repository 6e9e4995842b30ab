// SPDX-License-Identifier: Apache-2.0

package import Logging
package import NIOCore
package import Raft
package import Transactions

/// Carries out what the transaction machine says is due, on the leader alone: makes branch calls through a transport and
/// proposes what came back, and proposes deadlines that have passed.
///
/// The rules are in `CallSchedule` and `DeadlineQueue`; this shell gives them the clocks, the loop's timer and the
/// transport. It is confined to one event loop, the node driver's; no method waits. Answers come back through a mailbox,
/// from whatever thread, and all that has come is taken in one turn. Nothing here is remembered: what a proposal that came too late would have told the log,
/// the next leader finds out by calling again.
package final class Executor {
    private let eventLoop: any EventLoop
    private let transport: any BranchTransport
    /// Fetches a payload that is on the disk alone; nil if it can't be had now. May answer on any thread.
    package typealias PayloadSource = (
        BranchCall, @escaping @Sendable ([UInt8]?) -> Void
    ) -> Void
    private let payloads: PayloadSource
    private let propose: ([Command]) -> Void
    private let wallClock: () -> LogTime
    private let logger: Logger
    private let mailbox = AnswerMailbox()
    private let counters = ExecutorCounters()
    private let epoch: NIODeadline

    private var schedule: CallSchedule
    private var deadlines: DeadlineQueue
    /// The term in which this node leads; `nil` while it doesn't.
    private var term: Term?
    private var callTimer: Scheduled<Void>?
    private var deadlineTimer: (scheduled: Scheduled<Void>, at: LogTime)?

    /// Must be called on `eventLoop`.
    /// - Parameters:
    ///   - seed: of the jitter in the delays; different on each node.
    ///   - payloads: for calls whose payload isn't in memory.
    ///   - wallClock: the leader's clock as log time, never before the log's own.
    ///   - propose: takes the commands of a turn towards the log; they may be refused without a word.
    package init(
        eventLoop: any EventLoop, transport: any BranchTransport, configuration: CallScheduleConfiguration,
        seed: UInt64, logger: Logger, payloads: @escaping PayloadSource = { _, done in done(nil) },
        wallClock: @escaping () -> LogTime, propose: @escaping ([Command]) -> Void
    ) {
        eventLoop.preconditionInEventLoop()
        self.eventLoop = eventLoop
        self.transport = transport
        self.propose = propose
        self.payloads = payloads
        self.wallClock = wallClock
        self.logger = logger
        self.epoch = eventLoop.now
        self.schedule = CallSchedule(configuration: configuration, seed: seed)
        self.deadlines = DeadlineQueue(proposeAgainMilliseconds: configuration.proposeAgainMilliseconds)
    }

    /// Safe from any thread.
    package nonisolated var counts: ExecutorCounts { self.counters.current }

    // MARK: What the node driver tells

    /// This node leads and has applied an entry of its own term. `callsDue` and `deadlineSet` follow for every live
    /// transaction.
    package func start(term: Term) {
        self.eventLoop.preconditionInEventLoop()
        if self.term != nil { self.stop() }
        self.term = term
        self.step(.leadershipGained)
    }

    /// This node leads no more. Calls in flight come to their end, and what they bring is for the next leader to find out.
    package func stop() {
        self.eventLoop.preconditionInEventLoop()
        self.term = nil
        self.callTimer?.cancel()
        self.callTimer = nil
        self.deadlineTimer?.scheduled.cancel()
        self.deadlineTimer = nil
        self.deadlines.removeAll()
        self.step(.leadershipLost)
    }

    /// All calls of a transaction that are due now, as the machine gives them. Ignored while this node doesn't lead.
    package func callsDue(_ calls: [BranchCall], of gid: Gid) {
        self.eventLoop.preconditionInEventLoop()
        guard self.term != nil else { return }
        self.step(.callsDue(calls, of: gid))
    }

    package func deadlineSet(_ gid: Gid, _ deadline: LogTime) {
        self.eventLoop.preconditionInEventLoop()
        guard self.term != nil else { return }
        self.deadlines.set(gid, deadline)
        self.armDeadlineTimer()
    }

    /// The transaction is decided: its deadline means nothing any more.
    package func decided(_ gid: Gid) {
        self.eventLoop.preconditionInEventLoop()
        self.deadlines.remove(gid)
    }

    /// The transaction has ended.
    package func finished(_ gid: Gid) {
        self.eventLoop.preconditionInEventLoop()
        guard self.term != nil else { return }
        self.deadlines.remove(gid)
        self.step(.finished(gid))
    }

    // MARK: Calls

    private func step(_ input: CallScheduleInput) {
        var effects: [CallScheduleEffect] = []
        self.schedule.step(input, now: self.now(), effects: &effects)
        self.perform(effects)
    }

    /// Everything that has come back since the last turn, in one proposal.
    private func takeAnswers() {
        let answers = self.mailbox.takeAll()
        let now = self.now()
        var effects: [CallScheduleEffect] = []
        var succeeded: UInt64 = 0
        var failed: UInt64 = 0
        for (id, answer) in answers {
            switch answer {
            case .success: succeeded += 1
            case .failure: failed += 1
            case .unknown: break
            }
            self.schedule.step(.answered(id, answer), now: now, effects: &effects)
        }
        let unknown = UInt64(answers.count) - succeeded - failed
        self.counters.add { counts in
            counts.succeeded += succeeded
            counts.failed += failed
            counts.unknown += unknown
        }
        self.perform(effects)
    }

    private func perform(_ effects: [CallScheduleEffect]) {
        var commands: [Command] = []
        var started: UInt64 = 0
        var retries: UInt64 = 0
        for effect in effects {
            switch effect {
            case .start(let id, let call, let attempt):
                started += 1
                if attempt > 1 { retries += 1 }
                self.startCall(call, id: id, attempt: attempt)
            case .propose(let command): commands.append(command)
            case .report(let attempt): self.log(attempt)
            case .armTimer(let moment): self.armCallTimer(at: moment)
            }
        }
        let inFlight = self.schedule.inFlight
        self.counters.add { counts in
            counts.started += started
            counts.retries += retries
            counts.inFlight = inFlight
        }
        // Last, since the driver may come back at once with what is due next.
        if self.term != nil { self.proposeInBatches(commands) }
    }

    /// The most commands in one proposal; the log and the machine take more, but a turn should stay short.
    private static let commandsInProposal = 4_096

    private func proposeInBatches(_ commands: [Command]) {
        guard commands.count > Self.commandsInProposal else {
            if !commands.isEmpty { self.propose(commands) }
            return
        }
        for start in stride(from: 0, to: commands.count, by: Self.commandsInProposal) {
            self.propose(Array(commands[start..<min(start + Self.commandsInProposal, commands.count)]))
        }
    }

    private func startCall(_ call: BranchCall, id: CallID, attempt: UInt32) {
        guard let term = self.term else { return }
        self.logger.debug(
            "Branch call",
            metadata: [
                "tx.gid": "\(call.gid)", "tx.branch": "\(call.branchID)", "tx.operation": "\(call.operation.name)",
                "tx.attempt": "\(attempt)",
            ])
        let mailbox = self.mailbox
        let eventLoop = self.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let whenDone: @Sendable (BranchAnswer) -> Void = { answer in
            if mailbox.put(answer, of: id) {
                eventLoop.execute { bound.value.takeAnswers() }
            }
        }
        guard call.payload.bytes == nil else {
            let request = BranchRequest(call: call, attempt: attempt, term: term.rawValue)
            return self.transport.call(request, whenDone: whenDone)
        }
        let transport = self.transport
        self.payloads(call) { payload in
            guard let payload else { return whenDone(.unknown(.payloadMissing)) }
            var call = call
            call.payload = Payload(payload)
            transport.call(BranchRequest(call: call, attempt: attempt, term: term.rawValue), whenDone: whenDone)
        }
    }

    private func armCallTimer(at moment: Instant) {
        self.callTimer?.cancel()
        let deadline = self.epoch + .nanoseconds(Int64(clamping: moment.nanoseconds))
        self.callTimer = self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.callTimer = nil
            self.step(.timeAdvanced)
        }
    }

    /// Now on the monotonic clock, from this executor's beginning.
    private func now() -> Instant {
        Instant(nanoseconds: UInt64(clamping: (self.eventLoop.now - self.epoch).nanoseconds))
    }

    private func log(_ attempt: UncertainAttempt) {
        self.logger.log(
            level: attempt.isWorrying ? .warning : .debug, "Branch call gave no certain answer, will be made again",
            metadata: [
                "tx.gid": "\(attempt.gid)", "tx.branch": "\(attempt.branchID)",
                "tx.operation": "\(attempt.operation.name)", "tx.attempt": "\(attempt.attempts)",
                "tx.reason": "\(attempt.reason)",
            ])
    }

    // MARK: Deadlines

    /// The longest time between two looks at the wall clock: it may be set forward while a timer runs.
    private static let longestLook: UInt64 = 1_000

    private func armDeadlineTimer() {
        guard let next = self.deadlines.next else { return }
        if let timer = self.deadlineTimer, timer.at <= next { return }
        self.deadlineTimer?.scheduled.cancel()
        let now = self.wallClock()
        let wait = next > now ? min(next.rawValue - now.rawValue, Self.longestLook) : 0
        let scheduled = self.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(wait))) {
            self.deadlineTimer = nil
            self.takeDeadlines()
        }
        self.deadlineTimer = (scheduled, next)
    }

    private func takeDeadlines() {
        let reached = self.deadlines.takeReached(now: self.wallClock(), limit: Self.commandsInProposal)
        self.armDeadlineTimer()
        guard !reached.isEmpty else { return }
        self.counters.add { $0.deadlinesReached += UInt64(reached.count) }
        self.propose(reached.map { .deadlineReached($0) })
    }
}
