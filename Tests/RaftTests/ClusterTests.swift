// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("A cluster at the mercy of chance (Raft paper, figure 3)") struct ClusterTests {
    @Test(
        "Whatever happens, nothing committed is lost; and when all is well again, everyone catches up",
        arguments: 1...12 as ClosedRange<UInt64>)
    func chance(seed: UInt64) {
        var world = ClusterWorld(seed: seed)
        for _ in 0..<3 {
            for _ in 0..<2_000 where world.problems.isEmpty { world.chaos() }
            let isSettled = world.heal(milliseconds: 2_000)
            #expect(world.problems.isEmpty)
            #expect(isSettled, "\(world)")
        }
    }

    @Test("Chance brings what is worth judging") func coverage() {
        var counts: [String: Int] = [:]
        for seed in 101...104 as ClosedRange<UInt64> {
            var world = ClusterWorld(seed: seed)
            for _ in 0..<6_000 { world.chaos() }
            counts.merge(world.counts, uniquingKeysWith: +)
        }
        for event in ["crashed", "elected", "installed", "joint", "membership", "offered", "read", "told to stand"] {
            #expect(counts[event] ?? 0 > 3, "\(event)")
        }
    }
}
