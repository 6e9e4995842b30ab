// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Raft
import Testing
import Transactions

@Suite("Delays and deadlines") struct DelayTests {
    @Test("A delay lies between half and whole of the doubled base, and never above the cap, at any number of attempts")
    func backoffBounds() {
        let backoff = Backoff(baseMilliseconds: 100, capMilliseconds: 10_000)
        var random = SplitMix64(seed: 3)
        let wholes: [(attempts: UInt32, milliseconds: UInt64)] = [
            (0, 100), (1, 100), (2, 200), (3, 400), (7, 6_400), (8, 10_000), (57, 10_000), (64, 10_000), (65, 10_000),
            (1_000, 10_000), (.max, 10_000),
        ]
        for (attempts, whole) in wholes {
            var least = UInt64.max
            var most = UInt64.zero
            for draw in 0..<1_000 {
                let bits = draw == 0 ? 0 : draw == 1 ? .max : random.next()
                let delay = backoff.delayNanoseconds(
                    afterFailedAttempts: attempts, random: bits, retryAfterMilliseconds: nil)
                least = min(least, delay)
                most = max(most, delay)
            }
            #expect(least >= whole * 500_000 && most <= whole * 1_000_000, "attempt \(attempts)")
            // It really is spread.
            #expect(most - least > whole * 400_000, "attempt \(attempts)")
        }
    }

    @Test("Absurd settings make no trap and no void delay")
    func absurdSettings() {
        for (base, cap) in [(UInt64.zero, UInt64.zero), (.max, .max), (1, .max), (.max, 1)] {
            let backoff = Backoff(baseMilliseconds: base, capMilliseconds: cap)
            let delay = backoff.delayNanoseconds(
                afterFailedAttempts: 1_000, random: .max, retryAfterMilliseconds: .max)
            #expect(delay > 0 && delay <= 86_400_000 * 1_000_000)
        }
    }

    @Test("Deadlines come out in order of time, then gid, and only when reached")
    func deadlineOrder() throws {
        var queue = DeadlineQueue(proposeAgainMilliseconds: 5_000)
        let names = ["c", "a", "b", "d"]
        let times: [UInt64] = [30, 20, 20, 40]
        for (name, time) in zip(names, times) { queue.set(try Due.gid(name), LogTime(rawValue: time)) }
        #expect(queue.next == LogTime(rawValue: 20))
        #expect(queue.takeReached(now: LogTime(rawValue: 19), limit: 10).isEmpty)
        let reached = queue.takeReached(now: LogTime(rawValue: 30), limit: 10)
        #expect(reached.map(\.rawValue) == ["a", "b", "c"])
        #expect(queue.next == LogTime(rawValue: 40))
    }

    @Test("A reached deadline comes again until the transaction is decided")
    func deadlineAgain() throws {
        var queue = DeadlineQueue(proposeAgainMilliseconds: 5_000)
        let gid = try Due.gid("g")
        queue.set(gid, LogTime(rawValue: 10))
        let first = queue.takeReached(now: LogTime(rawValue: 10), limit: 10)
        let early = queue.takeReached(now: LogTime(rawValue: 5_009), limit: 10)
        let second = queue.takeReached(now: LogTime(rawValue: 5_010), limit: 10)
        #expect(first == [gid] && early.isEmpty && second == [gid])
        queue.remove(gid)
        #expect(queue.next == nil && queue.count == 0)
    }

    @Test("A decided transaction's deadline is forgotten, and so is one that was set anew")
    func deadlineStale() throws {
        var queue = DeadlineQueue(proposeAgainMilliseconds: 5_000)
        let gids = try (0..<1_000).map { try Due.gid("g\($0)") }
        for gid in gids { queue.set(gid, LogTime(rawValue: 10)) }
        for gid in gids.dropLast() { queue.remove(gid) }
        let last = try #require(gids.last)
        queue.set(last, LogTime(rawValue: 10))
        let reached = queue.takeReached(now: LogTime(rawValue: 10), limit: 10)
        #expect(reached == [last])
        queue.set(last, LogTime(rawValue: 50))
        let none = queue.takeReached(now: LogTime(rawValue: 49), limit: 10)
        let once = queue.takeReached(now: LogTime(rawValue: 10_000), limit: 10)
        #expect(none.isEmpty && once == [last])
    }

    @Test("At most as many deadlines come out at once as asked for; the others follow")
    func deadlineLimit() throws {
        var queue = DeadlineQueue(proposeAgainMilliseconds: 5_000)
        for number in 0..<10 { queue.set(try Due.gid("g\(number)"), LogTime(rawValue: 1)) }
        let first = queue.takeReached(now: LogTime(rawValue: 1), limit: 6)
        #expect(first.count == 6 && queue.next == LogTime(rawValue: 1))
        let second = queue.takeReached(now: LogTime(rawValue: 1), limit: 6)
        #expect(second.count == 4)
        #expect(Set(first + second).count == 10)
    }
}
