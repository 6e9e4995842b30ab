// SPDX-License-Identifier: Apache-2.0

import SQLite
import StateStore
import Synchronization
import Testing
import Transactions

@Suite("The thread that writes the applied state") struct StateWriterTests {
    /// What was done, in the order of the answers.
    private final class Answers: Sendable {
        private let list = Mutex<[String]>([])

        func add(_ answer: String) { self.list.withLock { $0.append(answer) } }

        var all: [String] { self.list.withLock { $0 } }
    }

    /// Waits until it holds; gives up after ten seconds.
    private static func wait(for condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if condition() { return true }
            await Task.yield()
        }
        return condition()
    }

    @Test("Jobs are done and answered in the order in which they came")
    func order() async throws {
        let folder = try TemporaryFolder()
        let writer = StateWriter(try StateDatabase.open(folder))
        let answers = Answers()
        var fixture = Fixture()
        var expected: [String] = []
        for number in 1...50 {
            fixture.submit(.test(number))
            if number % 2 == 0 { fixture.commit(.test(number)) }
            let index = fixture.machine.appliedIndex
            writer.checkpoint(fixture.checkpoint()) { result in
                if case .success = result { answers.add("checkpoint \(index)") } else { answers.add("\(result)") }
            }
            expected.append("checkpoint \(index)")
            guard number % 10 == 0 else { continue }
            writer.sync { result in
                if case .success(let synced) = result {
                    answers.add("sync \(synced)")
                } else {
                    answers.add("\(result)")
                }
            }
            expected.append("sync \(index)")
        }
        #expect(try await writer.sync().get() == fixture.machine.appliedIndex)
        #expect(answers.all == expected)
        #expect(writer.failure == nil)
        let database = try StateDatabase.open(try folder.copyOfDatabase())
        #expect(try database.load() == fixture.expected())
    }

    @Test("A job that comes after the queue has run empty is done too")
    func idle() async throws {
        let folder = try TemporaryFolder()
        let writer = StateWriter(try StateDatabase.open(folder))
        var fixture = Fixture()
        for number in 1...20 {
            fixture.submit(.test(number))
            try await writer.checkpoint(fixture.checkpoint()).get()
        }
        #expect(try await writer.sync().get() == 20)
    }

    @Test("An error ends it: that job and all later ones are answered with it, and nothing more is written")
    func fatal() async throws {
        let folder = try TemporaryFolder()
        let writer = StateWriter(try StateDatabase.open(folder))
        var fixture = Fixture()
        fixture.submit(.test(1))
        let old = fixture.checkpoint()
        fixture.submit(.test(2))
        fixture.submit(.test(3))
        try await writer.checkpoint(fixture.checkpoint()).get()
        let error = StateStoreError.outOfOrder(path: folder.file(), appliedIndex: 3, given: 1)
        let answers = Answers()
        fixture.submit(.test(4))
        let good = fixture.checkpoint()
        for checkpoint in [old, good] {
            writer.checkpoint(checkpoint) { result in
                if case .failure(error) = result { answers.add("refused") } else { answers.add("\(result)") }
            }
        }
        let synced = await writer.sync()
        #expect(synced == .failure(error))
        #expect(answers.all == ["refused", "refused"])
        #expect(writer.failure == error)
        let database = try StateDatabase.open(try folder.copyOfDatabase())
        #expect(database.appliedIndex == 3)
    }

    /// Who is in the way of a job.
    enum Obstacle: CaseIterable, Sendable { case longRead, otherWriter }

    @Test(
        "Who holds the file only delays: the job is tried again, and answered when it is done",
        arguments: Obstacle.allCases)
    func busy(obstacle: Obstacle) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file()
        let database = try StateDatabase.open(folder, busyTimeoutMilliseconds: 0)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        let writer = StateWriter(database, retryMilliseconds: 1)
        let answers = Answers()
        let checkpoints = (7...12).map { "checkpoint \($0)" }
        try await Self.holding(path, obstacle) {
            for number in 7...12 {
                fixture.submit(.test(number))
                writer.checkpoint(fixture.checkpoint()) { result in
                    answers.add((try? result.get()) == nil ? "\(result)" : "checkpoint \(number)")
                }
            }
            writer.sync { result in answers.add("sync \((try? result.get()) ?? 0)") }
            let isDelayed = await Self.wait { writer.failure == .busy(path: path) }
            #expect(isDelayed)
            // A long read holds up the sync alone.
            #expect(answers.all == (obstacle == .longRead ? checkpoints : []))
        }
        let index = fixture.machine.appliedIndex
        let isDone = await Self.wait { answers.all.count == 7 }
        #expect(isDone)
        #expect(answers.all == checkpoints + ["sync \(index)"])
        #expect(writer.failure == nil)
    }

    /// Runs the body while another connection reads or writes.
    private static func holding(_ path: String, _ obstacle: Obstacle, _ body: () async -> Void) async throws {
        let other = try Database(path: path, access: .readWrite)
        try other.set(.noCheckpointOnClose, true)
        switch obstacle {
        case .longRead:
            try other.begin(.deferred)
            _ = try other.firstInteger("SELECT count(*) FROM live")
        case .otherWriter:
            try other.begin(.immediate)
        }
        await body()
        try other.rollback()
    }

    @Test("While the disk is full the job waits and the reason shows; the process goes on")
    func full() async throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        try database.setGrowth(isAllowed: false)
        let writer = StateWriter(database, retryMilliseconds: 1)
        let answers = Answers()
        var fixture = Fixture()
        for number in 1...100 { fixture.submit(.test(number)) }
        writer.checkpoint(fixture.checkpoint()) { _ in answers.add("checkpoint") }
        let isFull = await Self.wait { writer.failure == .diskFull(path: folder.file()) }
        #expect(isFull)
        #expect(answers.all.isEmpty)
    }
}
