// SPDX-License-Identifier: Apache-2.0

/// Runs one seed, some of them twice, since a seed that doesn't give the same run again can't be replayed.
package enum SeedRun {
    /// Every so many seeds the run is repeated.
    package static let repeatedEvery: UInt64 = 50

    package static func run(_ options: SimulationOptions) -> SimulationOutcome {
        let first = World(options).run()
        guard options.seed % self.repeatedEvery == 0, first.violation == nil else { return first }
        let second = World(options).run()
        guard second.hash != first.hash else { return first }
        return SimulationOutcome(
            seed: first.seed, nodeCount: first.nodeCount,
            violation: Violation(.sameSeedSameRun, "the second run's hash of events is another one"),
            hash: first.hash, faults: first.faults, statistics: first.statistics, trace: [])
    }
}
