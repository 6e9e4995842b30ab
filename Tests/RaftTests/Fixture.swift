// SPDX-License-Identifier: Apache-2.0

import Raft

/// One core and its disk, driven by hand: the tests' side of the driver's contract.
struct Fixture {
    static let millisecond: UInt64 = 1_000_000
    private(set) var core: RaftCore
    private(set) var now: Instant
    private let size: Int
    /// Batches given out and not yet on disk.
    private(set) var unsaved: [Batch] = []

    /// - Parameters:
    ///   - size: voters n1, n2, …; the core under test is n1.
    ///   - membership: who takes part at the base, if that isn't `size` voters.
    ///   - terms: the terms of the commands that its log holds, from the base on.
    ///   - more: entries behind those.
    ///   - applied: the base, if nothing is said.
    ///   - lacksState: its applied state is lost.
    ///   - losses: its log has lost entries so often, the last time just now.
    init(
        size: Int = 3, currentTerm: UInt64 = 0, votedFor: NodeID? = nil, base: LogPosition = .zero,
        membership: Membership? = nil, terms: [UInt64] = [], more: [Entry] = [], applied: UInt64? = nil,
        lacksState: Bool = false, losses: UInt64 = 0,
        seed: UInt64 = 1, adjust: (inout RaftConfiguration) -> Void = { _ in }
    ) {
        let voters = (1...size).map { NodeID(rawValue: "n\($0)") }
        self.size = size
        var configuration = RaftConfiguration(nodeID: "n1", voters: voters)
        adjust(&configuration)
        let entries = terms.enumerated().map { position, term in
            Entry.test(base.index.rawValue + UInt64(position + 1), term: term)
        }
        self.now = Instant(nanoseconds: 1_000 * Self.millisecond)
        self.core = RaftCore(
            configuration: configuration,
            recovered: RecoveredLog(
                hardState: HardState(
                    currentTerm: Term(rawValue: currentTerm), votedFor: votedFor, losses: losses,
                    isRepairing: losses > 0), base: base,
                entries: entries + more, membership: membership ?? .test(voters)),
            appliedIndex: lacksState ? nil : applied.map(LogIndex.init(rawValue:)) ?? base.index, seed: seed,
            now: self.now)
    }

    /// One turn. What it gives to the disk stays unsaved until `save`.
    @discardableResult
    mutating func step(_ inputs: RaftInput...) -> [RaftEffect] {
        let effects = self.core.step(inputs, now: self.now)
        for case .persist(let batch) in effects { self.unsaved.append(batch) }
        return effects
    }

    /// The disk has everything.
    @discardableResult
    mutating func save() -> [RaftEffect] {
        guard let last = self.unsaved.last else { return [] }
        self.unsaved.removeAll()
        return self.step(.persisted(through: last.sequence))
    }

    /// One turn, its disk writes included.
    @discardableResult
    mutating func stepAndSave(_ inputs: RaftInput...) -> [RaftEffect] {
        var effects = self.core.step(inputs, now: self.now)
        for case .persist(let batch) in effects { self.unsaved.append(batch) }
        effects += self.save()
        return effects
    }

    mutating func advance(milliseconds: UInt64) {
        self.now = self.now.advanced(byNanoseconds: milliseconds * Self.millisecond)
    }

    /// Lets the clock run to the next deadline of the core.
    @discardableResult
    mutating func elapse() -> [RaftEffect] {
        self.now = max(self.now, self.core.nextDeadline)
        return self.stepAndSave()
    }

    /// Makes the core leader of the next term with the votes of its peers, and its own entry durable.
    @discardableResult
    mutating func elect() -> [RaftEffect] { self.elect(by: self.size == 5 ? ["n2", "n3"] : ["n2"]) }

    @discardableResult
    mutating func elect(by voters: [NodeID]) -> [RaftEffect] {
        self.elapse()
        let term = self.core.currentTerm
        for voter in voters { self.stepAndSave(.received(.preVoteReply(.granted(term)), from: voter)) }
        var effects: [RaftEffect] = []
        for voter in voters {
            effects += self.stepAndSave(
                .received(.requestVoteReply(RequestVoteReply(term: term.next(), isGranted: true)), from: voter))
        }
        return effects
    }

    /// A follower's acknowledgement in the current term.
    @discardableResult
    mutating func acknowledge(
        _ index: UInt64, from peer: NodeID, round: UInt64 = 0, needsStateFrom: LogIndex? = nil, losses: UInt64 = 0,
        isRepairing: Bool = false
    ) -> [RaftEffect] {
        self.stepAndSave(
            .received(
                .appendEntriesReply(
                    AppendEntriesReply(
                        term: self.core.currentTerm, outcome: .success(matchIndex: LogIndex(rawValue: index)),
                        readRound: round, needsStateFrom: needsStateFrom, losses: losses, isRepairing: isRepairing)),
                from: peer))
    }

    /// A follower says in the current term that it takes no entries now.
    @discardableResult
    mutating func answerInstalling(from peer: NodeID) -> [RaftEffect] { self.answer(.installing, from: peer) }

    /// A follower's answer in the current term.
    @discardableResult
    mutating func answer(_ outcome: AppendEntriesReply.Outcome, from peer: NodeID) -> [RaftEffect] {
        let reply = AppendEntriesReply(term: self.core.currentTerm, outcome: outcome, readRound: 0)
        return self.stepAndSave(.received(.appendEntriesReply(reply), from: peer))
    }

    /// A follower says that it has nothing at `rejected`, and that its log ends before `hint`.
    @discardableResult
    mutating func reject(_ rejected: UInt64, hint: UInt64, from peer: NodeID) -> [RaftEffect] {
        self.answer(
            .conflict(
                rejectedIndex: LogIndex(rawValue: rejected), conflictTerm: nil, conflictIndex: LogIndex(rawValue: hint)),
            from: peer)
    }

    /// Commands of one byte each.
    @discardableResult
    mutating func propose(_ count: Int = 1, bytes: Int = 1) -> [RaftEffect] {
        let payload = [UInt8](repeating: 7, count: bytes)
        return self.stepAndSave(
            .propose(ProposalID(rawValue: 1), payloads: [[UInt8]](repeating: payload, count: count)))
    }

    @discardableResult
    mutating func change(_ change: MembershipChange) -> [RaftEffect] {
        self.stepAndSave(.changeMembership(ProposalID(rawValue: 9), change))
    }
}

extension NodeID: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(rawValue: value) }
}

extension Term: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}

extension LogIndex: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}

extension Entry {
    static func test(_ index: UInt64, term: UInt64) -> Entry {
        Entry(
            index: LogIndex(rawValue: index), term: Term(rawValue: term), kind: .command,
            payload: Array("\(term).\(index)".utf8))
    }
}

extension Entry {
    static func test(_ index: UInt64, term: UInt64, _ membership: Membership) -> Entry {
        Entry(
            index: LogIndex(rawValue: index), term: Term(rawValue: term), kind: .membership,
            payload: MembershipCodec.encode(membership))
    }
}

extension Member {
    /// Each has a disk that is known.
    static func test(_ nodeID: NodeID) -> Member {
        let number = nodeID.rawValue.utf8.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) }
        return Member(nodeID: nodeID, storageID: StorageID(rawValue: number))
    }
}

extension Membership {
    static func test(_ voters: [NodeID], outgoing: [NodeID] = [], learners: [NodeID] = []) -> Membership {
        Membership(
            voters: voters.map(Member.test), outgoing: outgoing.map(Member.test), learners: learners.map(Member.test))
    }

    static let three = Membership.test(["n1", "n2", "n3"])
}

extension LogPosition {
    static func test(_ index: UInt64, term: UInt64) -> LogPosition {
        LogPosition(index: LogIndex(rawValue: index), term: Term(rawValue: term))
    }
}

extension SnapshotDescription {
    static func test(_ index: UInt64, term: UInt64) -> SnapshotDescription {
        SnapshotDescription(position: .test(index, term: term), length: 1_000 + index, checksum: 7)
    }
}

extension SnapshotOffer {
    static func test(_ index: UInt64, term: UInt64, _ membership: Membership = .three) -> SnapshotOffer {
        SnapshotOffer(description: .test(index, term: term), membership: membership)
    }
}

extension InstallSnapshot {
    static func test(term: UInt64, _ offer: SnapshotOffer, round: UInt64 = 0) -> Message {
        .installSnapshot(InstallSnapshot(term: Term(rawValue: term), offer: offer, readRound: round))
    }
}

extension PreVoteReply {
    /// A yes of a voter in `term` to a candidacy in the next one.
    static func granted(_ term: Term) -> PreVoteReply {
        PreVoteReply(term: term, candidacyTerm: term.next(), isGranted: true)
    }
}

extension AppendEntries {
    static func test(
        term: UInt64, after index: UInt64 = 0, of previousTerm: UInt64 = 0, _ entries: [Entry] = [], commit: UInt64 = 0,
        round: UInt64 = 0, repair: RepairTarget? = nil
    ) -> Message {
        .appendEntries(
            AppendEntries(
                term: Term(rawValue: term), prevLogIndex: LogIndex(rawValue: index),
                prevLogTerm: Term(rawValue: previousTerm), entries: entries,
                leaderCommit: LogIndex(rawValue: commit), readRound: round, repair: repair))
    }
}

extension VoteRequest {
    static func test(_ term: UInt64, lastIndex: UInt64 = 0, lastTerm: UInt64 = 0, isTransfer: Bool = false)
        -> VoteRequest
    {
        VoteRequest(
            term: Term(rawValue: term), lastLogIndex: LogIndex(rawValue: lastIndex),
            lastLogTerm: Term(rawValue: lastTerm), isLeadershipTransfer: isTransfer)
    }
}

extension [RaftEffect] {
    func messages(to peer: NodeID? = nil) -> [Message] {
        self.compactMap { effect in
            guard case .send(let message, let receiver) = effect, peer == nil || receiver == peer else { return nil }
            return message
        }
    }

    func appends(to peer: NodeID) -> [AppendEntries] {
        self.messages(to: peer).compactMap { if case .appendEntries(let append) = $0 { append } else { nil } }
    }

    var replies: [AppendEntriesReply] {
        self.messages().compactMap { if case .appendEntriesReply(let reply) = $0 { reply } else { nil } }
    }

    var voteReplies: [RequestVoteReply] {
        self.messages().compactMap { if case .requestVoteReply(let reply) = $0 { reply } else { nil } }
    }

    var preVoteReplies: [PreVoteReply] {
        self.messages().compactMap { if case .preVoteReply(let reply) = $0 { reply } else { nil } }
    }

    func offers(to peer: NodeID) -> [SnapshotOffer] {
        self.messages(to: peer).compactMap { if case .installSnapshot(let request) = $0 { request.offer } else { nil } }
    }

    /// Whom a leader has told to stand for election.
    var toldToStand: [NodeID] {
        self.compactMap { if case .send(.timeoutNow, let peer) = $0 { peer } else { nil } }
    }

    /// Who is asked for a vote, with the request.
    var voteRequests: [NodeID: VoteRequest] {
        var requests: [NodeID: VoteRequest] = [:]
        for case .send(.requestVote(let request), let peer) in self { requests[peer] = request }
        return requests
    }

    var memberships: [Membership] {
        self.compactMap { if case .membershipChanged(let membership) = $0 { membership } else { nil } }
    }

    var membershipProblems: [MembershipProblem] {
        self.compactMap { if case .membershipRefused(_, let problem) = $0 { problem } else { nil } }
    }

    var batches: [Batch] { self.compactMap { if case .persist(let batch) = $0 { batch } else { nil } } }

    var appliedIndexes: [UInt64] {
        self.flatMap { (effect: RaftEffect) -> [UInt64] in
            guard case .apply(let entries) = effect else { return [] }
            return entries.map(\.index.rawValue)
        }
    }

    var readsReady: [ReadID] { self.compactMap { if case .readReady(let id, _) = $0 { id } else { nil } } }
}
