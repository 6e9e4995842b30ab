// SPDX-License-Identifier: Apache-2.0

import NIOCore
import PeerTransport

extension NodeDriver {
    /// Takes nothing more from this node's clients. Who waits for a decision is told what is known now; commands that are
    /// under way may end.
    func drain() {
        self.loop.preconditionInEventLoop()
        self.isDraining = true
        for request in self.mailbox.close() { request.fail(.stopping) }
        for waiter in self.waiters.takeAll() {
            waiter.timer.cancel()
            waiter.reply(.success(self.reading(waiter.gid)))
        }
    }

    /// Done when nothing that came from a client is under way any more, or when the time is over.
    func drained(within grace: TimeAmount) -> EventLoopFuture<Void> {
        self.drain()
        let promise = self.loop.makePromise(of: Void.self)
        self.drainPromise = promise
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.loop.scheduleTask(in: grace) { bound.value.finishDrain(isOver: true) }
        self.finishDrain()
        return promise.futureResult
    }

    func finishDrain(isOver: Bool = false) {
        guard isOver || self.pending.isEmpty, let promise = self.drainPromise else { return }
        self.drainPromise = nil
        promise.succeed(())
    }

    /// Stops: takes nothing more, answers everyone who waits with what is known, puts applied state on the disk and
    /// closes the connections. The log's writer is stopped by its owner, afterwards.
    func stop() -> EventLoopFuture<Void> {
        self.loop.preconditionInEventLoop()
        if let stopPromise = self.stopPromise { return stopPromise.futureResult }
        let promise = self.loop.makePromise(of: Void.self)
        self.isStopping = true
        self.isExecuting = false
        self.executor?.stop()
        self.drain()
        for request in self.pending.values { request.fail(self.reasonWithoutAnswer(of: request)) }
        self.pending.removeAll()
        for handOver in self.handOvers.values {
            handOver.timer.cancel()
            handOver.reply(.failure(.stopping))
        }
        self.handOvers.removeAll()
        self.backup?.reply(.failure(.stopping))
        self.backup = nil
        for timer in [self.pendingTimer, self.retryTimer, self.checkpointTimer] { timer?.cancel() }
        self.stopPromise = promise
        self.applier.prepareCheckpoint()
        self.checkpointIfDue()
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.loop.scheduleTask(in: Self.checkpointGrace) { bound.value.finishStop(isOver: true) }
        self.finishStop()
        return promise.futureResult
    }

    /// How long a stop waits for the last checkpoint. On a full disk it may never come, and nothing is lost without it:
    /// the log replays what it would hold.
    private static let checkpointGrace = TimeAmount.seconds(2)

    /// Goes on once no checkpoint is being written.
    func finishStop(isOver: Bool = false) {
        guard let promise = self.stopPromise, isOver || !self.applier.isCheckpointUnderWay else { return }
        self.transport.closeAll().cascade(to: promise)
    }
}
