// SPDX-License-Identifier: Apache-2.0

/// A voter of a group, with the life of its data folder that its votes count for.
package struct Member: Hashable, Sendable {
    package let nodeID: NodeID
    package let storageID: StorageID

    package init(nodeID: NodeID, storageID: StorageID) {
        self.nodeID = nodeID
        self.storageID = storageID
    }
}

/// What one node's core is told at its start. Times are in nanoseconds of the monotonic clock.
package struct RaftConfiguration: Hashable, Sendable {
    package var nodeID: NodeID
    /// Every voter of the group, this node included.
    package var voters: [NodeID]
    /// Time between AppendEntries of an idle leader. Under half of the shortest election timeout, or followers stand for
    /// election below a healthy leader.
    package var heartbeatInterval: UInt64 = 30_000_000
    /// A follower draws its election timeout from this range (Raft paper, section 9.3). Too narrow: split votes.
    package var electionTimeout: ClosedRange<UInt64> = 150_000_000...300_000_000
    /// How long a follower waits before PreVote once the leader's process is known to be gone.
    package var lostLeaderDelay: ClosedRange<UInt64> = 1_000_000...12_000_000
    /// How long it waits before it tries again while the leader's process is known to be gone.
    package var lostLeaderRetry: ClosedRange<UInt64> = 25_000_000...75_000_000
    /// Bytes of payload in one AppendEntries; one entry always fits.
    package var maximumMessageBytes = 1 << 20
    /// AppendEntries with entries under way to one peer before the leader waits for an answer.
    package var maximumInflightMessages = 16
    /// Bytes of payload that may stand uncommitted in a leader's log before it refuses proposals.
    package var maximumUncommittedBytes = 64 << 20
    #if PlantedBugs
        /// Bugs that the simulator must find.
        package var plantedBugs: Set<PlantedBug> = []
    #endif

    package init(nodeID: NodeID, voters: [NodeID]) {
        self.nodeID = nodeID
        self.voters = voters
    }
}

#if PlantedBugs
    /// A known bug, planted on purpose (numbers as in Docs/faults.md). `verdictd` never has one.
    package enum PlantedBug: String, CaseIterable, Hashable, Sendable {
        /// 1: a vote is sent before it is durable.
        case voteBeforeDurable = "vote-before-durable"
        /// 20: a follower acknowledges entries before they are durable.
        case acknowledgeBeforeDurable = "ack-before-durable"
    }
#endif
