// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Raft
import Transactions

/// Bounds and times of a node's driver.
struct DriverSettings: Sendable {
    /// How long a request waits for the leader's answer. Then it ends with "not recorded" or "outcome unknown".
    var leaderWait = TimeAmount.seconds(3)
    /// Requests that wait for an answer of the cluster; more are refused.
    var maximumWaitingRequests = 10_000
    /// Transactions that are not finished; a leader refuses new ones over it.
    var maximumLiveTransactions = 100_000
    var maximumLiveBytes = 256 << 20
    /// Bytes of their payloads, wherever they are.
    var maximumLivePayload = 4 << 30
    /// How often applied state goes to the disk while something changes.
    var checkpointInterval = TimeAmount.milliseconds(500)
    /// How often a request that found no leader looks again, beside being woken when one is known.
    var retryInterval = TimeAmount.milliseconds(20)
    /// What a refused client is told to wait.
    var retryAfter = Duration.milliseconds(500)
}

/// The clocks of a node: monotonic for elections, wall time for people and for log time.
struct NodeClock: Sendable {
    var monotonic: @Sendable () -> Instant
    var wall: @Sendable () -> LogTime

    static let system = NodeClock(
        monotonic: { Instant(nanoseconds: NIODeadline.now().uptimeNanoseconds) },
        wall: { .now })
}

/// The log's disk as the driver sees it: it takes a batch at once and says later, on any thread, through which sequence
/// everything is on disk.
protocol DurableLog: Sendable {
    func append(_ batch: Batch)
}
