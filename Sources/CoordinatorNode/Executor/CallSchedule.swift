// SPDX-License-Identifier: Apache-2.0

package import Raft
import Transactions

/// Decides which branch call is made when: the leader's plan of work, as a pure value.
///
/// It has no clock, no random numbers beyond its seed, and makes no call. A call is due because the transaction machine
/// says so; the schedule adds when: at once the first time (also for a new leader, however often the last one tried),
/// after a growing delay when an attempt gave no certain answer, and never while an attempt is in flight. A window for each
/// target and one for all bound what is in flight, so that thousands of calls that fall due together, after a change of
/// leader for instance, don't hit the participants together.
package struct CallSchedule: Sendable {
    private enum Phase {
        case ready
        case inFlight(isRepeated: Bool)
        /// Until the moment that stands in `wakeUps`.
        case backingOff
        /// The result is proposed; the machine will no longer name the call when it is applied.
        case reported(Command)
    }

    private struct Slot {
        let generation: UInt64
        var call: BranchCall
        let target: Int
        /// Attempts at this operation so far, over changes of leader as far as the log knows them.
        var attempts: UInt32
        var phase: Phase
        /// False for a call in flight that the machine no longer names.
        var isDue = true
        /// The leadership in which the attempt in flight began.
        var leadership: UInt64 = 0
    }

    private struct WakeUp: Comparable {
        let time: UInt64
        let id: CallID
        static func < (lhs: WakeUp, rhs: WakeUp) -> Bool {
            (lhs.time, lhs.id.generation) < (rhs.time, rhs.id.generation)
        }
    }

    private let configuration: CallScheduleConfiguration
    private var random: SplitMix64
    private var isLeading = false
    /// Counts the times that this node came to lead.
    private var leadership: UInt64 = 0

    private var slots: [Slot?] = []
    private var freeSlots: [Int] = []
    private var lastGeneration: UInt64 = 0
    /// The calls of each transaction, in the order in which the machine named them last.
    private var callsOfTransaction: [Gid: [CallID]] = [:]

    private var targets: [TargetWindow?] = []
    private var freeTargets: [Int] = []
    private var targetOfAuthority: [String: Int] = [:]
    /// Targets that may be able to start a call; each at most once.
    private var readyTargets = FirstInFirstOut<Int>()

    private var wakeUps = BinaryHeap<WakeUp>()
    /// Results that were proposed, by the moment at which they are proposed again if they are still here.
    private var proposed = FirstInFirstOut<WakeUp>()
    private var armed: UInt64?

    /// Attempts in flight, also those that are no longer due.
    package private(set) var inFlight = 0
    /// Calls known: ready, in flight, backing off, or reported and not yet applied.
    package var count: Int { self.slots.count - self.freeSlots.count }
    /// Targets with a call in any of these phases.
    package var targetCount: Int { self.targetOfAuthority.count }

    /// - Parameter seed: of the jitter: the same inputs with the same seed give the same effects.
    package init(configuration: CallScheduleConfiguration, seed: UInt64) {
        self.configuration = configuration
        self.random = SplitMix64(seed: seed)
    }

    /// Takes one input and appends what the shell must do, in order.
    package mutating func step(_ input: CallScheduleInput, now: Instant, effects: inout [CallScheduleEffect]) {
        switch input {
        case .leadershipGained:
            self.isLeading = true
            self.leadership += 1
        case .leadershipLost:
            self.loseLeadership()
        case .callsDue(let calls, let gid):
            self.replace(calls, of: gid)
        case .finished(let gid):
            self.replace([], of: gid)
        case .answered(let id, let answer):
            self.take(answer, of: id, now: now, effects: &effects)
        case .timeAdvanced:
            self.armed = nil
            self.wakeUp(now: now, effects: &effects)
        }
        self.startCalls(effects: &effects)
        self.armTimer(effects: &effects)
    }

    // MARK: What is due

    private mutating func loseLeadership() {
        self.isLeading = false
        for gid in Array(self.callsOfTransaction.keys) { self.replaceAll([], of: gid) }
        self.wakeUps.removeAll()
        self.proposed.removeAll()
        self.armed = nil
    }

    private mutating func replace(_ calls: [BranchCall], of gid: Gid) {
        guard self.isLeading else { return }
        self.replaceAll(calls, of: gid)
    }

    private mutating func replaceAll(_ calls: [BranchCall], of gid: Gid) {
        let known = self.callsOfTransaction[gid] ?? []
        if known.isEmpty, calls.isEmpty { return }
        for id in known { self.slots[id.slot]?.isDue = false }

        var kept: [CallID] = []
        kept.reserveCapacity(calls.count)
        var cursor = 0
        for call in calls {
            if let position = self.position(of: call, in: known, from: cursor) {
                let id = known[position]
                let attempts = self.slots[id.slot]?.attempts ?? 0
                self.slots[id.slot]?.isDue = true
                // The same, wherever its bytes are: they may have left memory.
                if self.slots[id.slot]?.call.payload == call.payload {
                    self.slots[id.slot]?.call.payload = call.payload
                }
                self.slots[id.slot]?.attempts = max(attempts, call.priorAttempts)
                kept.append(id)
                cursor = position + 1
            } else {
                kept.append(self.insert(call))
            }
        }
        for id in known where self.slots[id.slot]?.isDue == false {
            if self.isInFlight(id) { kept.append(id) } else { self.remove(id) }
        }
        self.callsOfTransaction[gid] = kept.isEmpty ? nil : kept
    }

    /// Where a call stands among those of its transaction. The machine keeps their order, so the search begins behind the
    /// last one found and seldom goes further than one.
    private func position(of call: BranchCall, in known: [CallID], from cursor: Int) -> Int? {
        for offset in known.indices {
            let position = (cursor + offset) % known.count
            guard let other = self.slots[known[position].slot]?.call else { continue }
            if other.operation == call.operation, other.branchID == call.branchID { return position }
        }
        return nil
    }

    private mutating func insert(_ call: BranchCall) -> CallID {
        let target = self.joinTarget(CallAuthority.of(call.url))
        self.lastGeneration += 1
        let slot = Slot(
            generation: self.lastGeneration, call: call, target: target, attempts: call.priorAttempts, phase: .ready)
        let id: CallID
        if let free = self.freeSlots.popLast() {
            id = CallID(slot: free, generation: self.lastGeneration)
            self.slots[free] = slot
        } else {
            id = CallID(slot: self.slots.count, generation: self.lastGeneration)
            self.slots.append(slot)
        }
        self.makeReady(id, target: target, isRepeated: call.priorAttempts > 0)
        return id
    }

    /// Forgets a call. What still names it (a line, the heap) is skipped when its turn comes.
    private mutating func remove(_ id: CallID) {
        guard let slot = self.slots[id.slot], slot.generation == id.generation else { return }
        self.slots[id.slot] = nil
        self.freeSlots.append(id.slot)
        self.leaveTarget(slot.target)
    }

    /// `nil` if the call is forgotten.
    private func phase(of id: CallID) -> Phase? {
        guard let slot = self.slots[id.slot], slot.generation == id.generation else { return nil }
        return slot.phase
    }

    private func isInFlight(_ id: CallID) -> Bool {
        if case .inFlight = self.phase(of: id) { true } else { false }
    }

    private func isBackingOff(_ id: CallID) -> Bool {
        if case .backingOff = self.phase(of: id) { true } else { false }
    }

    private func isReported(_ id: CallID) -> Bool {
        if case .reported = self.phase(of: id) { true } else { false }
    }

    // MARK: Answers

    private mutating func take(
        _ answer: BranchAnswer, of id: CallID, now: Instant, effects: inout [CallScheduleEffect]
    ) {
        guard case .inFlight(let isRepeated) = self.phase(of: id), var slot = self.slots[id.slot] else { return }
        self.inFlight -= 1
        self.targets[slot.target]?.ended(
            isRepeated: isRepeated, isAnswered: answer.isAnswered, limit: self.configuration.callsPerTarget)
        self.queue(slot.target)
        guard self.isLeading, slot.leadership == self.leadership else { return self.takeLate(slot, id: id) }
        slot.attempts = slot.attempts == .max ? .max : slot.attempts + 1

        switch answer {
        case .success:
            self.report(.success, detail: nil, of: slot, id: id, now: now, effects: &effects)
        case .failure(let detail) where slot.call.operation.isRefusable:
            self.report(
                .failure, detail: detail.isEmpty ? nil : detail, of: slot, id: id, now: now, effects: &effects)
        case .failure(let detail):
            let text = UnansweredReason.refusedDecision.description + (detail.isEmpty ? "" : ": \(detail)")
            self.tryAgain(
                slot, id: id, reason: .refusedDecision, text: text, retryAfter: nil, now: now, effects: &effects)
        case .unknown(let unknown):
            self.tryAgain(
                slot, id: id, reason: .unknown(unknown.kind), text: unknown.detail,
                retryAfter: unknown.retryAfterMilliseconds, now: now, effects: &effects)
        }
    }

    /// An answer to a call of an earlier leadership means nothing any more: a participant may have refused it because
    /// another leader had called since. If the call is due again, it is made again.
    private mutating func takeLate(_ slot: Slot, id: CallID) {
        guard self.isLeading, slot.isDue else { return self.drop(id, of: slot.call.gid) }
        var slot = slot
        slot.phase = .ready
        self.slots[id.slot] = slot
        self.makeReady(id, target: slot.target, isRepeated: slot.attempts > 0)
    }

    private mutating func report(
        _ verdict: BranchVerdict, detail: String?, of slot: Slot, id: CallID, now: Instant,
        effects: inout [CallScheduleEffect]
    ) {
        let command = Command.branchResult(
            BranchResult(
                gid: slot.call.gid, branchID: slot.call.branchID, operation: slot.call.operation, verdict: verdict,
                attempts: slot.attempts, detail: detail))
        effects.append(.propose(command))
        // Of a call that isn't due nothing depends on the result's arrival: it is told once and forgotten.
        guard slot.isDue else { return self.drop(id, of: slot.call.gid) }
        var slot = slot
        slot.phase = .reported(command)
        self.slots[id.slot] = slot
        self.expectResult(of: id, now: now)
    }

    private mutating func tryAgain(
        _ slot: Slot, id: CallID, reason: UnansweredReason, text: String, retryAfter: UInt64?, now: Instant,
        effects: inout [CallScheduleEffect]
    ) {
        guard slot.isDue else { return self.drop(id, of: slot.call.gid) }
        let call = slot.call
        let delay = self.configuration.backoff.delayNanoseconds(
            afterFailedAttempts: slot.attempts, random: self.random.next(), retryAfterMilliseconds: retryAfter)
        var slot = slot
        slot.phase = .backingOff
        self.slots[id.slot] = slot
        self.wakeUps.insert(WakeUp(time: now.nanoseconds + delay, id: id))
        effects.append(
            .report(
                UncertainAttempt(
                    gid: call.gid, branchID: call.branchID, operation: call.operation, attempts: slot.attempts,
                    reason: reason)))
        // An entry for the 1st, 2nd, 4th, 8th … failed attempt: visible soon, and a dead participant doesn't fill the log.
        if slot.attempts.nonzeroBitCount == 1 {
            effects.append(
                .propose(
                    .attemptsFailed(
                        FailedAttempts(
                            gid: call.gid, branchID: call.branchID, operation: call.operation,
                            attempts: slot.attempts, lastError: text))))
        }
    }

    /// Forgets a call and takes it out of its transaction.
    private mutating func drop(_ id: CallID, of gid: Gid) {
        self.remove(id)
        guard var calls = self.callsOfTransaction[gid] else { return }
        calls.removeAll { $0 == id }
        self.callsOfTransaction[gid] = calls.isEmpty ? nil : calls
    }

    // MARK: Time

    private mutating func wakeUp(now: Instant, effects: inout [CallScheduleEffect]) {
        while let next = self.wakeUps.first, next.time <= now.nanoseconds {
            _ = self.wakeUps.popFirst()
            guard self.isBackingOff(next.id), var slot = self.slots[next.id.slot] else { continue }
            slot.phase = .ready
            self.slots[next.id.slot] = slot
            self.makeReady(next.id, target: slot.target, isRepeated: slot.attempts > 0)
        }
        while let next = self.proposed.first, next.time <= now.nanoseconds {
            _ = self.proposed.popFirst()
            guard let slot = self.slots[next.id.slot], slot.generation == next.id.generation,
                case .reported(let command) = slot.phase
            else { continue }
            effects.append(.propose(command))
            self.expectResult(of: next.id, now: now)
        }
    }

    private mutating func expectResult(of id: CallID, now: Instant) {
        let time = now.nanoseconds + self.configuration.proposeAgainMilliseconds * 1_000_000
        self.proposed.append(WakeUp(time: time, id: id))
    }

    private mutating func armTimer(effects: inout [CallScheduleEffect]) {
        // Most results are applied long before they would be proposed again: their moments arm no timer.
        while let next = self.proposed.first, !self.isReported(next.id) { _ = self.proposed.popFirst() }
        while let next = self.wakeUps.first, !self.isBackingOff(next.id) { _ = self.wakeUps.popFirst() }
        var earliest = self.wakeUps.first?.time
        if let again = self.proposed.first?.time { earliest = min(earliest ?? again, again) }
        guard let earliest, earliest < self.armed ?? .max else { return }
        self.armed = earliest
        effects.append(.armTimer(at: Instant(nanoseconds: earliest)))
    }

    // MARK: Windows

    private mutating func startCalls(effects: inout [CallScheduleEffect]) {
        guard self.isLeading else { return self.emptyLine() }
        while self.inFlight < self.configuration.callsInTotal, let target = self.readyTargets.popFirst() {
            self.targets[target]?.isQueued = false
            while let id = self.targets[target]?.popNext(limit: self.configuration.callsPerTarget) {
                guard var slot = self.slots[id.slot], slot.generation == id.generation, case .ready = slot.phase
                else { continue }
                let isRepeated = slot.attempts > 0
                slot.phase = .inFlight(isRepeated: isRepeated)
                slot.leadership = self.leadership
                self.slots[id.slot] = slot
                self.inFlight += 1
                self.targets[target]?.started(isRepeated: isRepeated)
                effects.append(
                    .start(id, slot.call, attempt: slot.attempts == .max ? .max : slot.attempts + 1))
                // One call, then the next target's turn.
                self.queue(target)
                break
            }
            self.forgetTargetIfUnused(target)
        }
    }

    /// Nothing is begun without leadership, so no target needs a turn.
    private mutating func emptyLine() {
        while let target = self.readyTargets.popFirst() {
            self.targets[target]?.isQueued = false
            self.forgetTargetIfUnused(target)
        }
    }

    private mutating func makeReady(_ id: CallID, target: Int, isRepeated: Bool) {
        self.targets[target]?.append(id, isRepeated: isRepeated)
        self.queue(target)
    }

    private mutating func queue(_ target: Int) {
        guard self.targets[target]?.isQueued == false else { return }
        self.targets[target]?.isQueued = true
        self.readyTargets.append(target)
    }

    private mutating func joinTarget(_ authority: String) -> Int {
        let target: Int
        if let known = self.targetOfAuthority[authority] {
            target = known
        } else if let free = self.freeTargets.popLast() {
            target = free
            self.targets[free] = TargetWindow(authority: authority)
            self.targetOfAuthority[authority] = free
        } else {
            target = self.targets.count
            self.targets.append(TargetWindow(authority: authority))
            self.targetOfAuthority[authority] = target
        }
        self.targets[target]?.members += 1
        return target
    }

    private mutating func leaveTarget(_ target: Int) {
        self.targets[target]?.members -= 1
        self.forgetTargetIfUnused(target)
    }

    /// A target that still stands in line is forgotten when its turn comes.
    private mutating func forgetTargetIfUnused(_ target: Int) {
        guard let window = self.targets[target], window.members == 0, !window.isQueued else { return }
        self.targetOfAuthority[window.authority] = nil
        self.targets[target] = nil
        self.freeTargets.append(target)
    }
}
