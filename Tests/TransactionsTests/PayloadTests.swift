// SPDX-License-Identifier: Apache-2.0

import Bytes
import Testing
import Transactions

@Suite("Payloads that are on the disk alone") struct PayloadTests {
    private static let long = [UInt8](repeating: 9, count: 4_000)

    /// Two live sagas, one with long payloads; and the same in which these have left memory.
    private static func pair() -> (whole: Fixture, spilled: Fixture) {
        var whole = Fixture()
        whole.apply(.submit(Self.submission(Self.long)), .saga("a", gid: .test("short")))
        var spilled = whole
        let written = spilled.machine.takeChanges().changedLive
        _ = whole.machine.takeChanges()
        let gids = spilled.machine.spill(written)
        #expect(gids == [.test])
        return (whole, spilled)
    }

    private static func submission(_ second: [UInt8]) -> Submission {
        Submission(
            gid: .test, kind: .saga, timeoutMilliseconds: 10_000,
            branches: [.saga("a", payload: Self.long), .saga("b", payload: second)])
    }

    @Test("Short ones stay; long ones go, and with them the bytes that are counted")
    func leavesMemory() throws {
        let (whole, spilled) = Self.pair()
        #expect(whole.machine.liveBytes - spilled.machine.liveBytes == 8_000)
        let transaction = try #require(spilled.transaction())
        #expect(transaction.branches.allSatisfy { $0.spec.payload.bytes == nil && $0.spec.payload.count == 4_000 })
        #expect(!transaction.isWhole && spilled.transaction(.test("short"))?.isWhole == true)
        #expect(transaction == whole.transaction())
    }

    @Test("The digest, what is due, and the answers to repeated requests are the same")
    func sameAnswers() {
        var (whole, spilled) = Self.pair()
        #expect(whole.machine.digested() == spilled.machine.digested())
        #expect(whole.machine.dueCalls(of: .test) == spilled.machine.dueCalls(of: .test))
        var other = Self.long
        other[3_999] = 8
        let commands: [Command] = [
            .submit(Self.submission(Self.long)), .submit(Self.submission(other)), .submit(Self.submission([9])),
            .abort(.test, reason: nil),
        ]
        var results: [CommandResult] = []
        for command in commands {
            results.append(spilled.apply(one: command))
            #expect(whole.apply(one: command) == results.last)
        }
        #expect(results[1] == .rejected(.contentConflict(path: "/branches/1/payload")))
        #expect(whole.machine.digested() == spilled.machine.digested())
    }

    @Test("What ends after that leaves nothing behind in the count")
    func ends() {
        var (_, spilled) = Self.pair()
        for gid in [Gid.test, .test("short")] { spilled.apply(.abort(gid, reason: nil)) }
        for branch in ["a"] {
            spilled.answer(branch, .compensate, .success)
            spilled.answer(branch, .compensate, .success, gid: .test("short"))
        }
        #expect(spilled.machine.liveCount == 0 && spilled.machine.liveBytes == 0)
    }

    @Test("A branch that has registered since the checkpoint stays in memory")
    func laterBranch() {
        var fixture = Fixture()
        func branch(_ id: String) -> BranchSpec { .begunTCC(id, payload: Self.long) }
        fixture.apply(.begin(.tcc), .registerBranch(.test, branch("a")))
        let written = fixture.machine.takeChanges().changedLive
        fixture.apply(.registerBranch(.test, branch("b")))
        #expect(fixture.machine.spill(written) == [.test])
        #expect(fixture.transaction()?.branches.map { $0.spec.payload.bytes != nil } == [false, true])
        #expect(fixture.machine.spill(written).isEmpty)
    }

    @Test("Filled again from what the disk has, and from nothing else")
    func filled() throws {
        let (whole, spilled) = Self.pair()
        let (full, empty) = (try #require(whole.transaction()), try #require(spilled.transaction()))
        #expect(empty.filled(from: full)?.isWhole == true)
        #expect(empty.filled(from: empty) == nil)
        #expect(full.filled(from: empty)?.isWhole == true)
        var other = Fixture()
        other.apply(.submit(Self.submission([UInt8](repeating: 7, count: 4_000))))
        #expect(empty.filled(from: try #require(other.transaction())) == nil)
    }

    @Test("Between nodes a transaction travels without them, and is the same")
    func encodedByDigest() throws {
        let (whole, spilled) = Self.pair()
        let full = try #require(whole.transaction())
        let bytes = full.encoded(payloads: .digest)
        #expect(bytes == spilled.transaction()?.encoded(payloads: .digest) && bytes.count < 1_500)
        let read = try GlobalTransaction(decoding: bytes, payloads: .digest)
        #expect(read == full && !read.isWhole)
        #expect(throws: ByteError.self) { try GlobalTransaction(decoding: Array(bytes.dropLast()), payloads: .digest) }
        #expect(throws: ByteError.self) { try GlobalTransaction(decoding: bytes) }
    }
}
