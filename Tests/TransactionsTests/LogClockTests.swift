// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("Log time (faults 47, 57)") struct LogClockTests {
    private static func time(_ milliseconds: UInt64) -> LogTime { LogTime(rawValue: milliseconds) }
    private static func at(_ milliseconds: UInt64) -> UInt64 { milliseconds * 1_000_000 }

    @Test("It is the wall clock's as long as that goes on")
    func wall() {
        var clock = LogClock()
        for step in [0, 10, 500, 100_000] as [UInt64] {
            let time = clock.read(wall: Self.time(1_000 + step), monotonic: Self.at(7 + step), reached: Self.time(5))
            #expect(time == Self.time(1_000 + step))
        }
    }

    @Test("Behind a clock that was an hour ahead it goes on at the pace of time, not of the clock that lags")
    func ahead() {
        var clock = LogClock()
        let hour: UInt64 = 3_600_000
        #expect(clock.read(wall: Self.time(hour), monotonic: Self.at(0), reached: Self.time(0)) == Self.time(hour))
        // The wall clock is right again: an hour behind.
        for passed in [1, 2, 250, 2_000] as [UInt64] {
            let time = clock.read(wall: Self.time(passed), monotonic: Self.at(passed), reached: Self.time(hour))
            #expect(time == Self.time(hour + passed))
        }
    }

    @Test("It never goes back, and what the log has reached comes first")
    func reached() {
        var clock = LogClock()
        #expect(clock.read(wall: Self.time(50), monotonic: Self.at(0), reached: Self.time(80)) == Self.time(80))
        #expect(clock.read(wall: Self.time(60), monotonic: Self.at(10), reached: Self.time(200)) == Self.time(200))
        #expect(clock.read(wall: Self.time(10), monotonic: Self.at(20), reached: Self.time(200)) == Self.time(210))
    }

    @Test("Parts of a millisecond aren't lost, however often it is read")
    func parts() {
        var clock = LogClock()
        var last = LogTime.zero
        for step in 0...10_000 as ClosedRange<UInt64> {
            last = clock.read(
                wall: Self.time(0), monotonic: step * 300_000,
                reached: max(last, Self.time(9_000)))
        }
        #expect(last == Self.time(12_000))
    }
}
