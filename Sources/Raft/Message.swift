// SPDX-License-Identifier: Apache-2.0

/// What one node's core says to another's.
///
/// The transport checks cluster, group, node and storage id of the sender before the core sees a message, and a
/// `MessageHeader` carries them in every frame.
package enum Message: Hashable, Sendable {
    case preVote(VoteRequest)
    case preVoteReply(PreVoteReply)
    case requestVote(VoteRequest)
    case requestVoteReply(RequestVoteReply)
    case appendEntries(AppendEntries)
    case appendEntriesReply(AppendEntriesReply)
    case installSnapshot(InstallSnapshot)
    case timeoutNow(TimeoutNow)

    /// Whether it is somebody's word about what this node asked of it: it counts only if a membership names the sender. A
    /// request is heard of anybody in the cluster, since the sender's log may know of members that this one doesn't
    /// (Raft paper, section 6).
    package var isReply: Bool {
        switch self {
        case .preVoteReply, .requestVoteReply, .appendEntriesReply: true
        case .preVote, .requestVote, .appendEntries, .installSnapshot, .timeoutNow: false
        }
    }

    /// The sender's term; of a pre-vote, the one that it would stand in.
    var term: Term {
        switch self {
        case .preVote(let request), .requestVote(let request): request.term
        case .preVoteReply(let reply): reply.term
        case .requestVoteReply(let reply): reply.term
        case .appendEntries(let request): request.term
        case .appendEntriesReply(let reply): reply.term
        case .installSnapshot(let request): request.term
        case .timeoutNow(let request): request.term
        }
    }
}

/// Who says a message, to whom, in which group of which cluster.
package struct MessageHeader: Hashable, Sendable {
    package let cluster: ClusterID
    package let group: GroupID
    package let from: NodeID
    package let fromStorage: StorageID
    package let to: NodeID

    package init(cluster: ClusterID, group: GroupID, from: NodeID, fromStorage: StorageID, to: NodeID) {
        self.cluster = cluster
        self.group = group
        self.from = from
        self.fromStorage = fromStorage
        self.to = to
    }
}

/// A candidate asks for a vote (Raft paper, section 5.2), or a follower asks whether it would get one
/// (Ongaro's thesis, section 9.6).
package struct VoteRequest: Hashable, Sendable {
    /// The term of the candidacy; in a PreVote the one that it would have.
    package let term: Term
    package let lastLogIndex: LogIndex
    package let lastLogTerm: Term
    /// The leader of the term before asked for this candidacy, so a voter need not protect that leader
    /// (Ongaro's thesis, section 4.2.3).
    package let isLeadershipTransfer: Bool

    package init(term: Term, lastLogIndex: LogIndex, lastLogTerm: Term, isLeadershipTransfer: Bool) {
        self.term = term
        self.lastLogIndex = lastLogIndex
        self.lastLogTerm = lastLogTerm
        self.isLeadershipTransfer = isLeadershipTransfer
    }
}

package struct PreVoteReply: Hashable, Sendable {
    /// The voter's current term.
    package let term: Term
    /// The term that was asked about.
    package let candidacyTerm: Term
    package let isGranted: Bool

    package init(term: Term, candidacyTerm: Term, isGranted: Bool) {
        self.term = term
        self.candidacyTerm = candidacyTerm
        self.isGranted = isGranted
    }
}

package struct RequestVoteReply: Hashable, Sendable {
    package let term: Term
    package let isGranted: Bool

    package init(term: Term, isGranted: Bool) {
        self.term = term
        self.isGranted = isGranted
    }
}

/// Entries to follow `prevLogIndex`; without entries it is the heartbeat (Raft paper, figure 2).
package struct AppendEntries: Hashable, Sendable {
    package let term: Term
    package let prevLogIndex: LogIndex
    package let prevLogTerm: Term
    package let entries: [Entry]
    package let leaderCommit: LogIndex
    /// The latest round of reads that the leader has begun. The reply echoes it (Raft paper, section 8; Ongaro's
    /// thesis, section 6.4).
    package let readRound: UInt64
    /// What the follower must have before it votes again, if its log has lost entries.
    package let repair: RepairTarget?

    package init(
        term: Term, prevLogIndex: LogIndex, prevLogTerm: Term, entries: [Entry], leaderCommit: LogIndex,
        readRound: UInt64, repair: RepairTarget? = nil
    ) {
        self.repair = repair
        self.term = term
        self.prevLogIndex = prevLogIndex
        self.prevLogTerm = prevLogTerm
        self.entries = entries
        self.leaderCommit = leaderCommit
        self.readRound = readRound
    }
}

/// A follower needs entries that the leader's log no longer has: it may fetch this snapshot instead (Raft paper, figure 13;
/// the file itself travels beside the messages). It is answered like AppendEntries, and keeps the leader known like a
/// heartbeat.
package struct InstallSnapshot: Hashable, Sendable {
    package let term: Term
    package let offer: SnapshotOffer
    /// As in AppendEntries.
    package let readRound: UInt64

    package init(term: Term, offer: SnapshotOffer, readRound: UInt64) {
        self.term = term
        self.offer = offer
        self.readRound = readRound
    }
}

/// The leader asks a follower that has its whole log to stand for election at once (Ongaro's thesis, section 3.10).
package struct TimeoutNow: Hashable, Sendable {
    package let term: Term

    package init(term: Term) {
        self.term = term
    }
}

package struct AppendEntriesReply: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        /// The follower's log on its disk matches the leader's through `matchIndex`.
        case success(matchIndex: LogIndex)
        /// The follower has no entry of `prevLogTerm` at `rejectedIndex`. The leader goes on at or before
        /// `conflictIndex`: the first index of `conflictTerm` in the follower's log, or the one behind its last entry
        /// (Raft paper, end of section 5.3).
        case conflict(rejectedIndex: LogIndex, conflictTerm: Term?, conflictIndex: LogIndex)
        /// Says nothing of the log. With a higher term: the sender's is over, it is no leader any more. With the sender's
        /// own term: it was heard, and the follower has no room for entries. Echoes no round of reads.
        case staleTerm
        /// The follower takes no entries now: it fetches or installs the leader's snapshot.
        case installing
    }

    package let term: Term
    package let outcome: Outcome
    /// The `readRound` of the request.
    package let readRound: UInt64
    /// The follower's applied state is lost: it needs a snapshot at this index or behind it. Its log is whole, and the outcome
    /// is true of that.
    package let needsStateFrom: LogIndex?
    /// How often the follower's log has lost entries to rot, and whether it hasn't got all of them back yet.
    package let losses: UInt64
    package let isRepairing: Bool

    package init(
        term: Term, outcome: Outcome, readRound: UInt64, needsStateFrom: LogIndex? = nil, losses: UInt64 = 0,
        isRepairing: Bool = false
    ) {
        self.losses = losses
        self.isRepairing = isRepairing
        self.term = term
        self.outcome = outcome
        self.readRound = readRound
        self.needsStateFrom = needsStateFrom
    }
}
