// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient

/// Finds out whether the cluster serves: a leader with a quorum answers a linearizable read.
enum ServingLeader {
    struct Served: Sendable {
        /// The cluster as a node that knows the leader sees it.
        let status: ClusterStatus
        /// When the read was answered.
        let at: ContinuousClock.Instant
    }

    /// Waits until a leader serves.
    /// - Returns: `nil` if there was none in time.
    static func wait(_ client: CoordinatorClient, atMost patience: Duration) async -> Served? {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            guard await Self.isServed(client, atMost: ContinuousClock.now.duration(to: deadline)) else { continue }
            let now = ContinuousClock.now
            let status = try? await client.cluster(patience: now.duration(to: deadline))
            if let status, status.leader != nil { return Served(status: status, at: now) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    /// Reads a transaction that doesn't exist. "There is none" is an answer that only a leader with a quorum gives.
    private static func isServed(_ client: CoordinatorClient, atMost patience: Duration) async -> Bool {
        do throws(CoordinatorClientError) {
            _ = try await client.transaction(GlobalTransactionID.next(), patience: patience)
            return true
        } catch {
            // After a restore the answer is "forgotten", which takes a leader as well.
            let isAnswer = error.code == .notFound || error.code == .forgotten
            if !isAnswer { try? await Task.sleep(for: .milliseconds(5)) }
            return isAnswer
        }
    }
}
