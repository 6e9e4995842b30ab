// SPDX-License-Identifier: Apache-2.0

/// Messages that must not leave before the disk has what they promise: votes and acknowledgements (Raft paper, figure
/// 2, "updated on stable storage before responding").
///
/// A message is added without a batch to wait for; `seal` ties all that were added in a turn to that turn's batch, so
/// that none can slip out between the two.
struct HeldMessages: Hashable, Sendable {
    private struct Held: Hashable, Sendable {
        let message: Message
        let peer: NodeID
    }
    private var added: [Held] = []
    private var waiting: [(sequence: UInt64, held: Held)] = []

    mutating func add(_ message: Message, to peer: NodeID) {
        self.added.append(Held(message: message, peer: peer))
    }

    /// Ties what was added to the latest batch given out, which carries the state that it promises.
    mutating func seal(sequence: UInt64) {
        for held in self.added {
            // While a disk hangs, the same is promised again and again for the same batch.
            if let last = self.waiting.last, last.sequence == sequence, Self.outdoes(held, last.held) {
                self.waiting.removeLast()
            }
            self.waiting.append((sequence, held))
        }
        self.added.removeAll(keepingCapacity: true)
    }

    /// Gives the messages whose batches are on disk, in order. Of several acknowledgements of one leader's entries only
    /// the last is given: it says what the others say.
    mutating func release(through sequence: UInt64, _ body: (Message, NodeID) -> Void) {
        var count = 0
        while count < self.waiting.count, self.waiting[count].sequence <= sequence { count += 1 }
        for position in 0..<count where !self.isOutdone(position, before: count) {
            body(self.waiting[position].held.message, self.waiting[position].held.peer)
        }
        self.waiting.removeFirst(count)
    }

    private func isOutdone(_ position: Int, before end: Int) -> Bool {
        let held = self.waiting[position].held
        return self.waiting[(position + 1)..<end].contains { Self.outdoes($0.held, held) }
    }

    /// Whether a later acknowledgement says all that an earlier one says.
    private static func outdoes(_ later: Held, _ earlier: Held) -> Bool {
        guard later.peer == earlier.peer,
            case .appendEntriesReply(let reply) = earlier.message, case .success(let matchIndex) = reply.outcome,
            case .appendEntriesReply(let other) = later.message, case .success(let otherMatch) = other.outcome
        else { return false }
        return other.term == reply.term && otherMatch >= matchIndex && other.readRound >= reply.readRound
    }

    static func == (left: HeldMessages, right: HeldMessages) -> Bool {
        left.added == right.added && left.waiting.elementsEqual(right.waiting, by: ==)
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.added)
        for entry in self.waiting {
            hasher.combine(entry.sequence)
            hasher.combine(entry.held)
        }
    }
}
