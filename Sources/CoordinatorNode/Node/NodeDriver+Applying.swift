// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import NIOCore
import PeerTransport
import Raft
import StateStore
import Transactions

/// Committed entries on their way into the machine, to whoever waits for them, and to the disk.
extension NodeDriver {
    func apply(_ entry: Entry) {
        let (results, commands, effects) = self.applier.apply(entry)
        self.answerProposers(of: entry, commands: commands, results: results)
        for effect in effects { self.perform(effect) }
        self.notePoint(at: entry.index)
        if entry.kind == .membership { self.membersChanged() }
        self.transport.setFormat(self.applier.machine.format)
    }

    private func perform(_ effect: TransactionEffect) {
        switch effect {
        case .callsDue(let gid):
            guard self.isExecuting else { return }
            self.executor?.callsDue(self.applier.machine.dueCalls(of: gid), of: gid)
        case .decided(let gid, _):
            if self.isExecuting { self.executor?.decided(gid) }
            for waiter in self.waiters.take(gid) {
                waiter.timer.cancel()
                waiter.reply(.success(self.reading(gid)))
            }
        case .finished(let gid):
            if self.isExecuting { self.executor?.finished(gid) }
        case .deadlineSet(let gid, let deadline):
            if self.isExecuting { self.executor?.deadlineSet(gid, deadline) }
        }
    }

    /// A proposer is answered only if the entry at its index is the one it proposed: of the same term.
    private func answerProposers(of entry: Entry, commands: [Command], results: [CommandResult]) {
        guard let waiting = self.inLog.removeValue(forKey: entry.index.rawValue) else { return }
        guard waiting.term == entry.term, results.count == waiting.proposers.count else {
            for proposer in waiting.proposers { self.notProposed(proposer) }
            return
        }
        for (position, proposer) in waiting.proposers.enumerated() {
            if case .nobody = proposer { continue }
            let answer = CommittedAnswer(
                result: results[position], transaction: commands[position].gid.flatMap(self.applier.transaction),
                term: entry.term.rawValue, index: entry.index.rawValue)
            self.answer(proposer, answer)
        }
    }

    private func answer(_ proposer: Proposer, _ answer: CommittedAnswer) {
        switch proposer {
        case .nobody: return
        case .peer(let peer): self.reply(.committed(answer), to: peer)
        case .client(let number): self.complete(number, answer)
        }
    }

    /// The transaction as this node has it applied.
    func reading(_ gid: Gid) -> TransactionReading {
        let transaction = self.applier.transaction(gid)
        return TransactionReading(
            transaction: transaction, isForgotten: transaction == nil && self.applier.machine.notes.mark != nil,
            isHeld: transaction.map { self.applier.machine.isHeld($0) } ?? false,
            term: self.applier.applied.term.rawValue, index: self.applier.applied.index.rawValue)
    }

    // MARK: The disk

    /// Hands applied state to the disk now and then; the log replays what is younger.
    func checkpointIfDue() {
        // The room that the log's reserve gives is for terms and votes.
        guard !self.isDiskFull else { return }
        if self.applier.isCheckpointUrgent { self.applier.prepareCheckpoint() }
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        let loop = self.loop
        self.applier.releaseCheckpoint(durableIndex: self.core.durableIndex) { checkpoint in
            loop.execute { bound.value.checkpointDone(checkpoint) }
        }
        guard self.checkpointTimer == nil, self.applier.hasChanges else { return }
        self.checkpointTimer = self.loop.scheduleTask(in: self.settings.checkpointInterval) {
            let driver = bound.value
            driver.checkpointTimer = nil
            driver.applier.prepareCheckpoint()
            driver.scheduleTurn()
        }
    }

    /// The log lets go of what applied state holds, once that has been synced.
    private func compactIfDue() {
        guard self.core.wantsCompaction, !self.isSyncingState, !self.isDiskFull, self.stopPromise == nil else { return }
        self.isSyncingState = true
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.applier.sync { [loop] index in
            loop.execute {
                bound.value.isSyncingState = false
                bound.value.add(.compact(through: LogIndex(rawValue: index)))
            }
        }
    }

    private func checkpointDone(_ checkpoint: StateCheckpoint) {
        for gid in self.applier.checkpointDone(checkpoint) where self.isExecuting {
            // The plan of calls lets go of them too.
            self.executor?.callsDue(self.applier.machine.dueCalls(of: gid), of: gid)
        }
        self.installWhenQuiet()
        self.dropOvertakenFetch()
        self.goOnBackingUp()
        self.compactIfDue()
        if self.stopPromise != nil {
            self.finishStop()
        } else {
            self.scheduleTurn()
        }
    }
}
