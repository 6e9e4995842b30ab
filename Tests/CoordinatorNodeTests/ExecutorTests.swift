// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Locks
import Logging
import NIOCore
import NIOEmbedded
import Raft
import Testing
import Transactions

@Suite("The executor: from what is due to what is proposed") struct ExecutorTests {
    @Test("A call carries the term and the attempt, and its result is proposed")
    func carriesOut() throws {
        let world = ExecutorWorld()
        let call = try world.dueCall("g1")
        world.executor.start(term: Term(rawValue: 7))
        world.executor.callsDue([call], of: call.gid)
        #expect(world.transport.requests.map(\.term) == [7] && world.transport.requests.map(\.attempt) == [1])
        #expect(world.transport.requests.first?.call == call)
        world.transport.answer(.success)
        world.loop.run()
        #expect(world.proposals == [[world.success(of: call, attempts: 1)]])
    }

    @Test("Everything that came back in one turn is proposed together")
    func oneProposal() throws {
        let world = ExecutorWorld()
        world.executor.start(term: Term(rawValue: 1))
        for number in 0..<50 {
            let call = try world.dueCall("g\(number)")
            world.executor.callsDue([call], of: call.gid)
        }
        for _ in 0..<50 { world.transport.answer(.success) }
        world.loop.run()
        #expect(world.proposals.map(\.count) == [50])
        let counts = world.executor.counts
        #expect(counts.started == 50 && counts.succeeded == 50 && counts.inFlight == 0 && counts.retries == 0)
    }

    @Test("A transport that answers at once is no different from one that takes its time")
    func answersAtOnce() throws {
        let world = ExecutorWorld()
        world.transport.answersAtOnce(.success)
        world.executor.start(term: Term(rawValue: 1))
        let call = try world.dueCall("g1")
        world.executor.callsDue([call], of: call.gid)
        #expect(world.proposals.isEmpty)
        world.loop.run()
        #expect(world.proposals == [[world.success(of: call, attempts: 1)]])
    }

    @Test("Nothing is called before the node leads, and nothing is proposed after it has ceased to")
    func onlyALeader() throws {
        let world = ExecutorWorld()
        let call = try world.dueCall("g1")
        world.executor.callsDue([call], of: call.gid)
        world.executor.deadlineSet(call.gid, LogTime(rawValue: 1_000))
        #expect(world.transport.requests.isEmpty)
        world.executor.start(term: Term(rawValue: 1))
        world.executor.callsDue([call], of: call.gid)
        world.executor.deadlineSet(call.gid, LogTime(rawValue: 1_000))
        world.transport.answer(.unreachable)
        world.loop.run()
        let before = world.proposals
        world.executor.callsDue([call, try world.dueCall("g1", branch: "2")], of: call.gid)
        world.executor.stop()
        world.transport.answer(.success)
        world.advance(byMilliseconds: 120_000)
        #expect(world.proposals == before && world.transport.requests.count == 2)
        #expect(world.executor.counts.inFlight == 0)
    }

    @Test("A call that gave no certain answer is made again after its delay, with the next attempt's number")
    func retries() throws {
        let world = ExecutorWorld()
        world.executor.start(term: Term(rawValue: 1))
        let call = try world.dueCall("g1")
        world.executor.callsDue([call], of: call.gid)
        world.transport.answer(.unreachable)
        world.loop.run()
        #expect(world.transport.requests.count == 1)
        world.advance(byMilliseconds: 100)
        #expect(world.transport.requests.map(\.attempt) == [1, 2])
        world.transport.answer(.success)
        world.loop.run()
        // The reason of the first failure is in the log, and the result tells how many attempts it took.
        guard case .attemptsFailed(let failed) = world.proposals.first?.first else {
            Issue.record("no failed attempt proposed")
            return
        }
        #expect(failed.lastError == "connection refused" && failed.attempts == 1)
        #expect(world.proposals.last == [world.success(of: call, attempts: 2)])
        #expect(world.executor.counts.retries == 1 && world.executor.counts.unknown == 1)
    }

    @Test("A deadline is proposed when log time reaches it, together with the others of that moment")
    func deadlines() throws {
        let world = ExecutorWorld()
        world.executor.start(term: Term(rawValue: 1))
        let gids = try ["a", "b", "c"].map { try Due.gid($0) }
        world.executor.deadlineSet(gids[0], LogTime(rawValue: 5_000))
        world.executor.deadlineSet(gids[1], LogTime(rawValue: 5_000))
        world.executor.deadlineSet(gids[2], LogTime(rawValue: 5_000))
        world.executor.decided(gids[2])
        world.advance(byMilliseconds: 4_999)
        #expect(world.proposals.isEmpty)
        world.advance(byMilliseconds: 1)
        #expect(world.proposals == [[.deadlineReached(gids[0]), .deadlineReached(gids[1])]])
        world.executor.decided(gids[0])
        world.executor.finished(gids[1])
        world.advance(byMilliseconds: 60_000)
        #expect(world.proposals.count == 1)
        #expect(world.executor.counts.deadlinesReached == 2)
    }

    @Test("An earlier deadline that comes later is watched first; a clock that is set forward is seen within a second")
    func earlierDeadline() throws {
        let world = ExecutorWorld()
        world.executor.start(term: Term(rawValue: 1))
        world.executor.deadlineSet(try Due.gid("late"), LogTime(rawValue: 500_000))
        world.executor.deadlineSet(try Due.gid("early"), LogTime(rawValue: 700))
        world.advance(byMilliseconds: 700)
        #expect(world.proposals == [[.deadlineReached(try Due.gid("early"))]])
        world.executor.decided(try Due.gid("early"))
        world.wall.withLock { $0 += 499_000 }
        world.advance(byMilliseconds: 1_000)
        #expect(world.proposals.last == [.deadlineReached(try Due.gid("late"))])
    }

    @Test(
        "A payload that is on the disk alone is fetched for its call; as long as it can't be had, the call is tried again"
    )
    func payloadOnDisk() throws {
        let world = ExecutorWorld()
        world.executor.start(term: Term(rawValue: 1))
        let gid = try Due.gid("g1")
        let payload = [UInt8](repeating: 3, count: 2_000)
        var fixture = TransactionMachine()
        let branch = BranchSpec(
            id: try #require(BranchID(rawValue: "1")),
            targets: [
                Target(operation: .action, url: "http://bank/debit"),
                Target(operation: .compensate, url: "http://bank/undo"),
            ], payload: payload)
        let submission = Submission(gid: gid, kind: .saga, timeoutMilliseconds: 1_000, branches: [branch])
        let batch = CommandBatch(logTime: .zero, commands: [.submit(submission)])
        _ = fixture.apply(batch, at: 1, archive: NoArchive())
        #expect(fixture.spill(fixture.takeChanges().changedLive) == [gid])
        let due = fixture.dueCalls(of: gid)
        #expect(due.map { $0.payload.bytes == nil } == [true])
        world.executor.callsDue(due, of: gid)
        world.loop.run()
        // Nobody has it: no call is made, and none is given up.
        #expect(world.transport.requests.isEmpty)
        world.payload.withLock { $0 = payload }
        world.advance(byMilliseconds: 5_000)
        #expect(world.transport.requests.map(\.call.payload.bytes) == [payload])
        world.transport.answer(.success)
        world.loop.run()
        #expect(world.proposals.last == [world.success(of: due[0], attempts: world.transport.requests[0].attempt)])
    }

    @Test("A new term begins with nothing of the last one")
    func newTerm() throws {
        let world = ExecutorWorld()
        world.executor.start(term: Term(rawValue: 1))
        let old = try world.dueCall("old")
        world.executor.callsDue([old], of: old.gid)
        world.executor.deadlineSet(old.gid, LogTime(rawValue: 10))
        world.executor.start(term: Term(rawValue: 3))
        // The answer to the last term's call: nobody of this term waits for it.
        world.transport.answer(.success)
        world.advance(byMilliseconds: 10_000)
        #expect(world.proposals.isEmpty)
        let new = try world.dueCall("new")
        world.executor.callsDue([new], of: new.gid)
        #expect(world.transport.requests.map(\.term) == [1, 3])
    }
}

/// An executor with everything around it in the test's hands: the loop's clock, the wall clock, the transport and the log.
final class ExecutorWorld {
    let loop = EmbeddedEventLoop()
    let transport = StubTransport()
    let wall: WallClock
    let log: ProposalLog
    let executor: Executor
    /// What the disk has of payloads that aren't in memory.
    let payload: DiskPayload

    init(_ configuration: CallScheduleConfiguration = .init()) {
        let wall = WallClock()
        let log = ProposalLog()
        let payload = DiskPayload()
        self.wall = wall
        self.log = log
        self.payload = payload
        self.executor = Executor(
            eventLoop: self.loop, transport: self.transport, configuration: configuration, seed: 1,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            payloads: { _, done in done(payload.withLock { $0 }) },
            wallClock: { LogTime(rawValue: wall.withLock { $0 }) }, propose: { log.proposals.append($0) })
    }

    deinit {
        // Only a loop that is shut down twice throws.
        try? self.loop.syncShutdownGracefully()
    }

    var proposals: [[Command]] { self.log.proposals }

    func dueCall(_ gid: String, branch: String = "1") throws -> BranchCall {
        try Due.call(try Due.gid(gid), branch: branch)
    }

    func success(of call: BranchCall, attempts: UInt32) -> Command {
        .branchResult(
            BranchResult(
                gid: call.gid, branchID: call.branchID, operation: call.operation, verdict: .success,
                attempts: attempts))
    }

    /// Moves both clocks on, a millisecond at a time.
    func advance(byMilliseconds amount: UInt64) {
        for _ in 0..<amount {
            self.wall.withLock { $0 += 1 }
            self.loop.advanceTime(by: .milliseconds(1))
        }
    }
}

final class DiskPayload: Sendable {
    private let bytes = Locked<[UInt8]?>(nil)
    func withLock<Result>(_ body: (inout [UInt8]?) -> Result) -> Result { self.bytes.withLock { body(&$0) } }
}

struct NoArchive: ArchiveView {
    func archived(_ gid: Gid) -> GlobalTransaction? { nil }
}

/// Milliseconds of log time.
final class WallClock: Sendable {
    private let time = Locked<UInt64>(0)
    func withLock<Result>(_ body: (inout UInt64) -> Result) -> Result { self.time.withLock { body(&$0) } }
}

final class ProposalLog {
    var proposals: [[Command]] = []
}

/// Keeps calls until the test answers them, the oldest first.
final class StubTransport: BranchTransport {
    private struct State {
        var requests: [BranchRequest] = []
        var waiting: [@Sendable (BranchAnswer) -> Void] = []
        var answerAtOnce: BranchAnswer?
    }
    private let state = Locked(State())

    var requests: [BranchRequest] { self.state.withLock { $0.requests } }

    func call(_ request: BranchRequest, whenDone: @escaping @Sendable (BranchAnswer) -> Void) {
        let answer = self.state.withLock { state in
            state.requests.append(request)
            if state.answerAtOnce == nil { state.waiting.append(whenDone) }
            return state.answerAtOnce
        }
        if let answer { whenDone(answer) }
    }

    func answersAtOnce(_ answer: BranchAnswer) {
        self.state.withLock { $0.answerAtOnce = answer }
    }

    func answer(_ answer: BranchAnswer) {
        let whenDone = self.state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
        whenDone?(answer)
    }
}
