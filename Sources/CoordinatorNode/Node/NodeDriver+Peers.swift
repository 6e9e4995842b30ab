// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import NIOCore
import PeerTransport
import Raft
import Transactions

/// Where the answer to another node's request goes.
struct PeerReply: Sendable {
    let token: ReplyToken
}

/// What the other nodes send, and ask on behalf of their clients.
extension NodeDriver: PeerTransportDelegate {
    func peerConnected(_ peer: NodeID) {
        self.add(.peerConnected(peer))
        self.routeParked()
    }

    func peerDisconnected(_ peer: NodeID, isRefused: Bool) {
        self.add(.peerDisconnected(peer, isRefused: isRefused))
    }

    func received(_ message: Message, group: GroupID, from peer: NodeID) {
        // What a peer says counts once this node's own disk knows which life of the peer's folder it is.
        guard group == .zero, !self.unproven.contains(peer) else { return }
        self.add(.received(message, from: peer))
    }

    func learned(_ storage: StorageID, of peer: NodeID) {
        self.unproven.insert(peer)
        self.learnedStorage[peer] = storage
        self.onLearned?(storage, peer)
    }

    func outdated(uses format: FormatLevel) { self.outdated(format) }

    /// The peer's storage id is on this node's disk.
    func proven(_ peer: NodeID) {
        self.loop.preconditionInEventLoop()
        self.unproven.remove(peer)
    }

    func receivedRequest(_ bytes: [UInt8], from peer: NodeID, token: ReplyToken) {
        let reply = PeerReply(token: token)
        let request: ForwardedRequest
        do {
            request = try ForwardedRequest(decoding: bytes, known: self.identity.knows)
        } catch {
            // Without an answer the peer gives up at its deadline; it speaks a version that this node doesn't know.
            self.logger.warning(
                "A peer's request can't be read", metadata: [LogKey.peer: "\(peer)", LogKey.reason: "\(error)"])
            return
        }
        switch request {
        case .status: self.reply(.status(self.fullVitals), to: reply)
        case .transferLeadership(let target):
            guard !self.isStopping, self.core.summary.role == .leader else { return self.reply(.notLeader, to: reply) }
            self.handOver(to: target) { result in
                switch result {
                case .success(let answer): self.reply(.leadership(answer), to: reply)
                case .failure(.refused(let reason)): self.reply(.refused(reason), to: reply)
                case .failure: self.reply(.notLeader, to: reply)
                }
            }
        case .members(let change):
            guard !self.isStopping, self.core.summary.role == .leader else { return self.reply(.notLeader, to: reply) }
            self.leaderMembers(change) { result in
                switch result {
                case .success(let answer): self.reply(.members(answer), to: reply)
                case .failure(.refused(let reason)): self.reply(.refused(reason), to: reply)
                case .failure(.outcomeUnknown): self.reply(.unknown, to: reply)
                case .failure: self.reply(.notLeader, to: reply)
                }
            }
        case .stateDigest(let index, let version):
            self.reply(.stateDigest(self.digest(at: index, version: version)), to: reply)
        case .stateDiffers(let index, let majority, let version):
            if version == StateSum.version { self.stateDiffers(at: index, from: majority) }
        case .snapshotPiece(let description, let offset): self.readPiece(of: description, at: offset, for: reply)
        case .command(let command):
            guard !self.isStopping, self.core.summary.role == .leader else { return self.reply(.notLeader, to: reply) }
            // Its node has applied a raise of the format that this leader hasn't yet.
            guard self.applier.machine.admits(command) else { return self.reply(.notLeader, to: reply) }
            guard !self.isOverloaded(by: command), self.queue.count < self.settings.maximumWaitingRequests else {
                return self.reply(.overloaded, to: reply)
            }
            self.queue.append((command, .peer(reply)))
            self.scheduleTurn()
        case .readIndex:
            guard !self.isStopping, self.core.summary.role == .leader else { return self.reply(.notLeader, to: reply) }
            guard self.peerReads.count < self.settings.maximumWaitingRequests else {
                return self.reply(.overloaded, to: reply)
            }
            let number = self.nextNumber()
            self.peerReads[number] = reply
            self.add(.read(ReadID(rawValue: number)))
        }
    }

    func reply(_ reply: ForwardedReply, to peer: PeerReply) {
        self.transport.reply(to: peer.token, reply.encoded())
        self.scheduleTurn()
    }

    // MARK: Status of the cluster

    /// How long the others may take to say how they are.
    private static let statusWait = TimeAmount.milliseconds(500)

    func gatherStatus(_ reply: @escaping ClientRequest.Reply<ClusterStatus>) {
        let others = self.core.membership.members.map(\.nodeID).filter { $0 != self.identity.node }
        let request = ForwardedRequest.status.encoded()
        let deadline = NIODeadline.now() + Self.statusWait
        let gathered = NIOLoopBoundBox([self.identity.node: self.fullVitals], eventLoop: self.loop)
        let asked = others.map { peer in
            self.transport.request(request, to: peer, deadline: deadline).assumeIsolated().map { bytes in
                guard case .status(let vitals)? = try? ForwardedReply(decoding: bytes) else { return }
                gathered.value[peer] = vitals
            }.nonisolated()
        }
        self.scheduleTurn()
        EventLoopFuture.whenAllComplete(asked, on: self.loop).assumeIsolated().whenComplete { _ in
            reply(.success(self.clusterStatus(gathered.value)))
        }
    }

    private func clusterStatus(_ gathered: [NodeID: Vitals]) -> ClusterStatus {
        let own = self.fullVitals
        let leader = gathered.values.filter { $0.role == .leader }.max { $0.term < $1.term }
        let commitIndex = gathered.values.map(\.commitIndex).max() ?? own.commitIndex
        return ClusterStatus(
            clusterID: self.identity.cluster.hexadecimal, node: self.identity.node.rawValue,
            leader: (leader?.leader ?? own.leader)?.rawValue, term: leader?.term ?? own.term,
            nodes: self.knownMembers.map { member in
                let id = member.nodeID
                let vitals = gathered[id]
                let applied = vitals?.appliedIndex
                return MemberStatus(
                    id: id.rawValue, role: vitals.map { NodeRole($0.role) } ?? .unknown,
                    clientAddress: member.clientAddress, peerAddress: member.peerAddress,
                    standing: MemberStanding(of: id, in: self.core.membership),
                    commitIndex: vitals?.commitIndex, appliedIndex: applied, lastIndex: vitals?.lastIndex,
                    matchIndex: id.rawValue == leader?.leader?.rawValue
                        ? leader?.durableIndex : leader?.matchIndexes[id],
                    // Who lacks a part of its log lacks more than it knows.
                    lag: vitals?.isIncomplete == true ? nil : applied.map { commitIndex > $0 ? commitIndex - $0 : 0 },
                    reachable: vitals != nil,
                    since: vitals?.since)
            })
    }
}

extension NodeRole {
    init(_ role: RoleSummary.Role) {
        switch role {
        case .leader: self = .leader
        case .follower: self = .follower
        case .preCandidate, .candidate: self = .candidate
        }
    }
}

extension StorageID {
    /// 16 hexadecimal digits.
    var hexadecimal: String {
        let digits = String(self.rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension ClusterID {
    /// 32 hexadecimal digits.
    var hexadecimal: String {
        [self.high, self.low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
