// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft
import StateStore
import Transactions

/// Nodes compare what the log has come to: the same entries must have given the same state. One that differs from a majority
/// is wrong, by rot in its memory or on its disk or by an error of the program, and must not answer anybody any more.
extension NodeDriver {
    /// How long a new point waits until it is compared: the others need to apply it too.
    private static let comparisonDelay = TimeAmount.seconds(2)
    private static let comparisonWait = TimeAmount.seconds(2)

    /// An entry was applied.
    func notePoint(at index: LogIndex) {
        guard StatePoints.isPoint(index.rawValue) else { return }
        self.statePoints.add(self.applier.digest(), at: index.rawValue)
        guard self.core.summary.role == .leader, !self.isComparing, !self.isStopping else { return }
        self.isComparing = true
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.loop.scheduleTask(in: Self.comparisonDelay) { bound.value.compare(at: index) }
    }

    /// As leader: asks all others what they had at that index.
    private func compare(at index: LogIndex) {
        guard !self.isStopping, self.core.summary.role == .leader,
            let own = self.statePoints.digest(at: index.rawValue)
        else {
            self.isComparing = false
            return
        }
        let request = ForwardedRequest.stateDigest(at: index.rawValue, version: StateSum.version).encoded()
        let deadline = NIODeadline.now() + Self.comparisonWait
        let gathered = NIOLoopBoundBox([self.identity.node: own], eventLoop: self.loop)
        let others = self.core.membership.members.map(\.nodeID).filter { $0 != self.identity.node }
        let asked = others.map { peer in
            self.transport.request(request, to: peer, deadline: deadline).assumeIsolated().map { bytes in
                guard case .stateDigest(let digest?)? = try? ForwardedReply(decoding: bytes) else { return }
                gathered.value[peer] = digest
            }.nonisolated()
        }
        self.scheduleTurn()
        EventLoopFuture.whenAllComplete(asked, on: self.loop).assumeIsolated().whenComplete { _ in
            self.isComparing = false
            self.judge(gathered.value, at: index)
        }
    }

    private func judge(_ digests: [NodeID: UInt64], at index: LogIndex) {
        let voters = Set(self.core.membership.members.map(\.nodeID).filter(self.core.membership.isVoter))
        switch StateVerdict(digests, voters: voters) {
        case .equal:
            self.logger.debug(
                "The nodes' states are the same",
                metadata: [LogKey.index: "\(index)", LogKey.nodes: "\(digests.count)"])
        case .odd(let nodes, let majority):
            for node in nodes {
                self.logger.critical(
                    "A node's applied state differs from that of the majority",
                    metadata: [LogKey.peer: "\(node)", LogKey.index: "\(index)"])
                guard node != self.identity.node else {
                    self.stateDiffers(at: index.rawValue, from: majority)
                    continue
                }
                let message = ForwardedRequest.stateDiffers(
                    at: index.rawValue, majority: majority, version: StateSum.version)
                _ = self.transport.request(message.encoded(), to: node, deadline: .now() + Self.comparisonWait)
            }
            self.scheduleTurn()
        case .undecided(let digests):
            let names = digests.keys.map(\.rawValue).sorted().joined(separator: ", ")
            self.logger.critical(
                "The nodes' applied states differ, and no majority says whose is right",
                metadata: [LogKey.peer: "\(names)", LogKey.index: "\(index)"])
        }
    }

    /// This node's digest, for the leader that asks.
    func digest(at index: UInt64, version: UInt32) -> UInt64? {
        version == StateSum.version ? self.statePoints.digest(at: index) : nil
    }

    /// A majority has come to another state at that index. If this node's own is really another one, it ends here, and its
    /// next start fills the state anew.
    func stateDiffers(at index: UInt64, from majority: UInt64) {
        guard let own = self.statePoints.digest(at: index), own != majority else { return }
        self.stateFailed(
            .rot(
                path: self.snapshots.statePath, table: "*", row: "*",
                reason: "the state at \(index) isn't what the majority of the nodes has: \(own) against \(majority)"))
    }
}
