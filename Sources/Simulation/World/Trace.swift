// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Transactions

/// What happened, as a hash of everything and the text of the last events.
package struct Trace: Sendable {
    private struct Line: Sendable {
        let time: UInt64
        /// The node that it happened to; nil for the world.
        let node: Int?
        let event: TraceEvent
    }

    /// How many events are kept; nil keeps all.
    private let limit: Int?
    private var lines: [Line] = []
    /// Where the oldest line stands once the ring is full.
    private var start = 0
    private var running = StableHash()
    package private(set) var count: UInt64 = 0

    package init(limit: Int?) {
        self.limit = limit
        if let limit { self.lines.reserveCapacity(limit) }
    }

    package var hash: UInt64 { self.running.value }

    package mutating func record(_ event: TraceEvent, node: Int?, time: UInt64) {
        self.count += 1
        self.running.mix(time)
        self.running.mix(UInt64(bitPattern: Int64(node ?? -1)))
        event.mix(into: &self.running)
        let line = Line(time: time, node: node, event: event)
        guard let limit, self.lines.count == limit else { return self.lines.append(line) }
        self.lines[self.start] = line
        self.start = (self.start + 1) % limit
    }

    /// One line for each event kept, oldest first.
    package var text: [String] {
        (self.lines[self.start...] + self.lines[..<self.start]).map { line in
            let who = line.node.map { "n\($0 + 1)" } ?? "--"
            return "\(Describe.seconds(line.time)) \(who) \(line.event.description)"
        }
    }
}

extension TraceEvent {
    func mix(into hash: inout StableHash) {
        switch self {
        case .sent(let message, let peer): Self.mix(1, message, peer, &hash)
        case .dropped(let message, let peer): Self.mix(2, message, peer, &hash)
        case .received(let message, let peer): Self.mix(3, message, peer, &hash)
        case .deadline: hash.mix(4)
        case .persisting(let batch): Self.mix(5, [batch.sequence, UInt64(batch.entries.count)], &hash)
        case .persisted(let sequence): Self.mix(6, [sequence], &hash)
        case .connected(let peer): Self.mix(7, [UInt64(peer)], &hash)
        case .disconnected(let peer, let isRefused): Self.mix(8, [UInt64(peer), isRefused ? 1 : 0], &hash)
        case .role(let summary):
            Self.mix(9, [summary.term.rawValue], &hash)
            hash.mix(Array(summary.role.rawValue.utf8))
        case .applied(let first, let last): Self.mix(10, [first.rawValue, last.rawValue], &hash)
        case .proposed(let client, let sequence): Self.mix(11, [UInt64(client), sequence], &hash)
        case .read(let client): Self.mix(12, [UInt64(client)], &hash)
        case .commanded(let client, let gid):
            Self.mix(27, [UInt64(client)], &hash)
            hash.mix(Array(gid.rawValue.utf8))
        case .called(let gid, let branchID, let operation, let attempt):
            Self.mix(28, [UInt64(operation.rawValue), UInt64(attempt)], &hash)
            hash.mix(Array((gid.rawValue + branchID.rawValue).utf8))
        case .heard(let gid, let branchID, let operation, let verdict):
            Self.mix(29, [UInt64(operation.rawValue), UInt64(verdict.rawValue)], &hash)
            hash.mix(Array((gid.rawValue + branchID.rawValue).utf8))
        case .answered(let client, let attempt): Self.mix(13, [UInt64(client), attempt], &hash)
        case .down(let kind, let survivors, let count):
            Self.mix(14, [UInt64(kind.rawValue), UInt64(survivors), UInt64(count)], &hash)
        case .started(let term, _, let last, let applied):
            Self.mix(15, [term.rawValue, last.rawValue, applied.rawValue], &hash)
        case .foundRot: hash.mix(16)
        case .repaired(let index): Self.mix(42, [index.rawValue], &hash)
        case .paused(let nanoseconds): Self.mix(17, [nanoseconds], &hash)
        case .resumed: hash.mix(18)
        case .stalled(let kind, let nanoseconds): Self.mix(19, [UInt64(kind.rawValue), nanoseconds], &hash)
        case .harmed: hash.mix(20)
        case .cut(let from, let to): Self.mix(21, [UInt64(from), UInt64(to)], &hash)
        case .clogged(let from, let to, let nanoseconds): Self.mix(22, [UInt64(from), UInt64(to), nanoseconds], &hash)
        case .healedLink(let from, let to): Self.mix(23, [UInt64(from), UInt64(to)], &hash)
        case .healed: hash.mix(24)
        case .probed(let index): Self.mix(25, [index.rawValue], &hash)
        case .takingSnapshot(let position): Self.mix(30, [position.index.rawValue], &hash)
        case .fetching(let position, let peer, let part):
            Self.mix(31, [position.index.rawValue, UInt64(peer), UInt64(part)], &hash)
        case .installed(let position): Self.mix(32, [position.index.rawValue], &hash)
        case .finishesInstall(let position): Self.mix(33, [position.index.rawValue], &hash)
        case .transfers: hash.mix(34)
        case .changesMembers: hash.mix(35)
        case .membersRefused: hash.mix(36)
        case .diskLost: hash.mix(37)
        case .stateLost: hash.mix(38)
        case .upgraded: hash.mix(40)
        case .metNewer(let format): Self.mix(41, [UInt64(format.rawValue)], &hash)
        case .clockJumps(let milliseconds): Self.mix(39, [UInt64(bitPattern: milliseconds)], &hash)
        case .diskFull(let isFull): Self.mix(26, [isFull ? 1 : 0], &hash)
        }
    }

    private static func mix(_ tag: UInt64, _ words: [UInt64], _ hash: inout StableHash) {
        hash.mix(tag)
        for word in words { hash.mix(word) }
    }

    private static func mix(_ tag: UInt64, _ message: Message, _ peer: Int, _ hash: inout StableHash) {
        hash.mix(tag << 8 | UInt64(peer))
        switch message {
        case .preVote(let request): Self.mix(request, 1, &hash)
        case .preVoteReply(let reply):
            hash.mix(2 << 1 | (reply.isGranted ? 1 : 0))
            hash.mix(reply.term.rawValue)
            hash.mix(reply.candidacyTerm.rawValue)
        case .requestVote(let request): Self.mix(request, 3, &hash)
        case .requestVoteReply(let reply):
            hash.mix(4 << 1 | (reply.isGranted ? 1 : 0))
            hash.mix(reply.term.rawValue)
        case .appendEntries(let request):
            hash.mix(5 << 32 | UInt64(request.entries.count))
            hash.mix(request.term.rawValue)
            hash.mix(request.prevLogIndex.rawValue)
            hash.mix(request.prevLogTerm.rawValue)
            hash.mix(request.leaderCommit.rawValue)
            hash.mix(request.readRound)
        case .appendEntriesReply(let reply):
            hash.mix(6)
            hash.mix(reply.term.rawValue)
            hash.mix(reply.readRound)
            switch reply.outcome {
            case .success(let matchIndex): hash.mix(matchIndex.rawValue)
            case .conflict(let rejected, let term, let index):
                hash.mix(rejected.rawValue)
                hash.mix(term?.rawValue ?? 0)
                hash.mix(index.rawValue)
            case .staleTerm: hash.mix(7)
            case .installing: hash.mix(8)
            }
            if let index = reply.needsStateFrom { hash.mix(index.rawValue) }
            if reply.losses > 0 { hash.mix(reply.losses << 1 | (reply.isRepairing ? 1 : 0)) }
        case .installSnapshot(let request):
            hash.mix(9)
            hash.mix(request.term.rawValue)
            hash.mix(request.readRound)
            hash.mix(request.offer.position.index.rawValue)
            hash.mix(UInt64(request.offer.description.checksum))
        case .timeoutNow(let request):
            hash.mix(10)
            hash.mix(request.term.rawValue)
        }
    }

    private static func mix(_ request: VoteRequest, _ tag: UInt64, _ hash: inout StableHash) {
        hash.mix(tag)
        hash.mix(request.term.rawValue)
        hash.mix(request.lastLogIndex.rawValue)
        hash.mix(request.lastLogTerm.rawValue)
    }
}
