// SPDX-License-Identifier: Apache-2.0

import Simulation
import Testing

@Suite("Totals of a run") struct RunTotalsTests {
    @Test("They survive being written and read") func roundTrip() {
        var totals = RunTotals(from: 5)
        var options = SimulationOptions(seed: 5)
        options.seconds = SimulationOptions.shortestRun
        totals.add(World(options).run())
        totals.failedSeeds = [3, 4]
        totals.next = 6
        #expect(RunTotals(text: totals.text) == totals)
    }

    @Test(
        "What isn't totals is refused",
        arguments: ["", "next", "next 5", "next x\npassed 1", "hello world\n", "\u{0}\u{1}"])
    func garbage(text: String) {
        #expect(RunTotals(text: text) == nil)
    }

    @Test("A damaged line is refused, whichever it is") func everyLineCounts() {
        let lines = RunTotals(from: 5).text.split(separator: "\n")
        for position in lines.indices {
            var fewer = lines
            fewer.remove(at: position)
            #expect(RunTotals(text: fewer.joined(separator: "\n")) == nil, "without '\(lines[position])'")
        }
    }

    @Test("Kinds of fault that never took effect are named") func missing() {
        var counts = FaultCounts()
        #expect(counts.missing == FaultKind.allCases)
        for kind in FaultKind.allCases where kind != .pause { counts[kind] = 1 }
        #expect(counts.missing == [.pause])
    }
}
