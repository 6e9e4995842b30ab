// SPDX-License-Identifier: Apache-2.0

#if PlantedBugs
    package import Raft
#endif

/// Which world to run.
package struct SimulationOptions: Sendable {
    package var seed: UInt64
    /// 3, 5 or 7; nil lets the seed choose.
    package var nodeCount: Int?
    /// Simulated seconds, the last five of which are the healing.
    package var seconds: UInt64 = 20
    /// Faults that the world doesn't have, whatever the seed says.
    package var without: Set<FaultKind> = []
    /// Keeps the text of every event instead of the last ones.
    package var keepsWholeTrace = false
    #if PlantedBugs
        package var plantedBugs: Set<PlantedBug> = []
    #endif

    /// The faulty phase needs a second, the healing five.
    package static let shortestRun: UInt64 = 6

    package init(seed: UInt64) { self.seed = seed }
}

/// What a world showed.
package struct SimulationOutcome: Sendable {
    package let seed: UInt64
    package let nodeCount: Int
    package let violation: Violation?
    /// Of every event, in order, and of what the nodes came to: the same for the same seed and the same code.
    package let hash: UInt64
    package let faults: FaultCounts
    package let statistics: Statistics
    /// The last events, or all of them.
    package let trace: [String]

    package struct Statistics: Hashable, Sendable {
        package var events: UInt64 = 0
        package var elections: UInt64 = 0
        package var committed: UInt64 = 0
        package var writesAcknowledged: UInt64 = 0
        package var readsAnswered: UInt64 = 0
        package var transactionsAcknowledged: UInt64 = 0
        package var transactionsEnded: UInt64 = 0
        package var outcomesTold: UInt64 = 0
        package var snapshots: UInt64 = 0
        package var installs: UInt64 = 0
        package var transfers: UInt64 = 0
        /// Logs that lost entries to rot and got them back.
        package var repairs: UInt64 = 0

        package init() {}

        package mutating func add(_ other: Statistics) {
            self.events += other.events
            self.elections += other.elections
            self.committed += other.committed
            self.writesAcknowledged += other.writesAcknowledged
            self.readsAnswered += other.readsAnswered
            self.transactionsAcknowledged += other.transactionsAcknowledged
            self.transactionsEnded += other.transactionsEnded
            self.outcomesTold += other.outcomesTold
            self.snapshots += other.snapshots
            self.installs += other.installs
            self.transfers += other.transfers
            self.repairs += other.repairs
        }
    }
}
