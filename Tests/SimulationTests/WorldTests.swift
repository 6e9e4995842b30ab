// SPDX-License-Identifier: Apache-2.0

import Simulation
import Testing

#if PlantedBugs
    import Raft
#endif

@Suite("Worlds full of faults") struct WorldTests {
    /// Short runs: the last five seconds of each are the healing.
    private static func run(_ seed: UInt64, seconds: UInt64 = 8, nodes: Int? = nil) -> SimulationOutcome {
        var options = SimulationOptions(seed: seed)
        options.seconds = seconds
        options.nodeCount = nodes
        return World(options).run()
    }

    @Test("Every invariant holds, and every kind of fault takes effect") func manySeeds() {
        var totals = RunTotals(from: 0)
        for seed in 0..<60 as Range<UInt64> {
            let outcome = Self.run(seed)
            if let violation = outcome.violation {
                Issue.record("seed \(seed): \(violation)\n\(outcome.trace.joined(separator: "\n"))")
            }
            totals.add(outcome)
        }
        #expect(totals.faults.missing == [])
        #expect(totals.statistics.committed > 2_500)
        #expect(totals.statistics.readsAnswered > 500)
        #expect(totals.statistics.elections > 100)
        #expect(totals.statistics.transactionsEnded > 250)
    }

    @Test("The same seed gives the same events, another one gives others") func sameSeedSameEvents() {
        for seed in 1_000..<1_004 as Range<UInt64> {
            #expect(Self.run(seed).hash == Self.run(seed).hash)
            #expect(Self.run(seed).hash != Self.run(seed + 100).hash)
        }
    }

    @Test("A seed's whole trace can be shown", arguments: [3, 5, 7]) func wholeTrace(nodes: Int) {
        var options = SimulationOptions(seed: 7)
        options.seconds = SimulationOptions.shortestRun
        options.nodeCount = nodes
        options.keepsWholeTrace = true
        let outcome = World(options).run()
        #expect(outcome.violation == nil)
        #expect(outcome.nodeCount == nodes)
        #expect(outcome.trace.filter { $0.contains(" starts with ") }.count >= nodes)
        #expect(outcome.trace.contains { $0.hasSuffix("everything heals") })
        // What is kept of the trace doesn't change what happens.
        #expect(outcome.hash == Self.run(7, seconds: SimulationOptions.shortestRun, nodes: nodes).hash)
    }

    #if PlantedBugs
        @Test(
            "A planted bug breaks an invariant within 200 seeds",
            arguments: [PlantedBug.voteBeforeDurable, .acknowledgeBeforeDurable, .votesForAnyLog])
        func plantedBugIsFound(bug: PlantedBug) {
            let found = (0..<200 as Range<UInt64>).first { seed in
                var options = SimulationOptions(seed: seed)
                options.plantedBugs = [bug]
                return World(options).run().violation != nil
            }
            #expect(found != nil)
        }

        @Test("A failure shrinks to one of the same invariant with fewer faults and events") func shrinking() throws {
            var options = SimulationOptions(seed: 0)
            options.plantedBugs = [.appendAlwaysTruncates]
            let found = try #require(
                (0..<200 as Range<UInt64>).first { seed in
                    options.seed = seed
                    return World(options).run().violation != nil
                })
            options.seed = found
            var shrinking = try #require(Shrinking(options))
            let before = shrinking.outcome
            shrinking.run(seeds: 50)
            let after = shrinking.outcome
            #expect(after.violation?.invariant == before.violation?.invariant)
            #expect(after.statistics.events <= before.statistics.events)
            #expect(World(shrinking.options).run().hash == after.hash)
        }
    #endif

    #if NextFormat
        @Test("In a world of two versions nodes are upgraded, and then the format is raised and used")
        func mixedVersions() {
            var (upgraded, raised, used) = (false, false, false)
            for seed in 0..<200 as Range<UInt64> where !(upgraded && raised && used) {
                var options = SimulationOptions(seed: seed)
                options.keepsWholeTrace = true
                let world = World(options)
                guard world.mixesVersions else { continue }
                let outcome = world.run()
                #expect(outcome.violation == nil)
                upgraded = upgraded || outcome.faults[.mixedVersions] > 0
                raised =
                    raised || outcome.trace.contains { $0.contains(" writes ") && $0.contains("raises the format") }
                used = used || outcome.trace.contains { $0.contains(" writes ") && $0.contains("remarks") }
            }
            #expect(upgraded && raised && used)
        }
    #endif

    @Test("A fault that is left out doesn't take effect") func without() {
        var options = SimulationOptions(seed: 0)
        for kind in FaultKind.allCases {
            options.without = [kind]
            for seed in 0..<3 as Range<UInt64> {
                options.seed = seed
                options.seconds = SimulationOptions.shortestRun
                #expect(World(options).run().faults[kind] == 0, "\(kind), seed \(seed)")
            }
        }
    }
}
