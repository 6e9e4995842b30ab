// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("What the machine shows and gives away") struct MachineTests {
    @Test("A due call carries what the participant needs")
    func dueCall() throws {
        var fixture = Fixture()
        let headers = [Header(name: "X-Tenant", value: "7")]
        fixture.apply(
            .submit(
                Submission(
                    gid: .test, kind: .saga, timeoutMilliseconds: 1, branches: [.saga("a", headers: headers)])))
        let call = try #require(fixture.machine.dueCalls(of: .test).first)
        #expect(
            call
                == BranchCall(
                    gid: .test, branchID: .test("a"), operation: .action, url: "http://bank.example:8080/a/action",
                    headers: headers, payload: [1, 2, 3], priorAttempts: 0))
        #expect(fixture.machine.dueCalls(of: .test("none")).isEmpty)
    }

    @Test("Changes are taken once, in order of acceptance, finished ones apart")
    func changes() {
        var fixture = Fixture()
        let gids = ["z", "m", "a"].map { Gid.test($0) }
        for gid in gids { fixture.apply(.saga("a", gid: gid)) }
        fixture.answer("a", .action, .success, gid: gids[1])
        let first = fixture.machine.takeChanges()
        #expect(first.finished.map(\.gid) == [gids[1]])
        #expect(first.changedLive.map(\.gid) == [gids[0], gids[2]])
        let second = fixture.machine.takeChanges()
        #expect(second.finished.isEmpty && second.changedLive.isEmpty)
        // A repeated request and a late answer change nothing that would have to be written.
        fixture.apply(.saga("a", gid: gids[1]))
        fixture.answer("a", .action, .success, gid: gids[1])
        #expect(fixture.machine.takeChanges().finished.isEmpty)
        fixture.apply(.abort(gids[2], reason: nil))
        #expect(fixture.machine.takeChanges().changedLive.map(\.gid) == [gids[2]])
    }

    @Test("Eviction takes finished transactions alone out of memory, and passes over strangers")
    func eviction() {
        var fixture = Fixture()
        fixture.apply(.saga("a"), .saga("a", gid: .test("t-2")))
        fixture.answer("a", .action, .success)
        fixture.machine.evict([.test, .test("none")])
        #expect(fixture.machine.transaction(.test) == nil)
        #expect(fixture.machine.liveCount == 1)
        #expect(fixture.machine.allLive == [.test("t-2")])
    }

    @Test("A list goes by gid, in pages, by state")
    func list() {
        var fixture = Fixture()
        for number in [5, 1, 4, 2, 3] { fixture.apply(.saga("a", gid: .test("t-\(number)"))) }
        fixture.answer("a", .action, .success, gid: .test("t-2"))
        func gids(_ state: TransactionState?, after: String? = nil, limit: Int) -> [String] {
            fixture.machine.list(state: state, after: after.map { .test($0) }, limit: limit).map(\.gid.rawValue)
        }
        #expect(gids(nil, limit: 10) == ["t-1", "t-2", "t-3", "t-4", "t-5"])
        #expect(gids(nil, limit: 2) == ["t-1", "t-2"])
        #expect(gids(nil, after: "t-2", limit: 2) == ["t-3", "t-4"])
        #expect(gids(.running, limit: 2) == ["t-1", "t-3"])
        #expect(gids(.committed, limit: 2) == ["t-2"])
        #expect(gids(.aborted, limit: 2).isEmpty)
        #expect(gids(nil, limit: 0).isEmpty)
        #expect(gids(nil, after: "t-5", limit: 5).isEmpty)
    }

    @Test("A machine restored from its live transactions goes on where the other one is")
    func restoring() {
        var fixture = Fixture()
        fixture.apply(.saga("a", "b"), .tcc("a", gid: .test("t-2")))
        fixture.answer("a", .action, .success)
        let live = fixture.machine.allLive.compactMap { fixture.machine.transaction($0) }
        var restored = fixture
        restored.machine = TransactionMachine(
            restoring: live, logTime: fixture.machine.logTime, appliedIndex: fixture.machine.appliedIndex,
            sum: fixture.machine.takeChanges().sum)
        #expect(restored.machine.digested() == fixture.machine.digested())
        #expect(restored.machine.liveCount == 2)
        #expect(restored.machine.liveBytes == fixture.machine.liveBytes)
        #expect(restored.due() == ["b action"])
        restored.answer("b", .action, .success)
        fixture.answer("b", .action, .success)
        #expect(restored.transaction() == fixture.transaction())
        #expect(restored.effects == fixture.effects)
        #expect(restored.machine.digested() == fixture.machine.digested())
    }

    @Test("Live bytes grow with payloads and branches, and go with the transaction")
    func liveBytes() {
        var fixture = Fixture()
        #expect(fixture.machine.liveBytes == 0)
        fixture.apply(.saga("a", "b"))
        let two = fixture.machine.liveBytes
        #expect(two > 100)
        fixture.apply(.saga("a", gid: .test("t-2")))
        #expect((1..<two).contains(fixture.machine.liveBytes - two))
        fixture.answer("a", .action, .success, gid: .test("t-2"))
        fixture.answer("a", .action, .failure)
        fixture.answer("a", .compensate, .success)
        #expect(fixture.machine.liveCount == 0)
        #expect(fixture.machine.liveBytes == 0)
    }

    @Test("The digest is the same whenever it was taken before, and whatever was evicted")
    func digestInSteps() {
        var fixture = Fixture()
        var steps = fixture
        for number in 0..<40 {
            let gid = Gid.test("t-\(number)")
            for position in 0..<2 {
                var one = position == 0 ? fixture : steps
                one.apply(.saga("a", "b", gid: gid))
                one.answer("a", .action, number % 3 == 0 ? .failure : .success, gid: gid)
                if number % 2 == 0 { one.answer("b", .action, .success, gid: gid) }
                if position == 0 { fixture = one } else { steps = one }
            }
            if number % 4 == 0 { _ = steps.machine.digest() }
            if number % 7 == 0 { steps.archiveAndEvict() }
        }
        #expect(fixture.machine.liveCount > 0 && fixture.machine.liveCount < 40)
        #expect(steps.machine.digested() == fixture.machine.digested())
        fixture.archiveAndEvict()
        #expect(steps.machine.digested() == fixture.machine.digested())
        fixture.apply(.saga("a", gid: .test("one-more")))
        #expect(steps.machine.digested() != fixture.machine.digested())
    }

    @Test("A digest that was recorded: if this one differs, transactions are encoded otherwise: raise StateSum.version")
    func recordedDigest() {
        var fixture = Fixture()
        fixture.apply(.saga("a", "b"), .tcc("a", gid: .test("t-2")))
        fixture.answer("a", .action, .failure)
        #expect(StateSum.version == 2)
        #expect(fixture.machine.digested() == 0x23da_d0a8_3c63_928d)
    }

    @Test("The digest tells states apart")
    func digest() {
        var hashes: Set<UInt64> = []
        var fixture = Fixture()
        hashes.insert(fixture.machine.digested())
        fixture.apply(.saga("a"))
        hashes.insert(fixture.machine.digested())
        var other = fixture
        fixture.answer("a", .action, .failure)
        hashes.insert(fixture.machine.digested())
        other.apply(.failedAttempts("a", .action, attempts: 1, error: "e"))
        hashes.insert(other.machine.digested())
        #expect(hashes.count == 4)
    }
}
