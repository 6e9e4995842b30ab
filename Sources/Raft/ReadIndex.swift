// SPDX-License-Identifier: Apache-2.0

/// Linearizable reads without a log entry (Ongaro's thesis, section 6.4): the leader notes its commit index, makes sure by
/// a round of messages begun afterwards that it still leads, and reads when that index is applied.
///
/// Reads are coalesced: those that arrive while a round is under way share the next one.
struct ReadRounds: Hashable, Sendable {
    /// The latest round begun.
    private(set) var current: UInt64 = 0
    /// Reads that no round covers yet.
    private(set) var waiting: [ReadID] = []
    private(set) var underWay: (index: LogIndex, reads: [ReadID])?

    mutating func add(_ read: ReadID) { self.waiting.append(read) }

    /// Begins a round for the reads that wait, unless one is under way.
    mutating func startRound(commitIndex: LogIndex) {
        guard self.underWay == nil, !self.waiting.isEmpty else { return }
        self.current += 1
        self.underWay = (commitIndex, self.waiting)
        self.waiting = []
    }

    /// The reads of the round under way, which a majority has echoed.
    mutating func finishRound() -> (index: LogIndex, reads: [ReadID])? {
        defer { self.underWay = nil }
        return self.underWay
    }

    var all: [ReadID] { (self.underWay?.reads ?? []) + self.waiting }

    static func == (left: ReadRounds, right: ReadRounds) -> Bool {
        left.current == right.current && left.waiting == right.waiting && left.underWay?.index == right.underWay?.index
            && left.underWay?.reads == right.underWay?.reads
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.current)
        hasher.combine(self.waiting)
        hasher.combine(self.underWay?.index)
        hasher.combine(self.underWay?.reads)
    }
}

extension RaftCore {
    mutating func read(_ id: ReadID) {
        guard case .leader(var leader) = self.role else {
            self.effects.append(.readRefused(id, leaderID: self.leaderID))
            return
        }
        leader.reads.add(id)
        self.role = .leader(leader)
    }

    /// A leader serves reads once an entry of its own term is committed: before that it can't know the commit index
    /// (Raft paper, section 8).
    func startReadRound(_ leader: inout LeaderState) {
        guard self.commitIndex >= leader.firstIndex || self.readsTooEarly else { return }
        leader.reads.startRound(commitIndex: self.commitIndex)
    }

    private var readsTooEarly: Bool {
        #if PlantedBugs
            self.isPlanted(.readsBeforeOwnEntry)
        #else
            false
        #endif
    }

    /// The reads of a round that a majority has echoed. Comes before the turn's messages, so that they begin the next
    /// round at once.
    mutating func finishReadRound() -> [RaftEffect] {
        guard case .leader(var leader) = self.role else { return [] }
        #if PlantedBugs
            if self.isPlanted(.readsWithoutRound), let round = leader.reads.finishRound() {
                self.role = .leader(leader)
                return round.reads.map { .readReady($0, index: round.index) }
            }
        #endif
        let isEchoed = self.electorate.hasMajority(own: true) { position in
            #if PlantedBugs
                if self.isPlanted(.readsByOldEcho) {
                    return leader.progress[position].echoedRound + 1 >= leader.reads.current
                }
            #endif
            return leader.progress[position].echoedRound == leader.reads.current
        }
        guard isEchoed, let round = leader.reads.finishRound() else { return [] }
        self.role = .leader(leader)
        return round.reads.map { .readReady($0, index: round.index) }
    }

    /// A leader that steps down can't vouch for its commit index any more.
    mutating func refuseReads(of leader: LeaderState, leaderID: NodeID?) {
        for read in leader.reads.all { self.effects.append(.readRefused(read, leaderID: leaderID)) }
    }
}
