// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("Log time and deadlines") struct TimeTests {
    @Test("Log time never goes back, whatever the leaders' clocks say (bug 47)")
    func monotonic() {
        var fixture = Fixture()
        var latest: UInt64 = 0
        for clock: UInt64 in [5_000, 4_000, 0, 5_001, 2_678_400_000, 3_600, 2_678_400_001] {
            fixture.clock = clock
            fixture.apply(.commit(.test))
            latest = max(latest, clock)
            #expect(fixture.machine.logTime == LogTime(rawValue: latest))
        }
    }

    @Test("A transaction's times are log time, also when its leader's clock is behind")
    func createdAtLogTime() {
        var fixture = Fixture()
        fixture.clock = 9_000
        fixture.apply(.saga("a", gid: .test("first")))
        fixture.clock = 2_000
        fixture.apply(.saga("a", timeout: 500))
        #expect(fixture.transaction()?.createdAt == LogTime(rawValue: 9_000))
        #expect(fixture.transaction()?.deadline == LogTime(rawValue: 9_500))
        #expect(fixture.effects.first == .deadlineSet(.test, LogTime(rawValue: 9_500)))
    }

    @Test("A deadline decides from its own millisecond on, and not before")
    func deadlineBoundary() {
        var fixture = Fixture()
        fixture.clock = 1_000
        fixture.apply(.saga("a", timeout: 500))
        fixture.clock = 1_499
        let before = fixture.transaction()
        #expect(fixture.apply(one: .deadlineReached(.test)) == .rejected(.deadlineNotReached))
        #expect(fixture.transaction() == before)
        fixture.clock = 1_500
        #expect(fixture.apply(one: .deadlineReached(.test)) == .accepted(isNew: true))
        #expect(fixture.transaction()?.decision == .abort)
        #expect(fixture.transaction()?.reason == "deadline passed")
        #expect(fixture.effects == [.decided(.test, .abort), .callsDue(.test)])
    }

    @Test("Time alone decides nothing: the deadline is a command (bug 57)")
    func deadlineNeedsCommand() {
        var fixture = Fixture()
        fixture.apply(.begin(.tcc, timeout: 500), .registerBranch(.test, .begunTCC("a")))
        fixture.clock = 100_000
        #expect(fixture.apply(one: .registerBranch(.test, .begunTCC("b"))) == .accepted(isNew: true))
        #expect(fixture.apply(one: .commit(.test)) == .accepted(isNew: true))
        #expect(fixture.apply(one: .deadlineReached(.test)) == .alreadyDone)
        #expect(fixture.transaction()?.decision == .commit)
    }

    @Test("The deadline of what the application has left alone aborts it and cancels its branches (bug 57)")
    func abandoned() {
        var fixture = Fixture()
        fixture.apply(.begin(.tcc, timeout: 500), .registerBranch(.test, .begunTCC("a")))
        fixture.clock = 2_000
        fixture.apply(.deadlineReached(.test))
        #expect(fixture.due() == ["a cancel"])
        #expect(fixture.apply(one: .commit(.test)) == .rejected(.alreadyDecided(.abort)))
    }

    @Test("A new leader finds the deadlines of all undecided transactions, in order of acceptance")
    func deadlines() {
        var fixture = Fixture()
        let gids = (1...4).map { Gid.test("t-\($0)") }
        fixture.apply(.saga("a", gid: gids[3], timeout: 400), .saga("a", gid: gids[0], timeout: 100))
        fixture.apply(.begin(.tcc, gid: gids[2], timeout: 300), .saga("a", gid: gids[1], timeout: 200))
        fixture.apply(.abort(gids[0], reason: nil))
        #expect(fixture.machine.deadlines.map(\.gid) == [gids[3], gids[2], gids[1]])
        #expect(fixture.machine.deadlines.map(\.deadline.rawValue) == [1_400, 1_300, 1_200])
        #expect(fixture.machine.allLive == [gids[3], gids[0], gids[2], gids[1]])
    }

    @Test("The longest deadline stays within what a timestamp can show")
    func latest() {
        #expect(LogTime.maximum.advanced(byMilliseconds: 1) == .maximum)
        #expect(LogTime(rawValue: .max).advanced(byMilliseconds: 1) == .maximum)
        #expect(LogTime.zero.advanced(byMilliseconds: .max) == .maximum)
        var fixture = Fixture()
        fixture.clock = LogTime.maximum.rawValue
        fixture.apply(.saga("a", timeout: 86_400_000))
        #expect(fixture.transaction()?.deadline == .maximum)
    }

    @Test("An entry without commands moves the applied index, and nothing else")
    func emptyEntry() {
        var fixture = Fixture()
        fixture.apply(.saga("a"))
        let transaction = fixture.transaction()
        fixture.machine.advance(to: 17)
        #expect(fixture.machine.appliedIndex == 17)
        #expect(fixture.machine.logTime == LogTime(rawValue: 1_000))
        #expect(fixture.transaction() == transaction)
    }
}
