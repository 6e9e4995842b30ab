// SPDX-License-Identifier: Apache-2.0

/// What a leader knows of one follower's log (Raft paper, figure 2: nextIndex and matchIndex).
struct Progress: Hashable, Sendable {
    enum Mode: Hashable, Sendable {
        /// Where the logs match isn't known: one message, then its answer. Next: replicate.
        case probe(isAwaitingReply: Bool)
        /// They match: entries go out without waiting. Next: probe, when one is rejected or the connection changes;
        /// snapshot.
        case replicate
        /// The follower lacks entries that the log no longer has. Next: replicate, when it has caught up by a snapshot;
        /// probe, when its log turns out to reach far enough.
        case snapshot
    }

    private(set) var mode = Mode.probe(isAwaitingReply: false)
    private(set) var matchIndex = LogIndex.zero
    private(set) var nextIndex: LogIndex
    /// The last index of every message with entries that is under way, in order.
    private(set) var inflight: [LogIndex] = []
    /// When the follower last answered in this term.
    var lastHeard: Instant
    /// Its applied state is lost, by its latest answer: it takes entries, and needs a snapshot beside them.
    var needsState = false
    /// How often its log has lost entries to rot, by its latest answer, and whether that isn't made good yet.
    private(set) var losses: UInt64 = 0
    var isRepairing = false
    /// What it must have to vote again, once that is known.
    var repairTarget: RepairTarget?
    /// The latest round of reads that it echoed.
    var echoedRound: UInt64 = 0
    /// The highest leaderCommit and round of reads that it was sent.
    var sentCommit = LogIndex.zero
    var sentRound: UInt64 = 0

    init(nextIndex: LogIndex, now: Instant) {
        self.nextIndex = nextIndex
        self.lastHeard = now
    }

    /// Its log has lost entries: nothing that it acknowledged before counts.
    mutating func loses(_ losses: UInt64, next: LogIndex) {
        self = Progress(nextIndex: next, now: self.lastHeard)
        self.losses = losses
    }

    /// What is on the way is lost or in doubt: begin again behind what is known to match. As long as nothing is known, the
    /// search goes on where it was: a follower that hasn't answered yet need not lack anything.
    mutating func becomeProbe() {
        switch self.mode {
        case .probe: break
        case .replicate: self.nextIndex = self.matchIndex.next()
        case .snapshot: return
        }
        self.mode = .probe(isAwaitingReply: false)
        self.inflight.removeAll(keepingCapacity: true)
    }

    /// What the follower needs next is no longer in the log.
    mutating func becomeSnapshot() {
        self.mode = .snapshot
        self.inflight.removeAll(keepingCapacity: true)
    }

    mutating func sentProbe() {
        self.mode = .probe(isAwaitingReply: true)
    }

    /// Entries through `last` went out without waiting for an answer.
    mutating func sentEntries(through last: LogIndex) {
        self.nextIndex = last.next()
        self.inflight.append(last)
    }

    /// The follower has everything through `index` on its disk.
    mutating func acknowledged(through index: LogIndex) {
        self.matchIndex = max(self.matchIndex, index)
        self.nextIndex = max(self.nextIndex, self.matchIndex.next())
        if let behind = self.inflight.firstIndex(where: { $0 > index }) {
            self.inflight.removeFirst(behind)
        } else {
            self.inflight.removeAll(keepingCapacity: true)
        }
        self.mode = .replicate
    }

    /// The follower has no matching entry at `rejected`.
    /// - Returns: false when the rejection is an old one that says nothing new.
    mutating func rejected(at rejected: LogIndex, goOnAt hint: LogIndex) -> Bool {
        guard rejected > self.matchIndex else { return false }
        if case .probe = self.mode, rejected != self.nextIndex.previous() { return false }
        self.mode = .probe(isAwaitingReply: false)
        self.nextIndex = max(self.matchIndex.next(), min(hint, rejected))
        self.inflight.removeAll(keepingCapacity: true)
        return true
    }
}
