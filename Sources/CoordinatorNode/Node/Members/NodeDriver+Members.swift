// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft

/// Who waits for a change of the members to be over.
struct MembersChange {
    /// Where its first entry stands; nil until the core has appended it.
    var position: LogPosition?
    let reply: (Result<MembersAnswer, CoordinatorError>) -> Void
    /// Ends the wait.
    let timer: Scheduled<Void>

    func end(_ result: Result<MembersAnswer, CoordinatorError>) {
        self.timer.cancel()
        self.reply(result)
    }
}

/// Who takes part (Raft paper, section 6), and what follows from it for this node's peers and for its operators.
extension NodeDriver {
    /// How long a change may take: two entries, each on a majority's disks, and a learner's last steps.
    private static let changeTimeout = TimeAmount.seconds(10)
    /// Between two looks for a leader.
    private static let leaderPause = TimeAmount.milliseconds(20)

    // MARK: What the log says

    /// What is known of the life of a member's data folder.
    func storageID(of member: Member) -> StorageID {
        member.storageID == .unknown ? self.learnedStorage[member.nodeID] ?? .unknown : member.storageID
    }

    /// The members, with everything that this node knows of them.
    var knownMembers: [Member] {
        self.core.membership.members.map { self.addresses.completed($0, storageID: self.storageID(of: $0)) }
    }

    /// The log says anew who takes part, or that it is committed: the transport follows.
    func membersChanged() {
        // First: who leaves may have asked for it, and is heard no more after this.
        self.finishMembersChanges()
        let committed = self.core.committedMembership
        var members = self.core.membership.members
        // Who leaves is heard until that is committed: it may be the leader that sees to it. And who offers a snapshot may be
        // younger than this node's log.
        for member in committed.membership.members + (self.fetch?.offer.membership.members ?? [])
        where !members.contains(where: { $0.nodeID == member.nodeID }) {
            members.append(member)
        }
        var addresses: [NodeID: PeerAddress] = [:]
        var storageIDs: [NodeID: StorageID] = [:]
        for member in members {
            addresses[member.nodeID] = self.addresses.peer(of: member)
            storageIDs[member.nodeID] = self.storageID(of: member)
        }
        self.transport.setMembers(
            addresses, directory: MemberDirectory(storageIDs, committed: committed.index), listing: self.core.listing)
        self.noteIfRemoved(committed.membership, at: committed.index)
    }

    /// A node that was a member of its own cluster and isn't any more has nothing left to do.
    private func noteIfRemoved(_ membership: Membership, at index: LogIndex) {
        let own = self.identity
        let member = membership.member(own.node)
        if member?.storageID == own.storage { self.wasMember = true }
        let isRemoved = member.map { $0.storageID != .unknown && $0.storageID != own.storage } ?? true
        if self.wasMember, isRemoved { self.removed(at: index) }
    }

    private func removed(at index: LogIndex) {
        guard !self.isRemoved else { return }
        self.isRemoved = true
        self.logger.notice(
            "This node was removed from the cluster, and stops", metadata: [LogKey.index: "\(index)"])
        self.membersChanges.values.forEach { $0.end(.failure(.outcomeUnknown)) }
        self.membersChanges.removeAll()
        self.onRemoved?(index)
    }

    func removed(at index: LogIndex, saidBy peer: NodeID) {
        self.removed(at: index)
    }

    // MARK: What operators ask

    func membersAnswer() -> MembersAnswer {
        MembersAnswer(
            membership: self.core.membership.filled(from: self.knownMembers),
            isSettled: self.core.isMembershipSettled, leader: self.identity.node.rawValue,
            term: self.core.currentTerm.rawValue, index: self.core.commitIndex.rawValue)
    }

    /// A client of this node asks who takes part (`change` is nil), or for a change. The leader answers, once there is one
    /// that can, within `leaderWait`.
    func members(_ change: MembershipChange?, _ reply: @escaping ClientRequest.Reply<MembersAnswer>) {
        self.members(change, until: .now() + self.settings.leaderWait) { reply($0) }
    }

    private func members(
        _ change: MembershipChange?, until deadline: NIODeadline,
        _ reply: @escaping (Result<MembersAnswer, CoordinatorError>) -> Void
    ) {
        self.askLeader(change) { result in
            guard case .failure(.noLeader) = result, .now() < deadline, !self.isStopping else { return reply(result) }
            self.loop.assumeIsolated().scheduleTask(in: Self.leaderPause) {
                self.members(change, until: deadline, reply)
            }
        }
    }

    private func askLeader(
        _ change: MembershipChange?, _ reply: @escaping (Result<MembersAnswer, CoordinatorError>) -> Void
    ) {
        guard let leaderID = self.core.summary.leaderID else {
            return reply(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
        }
        guard leaderID != self.identity.node else { return self.leaderMembers(change, reply) }
        let request = ForwardedRequest.members(change).encoded()
        let deadline = NIODeadline.now() + Self.changeTimeout + .seconds(1)
        self.transport.request(request, to: leaderID, deadline: deadline).assumeIsolated().whenComplete { result in
            do {
                switch try ForwardedReply(decoding: try result.get()) {
                case .members(let answer): reply(.success(answer))
                case .refused(let reason): reply(.failure(.refused(reason: reason)))
                case .notLeader: reply(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
                case _: reply(.failure(.outcomeUnknown))
                }
            } catch RequestError.notSent, RequestError.overloaded {
                reply(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
            } catch {
                reply(.failure(.outcomeUnknown))
            }
        }
        self.scheduleTurn()
    }

    /// The same, asked of this leader.
    func leaderMembers(
        _ change: MembershipChange?, _ reply: @escaping (Result<MembersAnswer, CoordinatorError>) -> Void
    ) {
        guard let change else { return reply(.success(self.membersAnswer())) }
        if case .addLearners(let members) = change {
            for member in members where self.addresses.peer(of: member) == nil {
                return reply(.failure(.refused(reason: "\(member.nodeID) has no address that can be read")))
            }
        }
        let number = self.nextNumber()
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        let timer = self.loop.scheduleTask(in: Self.changeTimeout) {
            guard let change = bound.value.membersChanges.removeValue(forKey: number) else { return }
            change.end(.failure(.outcomeUnknown))
        }
        self.membersChanges[number] = MembersChange(reply: reply, timer: timer)
        self.add(.changeMembership(ProposalID(rawValue: number), change, known: self.knownMembers))
    }

    func membershipRefused(_ id: ProposalID, _ problem: MembershipProblem) {
        guard let change = self.membersChanges.removeValue(forKey: id.rawValue) else { return }
        if case .notLeader = problem {
            return change.end(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
        }
        change.end(.failure(.refused(reason: problem.text)))
    }

    /// Answers those whose change is over: everything that it takes is committed, or it was cut off.
    func finishMembersChanges() {
        guard !self.membersChanges.isEmpty else { return }
        let committed = self.core.committedMembership
        for (number, change) in self.membersChanges {
            // What isn't committed at its index yet may still be cut off, and may come back by another leader.
            guard let position = change.position, self.core.commitIndex >= position.index else { continue }
            switch self.core.term(at: position.index) {
            case position.term:
                guard committed.index >= position.index, !committed.membership.isJoint else { continue }
                self.membersChanges[number] = nil
                change.end(.success(self.membersAnswer()))
            case .some:
                self.membersChanges[number] = nil
                change.end(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
            case nil:
                // A snapshot has taken the place of what would say.
                self.membersChanges[number] = nil
                change.end(.failure(.outcomeUnknown))
            }
        }
    }
}
