// SPDX-License-Identifier: Apache-2.0

/// What one node's core is told at its start. Times are in nanoseconds of the monotonic clock.
package struct RaftConfiguration: Hashable, Sendable {
    package var nodeID: NodeID
    /// The life of the node's data folder: a member of the same name with another one is another node.
    package var storageID = StorageID.unknown
    /// The voters of a group whose log names none: as it was initialised.
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
    /// Bytes of applied entries that stay in the log, so that a follower that was away for a moment needs no snapshot.
    package var retainedLogBytes = 16 << 20
    /// How far a learner's log may be behind when it becomes a voter, in entries.
    package var promotionLag: UInt64 = 1_000
    #if PlantedBugs
        /// Bugs that the simulator must find.
        package var plantedBugs: Set<PlantedBug> = []
    #endif

    package init(nodeID: NodeID, voters: [NodeID]) {
        self.nodeID = nodeID
        self.voters = voters
    }

    /// This node as a membership names it.
    var member: Member { Member(nodeID: self.nodeID, storageID: self.storageID) }
}

#if PlantedBugs
    /// A known bug, planted on purpose (numbers as in Docs/faults.md). `verdictd` never has one.
    package enum PlantedBug: String, CaseIterable, Hashable, Sendable {
        /// 1: a vote is sent before it is durable.
        case voteBeforeDurable = "vote-before-durable"
        /// 20: a follower acknowledges entries before they are durable.
        case acknowledgeBeforeDurable = "ack-before-durable"
        /// 3: the term is raised at a candidacy and not saved.
        case candidacyNotSaved = "candidacy-not-saved"
        /// 5: a heartbeat of the same term clears the vote.
        case heartbeatClearsVote = "heartbeat-clears-vote"
        /// 18: a leader reads without asking whether it still leads.
        case readsWithoutRound = "reads-without-round"
        /// 22: every AppendEntries cuts off what stands behind its entries.
        case appendAlwaysTruncates = "append-always-truncates"
        /// 30: the log lets go of entries that the applied state on the disk doesn't hold yet.
        case compactsAhead = "compacts-ahead"
    }
#endif
