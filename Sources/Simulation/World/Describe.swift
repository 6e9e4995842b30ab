// SPDX-License-Identifier: Apache-2.0

import Bytes
package import Raft
import Transactions

/// The words in which traces and scenarios show what nodes say and do.
package enum Describe {
    /// Simulated seconds with microseconds.
    package static func seconds(_ nanoseconds: UInt64) -> String {
        let micros = String(nanoseconds / 1000 % 1_000_000)
        return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 6 - micros.count) + micros
    }

    package static func milliseconds(_ nanoseconds: UInt64) -> String { "\(nanoseconds / 1_000_000) ms" }

    /// `index/term`, as in "3/2": entry 3, of term 2.
    package static func position(_ index: LogIndex, _ term: Term) -> String { "\(index.rawValue)/\(term.rawValue)" }

    package static func entry(_ entry: Entry) -> String {
        let place = self.position(entry.index, entry.term)
        switch entry.kind {
        case .leaderStart: return "\(place) start"
        case .command:
            if let write = RegisterWrite(payload: entry.payload) {
                return "\(place) c\(write.client)#\(write.sequence)"
            }
            if let batch = StateMachine.batch(of: entry, known: World.newestKnown) {
                return "\(place) " + batch.commands.map(self.command).joined(separator: "+")
            }
            if entry.payload.isEmpty { return place }
            let isText = entry.payload.allSatisfy { (0x20..<0x7f).contains($0) }
            return isText ? "\(place) \(String(decoding: entry.payload, as: UTF8.self))" : "\(place) command"
        case .membership:
            guard let membership = try? MembershipCodec.decode(entry.payload) else { return "\(place) members?" }
            return "\(place) \(self.membership(membership))"
        }
    }

    static func command(_ command: Command) -> String {
        switch command {
        case .submit(let submission): "submit \(submission.gid)"
        case .begin(let beginning): "begin \(beginning.gid)"
        case .registerBranch(let gid, let spec): "register \(gid)/\(spec.id)"
        case .commit(let gid): "commit \(gid)"
        case .abort(let gid, _): "abort \(gid)"
        case .branchResult(let result):
            "\(result.gid)/\(result.branchID) \(result.operation.name) \(self.verdict(result.verdict))"
        case .attemptsFailed(let failed): "\(failed.gid)/\(failed.branchID) \(failed.operation.name) fails"
        case .deadlineReached(let gid): "deadline \(gid)"
        case .liftMark: "lifts the mark"
        case .release(let release): "releases \(release.gid)"
        case .raiseFormat(let format): "raises the format to \(format)"
        #if NextFormat
            case .remark: "remarks"
        #endif
        }
    }

    static func verdict(_ verdict: BranchVerdict) -> String {
        switch verdict {
        case .success: "yes"
        case .failure: "no"
        }
    }

    package static func entries(_ entries: [Entry]) -> String {
        "[" + entries.map(self.entry).joined(separator: ", ") + "]"
    }

    package static func message(_ message: Message) -> String {
        switch message {
        case .preVote(let request): "PreVote \(self.request(request))"
        case .preVoteReply(let reply):
            "PreVoteReply term=\(reply.term.rawValue) for=\(reply.candidacyTerm.rawValue) \(self.vote(reply.isGranted))"
        case .requestVote(let request): "RequestVote \(self.request(request))"
        case .requestVoteReply(let reply):
            "RequestVoteReply term=\(reply.term.rawValue) \(self.vote(reply.isGranted))"
        case .appendEntries(let request):
            "AppendEntries term=\(request.term.rawValue) "
                + "prev=\(self.position(request.prevLogIndex, request.prevLogTerm)) "
                + "commit=\(request.leaderCommit.rawValue)"
                + (request.readRound > 0 ? " round=\(request.readRound)" : "")
                + (request.repair.map { " repair \($0.loss) through=\($0.index.rawValue)" } ?? "")
                + " \(self.entries(request.entries))"
        case .appendEntriesReply(let reply):
            "AppendEntriesReply term=\(reply.term.rawValue) \(self.outcome(reply.outcome))"
                + (reply.readRound > 0 ? " round=\(reply.readRound)" : "")
                + (reply.needsStateFrom.map { " needs state from=\($0.rawValue)" } ?? "")
                + (reply.losses > 0 ? " losses=\(reply.losses)\(reply.isRepairing ? " repairing" : "")" : "")
        case .installSnapshot(let request):
            "InstallSnapshot term=\(request.term.rawValue) \(self.offer(request.offer))"
                + (request.readRound > 0 ? " round=\(request.readRound)" : "")
        case .timeoutNow(let request): "TimeoutNow term=\(request.term.rawValue)"
        }
    }

    package static func offer(_ offer: SnapshotOffer) -> String {
        "through=\(self.position(offer.position.index, offer.position.term)) \(self.membership(offer.membership))"
    }

    /// `{n1 n2 n3}`, in a joint phase `{n1 n2 n4 | n1 n2 n3}`, learners behind a plus.
    package static func membership(_ membership: Membership) -> String {
        func names(_ members: [Member]) -> String { members.map(\.nodeID.rawValue).joined(separator: " ") }
        return "{" + names(membership.voters) + (membership.isJoint ? " | \(names(membership.outgoing))" : "")
            + (membership.learners.isEmpty ? "" : " + \(names(membership.learners))") + "}"
    }

    package static func role(_ summary: RoleSummary) -> String {
        "\(summary.role.rawValue) term=\(summary.term.rawValue) leader=\(summary.leaderID?.rawValue ?? "-")"
    }

    package static func batch(_ batch: Batch) -> String {
        "#\(batch.sequence) term=\(batch.hardState.currentTerm.rawValue) "
            + "vote=\(batch.hardState.votedFor?.rawValue ?? "-")"
            + (batch.hardState.isRepairing ? " repairing" : "")
            + (batch.base.map { base in
                (base.keepsEntries ? " begins behind " : " is a snapshot at ")
                    + self.position(base.position.index, base.position.term)
            } ?? "")
            + (batch.truncateFrom.map { " cut from \($0.rawValue)" } ?? "") + " \(self.entries(batch.entries))"
    }

    package static func rot(_ rot: Rot) -> String {
        switch rot {
        case .hardStateMissing: "the row of term and vote is missing"
        case .hardStateDamaged: "the row of term and vote is damaged"
        case .batchDamaged(let first, let last): "the row \(first.rawValue) to \(last.rawValue) is damaged"
        case .batchMislabelled(let first, let last): "the row \(first.rawValue) to \(last.rawValue) is mislabelled"
        case .gap(let expected, let found): "entry \(expected.rawValue) is missing before \(found.rawValue)"
        case .wrongEnd(let expected, let found):
            "the log ends at \(found.rawValue) instead of \(expected.rawValue)"
        case .termOutOfOrder(let index, let term): "entry \(index.rawValue) has term \(term.rawValue)"
        case .membershipUnreadable(let index): "entry \(index.rawValue) names members that can't be read"
        }
    }

    private static func request(_ request: VoteRequest) -> String {
        "term=\(request.term.rawValue) last=\(self.position(request.lastLogIndex, request.lastLogTerm))"
            + (request.isLeadershipTransfer ? " transfer" : "")
    }

    private static func vote(_ isGranted: Bool) -> String { isGranted ? "granted" : "refused" }

    private static func outcome(_ outcome: AppendEntriesReply.Outcome) -> String {
        switch outcome {
        case .success(let matchIndex): "match=\(matchIndex.rawValue)"
        case .conflict(let rejected, let term, let index):
            "conflict at=\(rejected.rawValue) term=\(term.map { String($0.rawValue) } ?? "-") go=\(index.rawValue)"
        case .staleTerm: "stale"
        case .installing: "installing"
        }
    }
}

extension TraceEvent {
    var description: String {
        switch self {
        case .sent(let message, let peer): "-> n\(peer + 1) \(Describe.message(message))"
        case .dropped(let message, let peer): "-x n\(peer + 1) \(Describe.message(message))"
        case .received(let message, let peer): "<- n\(peer + 1) \(Describe.message(message))"
        case .deadline: "its deadline has come"
        case .persisting(let batch): "writes \(Describe.batch(batch))"
        case .persisted(let sequence): "has batches through #\(sequence) on disk"
        case .connected(let peer): "is connected to n\(peer + 1)"
        case .disconnected(let peer, let isRefused):
            "lost n\(peer + 1)" + (isRefused ? ", and is refused there" : "")
        case .role(let summary): "is \(Describe.role(summary))"
        case .applied(let first, let last): "applies \(first.rawValue)...\(last.rawValue)"
        case .proposed(let client, let sequence): "is asked for c\(client)#\(sequence)"
        case .read(let client): "is asked for a read by c\(client)"
        case .commanded(let client, let gid): "is asked for something about \(gid) by c\(client)"
        case .called(let gid, let branchID, let operation, let attempt):
            "calls \(gid)/\(branchID) \(operation.name), attempt \(attempt)"
        case .heard(let gid, let branchID, let operation, let verdict):
            "participant of \(gid)/\(branchID) \(operation.name): \(Describe.verdict(verdict))"
        case .answered(let client, _): "answers c\(client)"
        case .down(let kind, let survivors, let count):
            "dies (\(kind.label)), \(survivors) of \(count) unsynced batches survive"
        case .started(let term, let votedFor, let last, let applied):
            "starts with term=\(term.rawValue) vote=\(votedFor?.rawValue ?? "-") last=\(last.rawValue) "
                + "applied=\(applied.rawValue)"
        case .repaired(let index): "log is whole again through \(index.rawValue)"
        case .foundRot(let rot): "finds rot: \(Describe.rot(rot))"
        case .paused(let nanoseconds): "stands still for \(Describe.milliseconds(nanoseconds))"
        case .resumed: "goes on"
        case .stalled(let kind, let nanoseconds): "disk: \(kind.label) for \(Describe.milliseconds(nanoseconds))"
        case .diskFull(let isFull): isFull ? "finds its disk full" : "has room on its disk again"
        case .harmed(let damage): "disk is harmed: \(damage)"
        case .cut(let from, let to): "n\(from + 1) -> n\(to + 1) is cut"
        case .clogged(let from, let to, let nanoseconds):
            "n\(from + 1) -> n\(to + 1) is clogged for \(Describe.milliseconds(nanoseconds))"
        case .healedLink(let from, let to): "n\(from + 1) -> n\(to + 1) is whole again"
        case .healed: "everything heals"
        case .takingSnapshot(let position):
            "takes a snapshot at \(Describe.position(position.index, position.term))"
        case .fetching(let position, let peer, let part):
            "fetches part \(part) of the snapshot at \(Describe.position(position.index, position.term)) from n\(peer + 1)"
        case .installed(let position):
            "has the snapshot at \(Describe.position(position.index, position.term)) as its state"
        case .finishesInstall(let position):
            "finishes the install of the snapshot at \(Describe.position(position.index, position.term))"
        case .transfers: "is asked to hand over"
        case .changesMembers: "is asked for other members"
        case .membersRefused(let problem): "refuses other members: \(problem)"
        case .diskLost: "comes back with an empty disk"
        case .stateLost: "has lost its applied state"
        case .upgraded: "gets a program of the next format"
        case .metNewer(let format): "doesn't know format \(format), and ends"
        case .clockJumps(let milliseconds): "its wall clock jumps by \(milliseconds) ms"
        case .probed(let index): "proposes the probe at \(index.rawValue)"
        }
    }
}
