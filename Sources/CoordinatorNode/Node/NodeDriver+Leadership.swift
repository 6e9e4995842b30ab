// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import PeerTransport
import Raft

/// Who waits for another node to lead.
struct HandOver {
    let from: Term
    let reply: (Result<LeadershipAnswer, CoordinatorError>) -> Void
    /// Ends the wait.
    let timer: Scheduled<Void>
}

/// Leadership transfer, for operators and before a stop (Ongaro's thesis, section 3.10).
extension NodeDriver {
    /// How long a hand-over may take: an election, and its news.
    private static let handOverTimeout = TimeAmount.seconds(2)

    /// A client of this node asks for it; the leader does it.
    func transferLeadership(to target: NodeID?, _ reply: @escaping ClientRequest.Reply<LeadershipAnswer>) {
        guard let leaderID = self.core.summary.leaderID else {
            return reply(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
        }
        guard leaderID != self.identity.node else { return self.handOver(to: target) { reply($0) } }
        let request = ForwardedRequest.transferLeadership(to: target).encoded()
        self.transport.request(request, to: leaderID, deadline: .now() + Self.handOverTimeout).assumeIsolated()
            .whenComplete { result in
                switch (try? result.get()).flatMap({ try? ForwardedReply(decoding: $0) }) {
                case .leadership(let answer): reply(.success(answer))
                case .refused(let reason): reply(.failure(.refused(reason: reason)))
                case _: reply(.failure(.noLeader(retryAfter: self.settings.retryAfter)))
                }
            }
        self.scheduleTurn()
    }

    /// This leader lets another node lead.
    func handOver(to target: NodeID?, _ reply: @escaping (Result<LeadershipAnswer, CoordinatorError>) -> Void) {
        let membership = self.core.membership
        if let target {
            guard membership.isVoter(target) else {
                return reply(.failure(.refused(reason: "\(target) is no voter of this cluster")))
            }
            guard target != self.identity.node else {
                return reply(.failure(.refused(reason: "\(target) leads already")))
            }
            guard self.core.mayBeTold(target) else {
                return reply(
                    .failure(
                        .refused(reason: "\(target) has lost a part of its log or its state, and gets it back first")))
            }
        }
        guard self.core.canHandOver else {
            return reply(.failure(.refused(reason: "no other voter answers")))
        }
        let number = self.nextNumber()
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        let timer = self.loop.scheduleTask(in: Self.handOverTimeout) {
            guard let handOver = bound.value.handOvers.removeValue(forKey: number) else { return }
            handOver.reply(
                .failure(
                    .refused(
                        reason:
                            "\(target.map { "\($0)" } ?? "no other voter") didn't take over in time; it may lag behind")
                ))
        }
        self.handOvers[number] = HandOver(from: self.core.currentTerm, reply: reply, timer: timer)
        self.logger.info(
            "Handing over",
            metadata: [LogKey.term: "\(self.core.currentTerm)", LogKey.peer: "\(target?.rawValue ?? "any")"])
        self.add(.transferLeadership(to: target))
    }

    /// Tells those who wait once somebody leads a later term.
    func answerHandOvers() {
        guard !self.handOvers.isEmpty, let leader = self.core.summary.leaderID else { return }
        let term = self.core.currentTerm
        for (number, handOver) in self.handOvers where handOver.from < term {
            self.handOvers[number] = nil
            handOver.timer.cancel()
            handOver.reply(
                leader == self.identity.node
                    ? .failure(.refused(reason: "this node was elected again"))
                    : .success(
                        LeadershipAnswer(
                            before: self.identity.node.rawValue, leader: leader.rawValue, term: term.rawValue)))
        }
    }

    /// Before a stop: done when another node leads, or when that takes too long.
    func handOverBeforeStop() -> EventLoopFuture<Void> {
        self.loop.preconditionInEventLoop()
        guard self.core.summary.role == .leader else { return self.loop.makeSucceededVoidFuture() }
        let promise = self.loop.makePromise(of: Void.self)
        self.handOver(to: nil) { _ in promise.succeed(()) }
        return promise.futureResult
    }
}
