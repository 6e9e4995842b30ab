// SPDX-License-Identifier: Apache-2.0

import Locks

/// What an executor has done since the node started, for `/v1/node` and for metrics. Readable from any thread.
package struct ExecutorCounts: Hashable, Sendable {
    /// Attempts begun.
    package var started: UInt64 = 0
    /// Attempts after the first one, of those begun.
    package var retries: UInt64 = 0
    /// Answers that said "done".
    package var succeeded: UInt64 = 0
    /// Answers that said "no".
    package var failed: UInt64 = 0
    /// Attempts that gave no certain answer.
    package var unknown: UInt64 = 0
    /// Deadlines proposed as reached.
    package var deadlinesReached: UInt64 = 0
    /// Attempts in flight now.
    package var inFlight: Int = 0
}

final class ExecutorCounters: Sendable {
    private let counts = Locked(ExecutorCounts())

    var current: ExecutorCounts { self.counts.withLock { $0 } }

    func add(_ change: (inout ExecutorCounts) -> Void) {
        self.counts.withLock { change(&$0) }
    }
}
