// SPDX-License-Identifier: Apache-2.0

/// The state of all transactions, driven by the commands of the log and by nothing else.
///
/// A pure value: no clock, no random number, no I/O, and nothing visible depends on a dictionary's order. Two machines
/// that were given the same entries are in the same state, whenever each of them archived and evicted.
package struct TransactionMachine: Sendable {
    /// The greatest time that any batch so far has carried.
    package private(set) var logTime: LogTime
    /// The entry of the log that was applied last.
    package private(set) var appliedIndex: UInt64
    /// Live transactions, and finished ones that have not been evicted yet.
    var transactions: [Gid: GlobalTransaction]
    /// Gids whose transaction has changed since the last `takeChanges()`.
    var changed: Set<Gid>
    /// Transactions that are not finished.
    package internal(set) var liveCount: Int
    /// About how many bytes they have.
    package internal(set) var liveBytes: Int
    /// Bytes of their payloads, in memory or on the disk alone.
    package internal(set) var livePayload: Int
    var sum: StateSum
    /// What the state knows of the cluster's own past.
    package internal(set) var notes: ClusterNotes
    /// Since the last `takeChanges()`.
    var areNotesChanged: Bool

    package init() {
        self.logTime = .zero
        self.appliedIndex = 0
        self.transactions = [:]
        self.changed = []
        self.liveCount = 0
        self.liveBytes = 0
        self.livePayload = 0
        self.sum = StateSum()
        self.notes = ClusterNotes()
        self.areNotesChanged = false
    }

    /// - Parameters:
    ///   - restoring: the live transactions as they stood at `appliedIndex`, each gid once, none finished.
    ///   - logTime: log time at `appliedIndex`.
    ///   - sum: the sum over the digests of all transactions at `appliedIndex`, as `takeChanges()` gave it.
    ///   - notes: as they stood at `appliedIndex`.
    package init(
        restoring: [GlobalTransaction], logTime: LogTime, appliedIndex: UInt64, sum: UInt64,
        notes: ClusterNotes = ClusterNotes()
    ) {
        self.init()
        self.notes = notes
        self.logTime = logTime
        self.appliedIndex = appliedIndex
        self.transactions.reserveCapacity(restoring.count)
        for transaction in restoring {
            invariant(!transaction.state.isFinished, "\(transaction.gid) is restored as live but has finished")
            let replaced = self.transactions.updateValue(transaction, forKey: transaction.gid)
            invariant(replaced == nil, "\(transaction.gid) is restored twice")
        }
        self.liveCount = restoring.count
        self.liveBytes = restoring.reduce(0) { $0 + $1.estimatedLength }
        self.livePayload = restoring.reduce(0) { $0 + $1.payloadLength }
        self.sum = StateSum(sum, of: restoring)
    }

    /// Applies the commands of one entry, in order.
    ///
    /// - Parameters:
    ///   - index: the entry's position in the log; greater than `appliedIndex`.
    ///   - archive: the transactions that were evicted, exact at `appliedIndex`.
    /// - Returns: one result for each command, and what has changed; nothing for a batch of a format that the cluster doesn't
    ///   use. A node of an older program can't decode such a one, and no two nodes may differ.
    package mutating func apply(
        _ batch: CommandBatch, at index: UInt64, archive: some ArchiveView
    ) -> (results: [CommandResult], effects: [TransactionEffect]) {
        self.advance(to: index)
        guard batch.format <= self.notes.format else { return ([], []) }
        self.logTime = max(self.logTime, batch.logTime)
        var results: [CommandResult] = []
        results.reserveCapacity(batch.commands.count)
        var effects: [TransactionEffect] = []
        effects.reserveCapacity(2 * batch.commands.count)
        for (ordinal, command) in batch.commands.enumerated() {
            let moment = Moment(time: self.logTime, index: index, ordinal: UInt32(truncatingIfNeeded: ordinal))
            results.append(self.apply(command, at: moment, archive: archive, effects: &effects))
        }
        return (results, effects)
    }

    /// Counts an entry that holds no commands (a new leader's own one) or none that can be decoded as applied.
    ///
    /// Such a payload is the same on every node, so that skipping it is deterministic, and no node ends over it.
    package mutating func advance(to index: UInt64) {
        invariant(index > self.appliedIndex, "entry \(index) is applied again; \(self.appliedIndex) was the last one")
        self.appliedIndex = index
    }
}

/// When a command is applied.
struct Moment {
    let time: LogTime
    let index: UInt64
    /// The command's place in its batch.
    let ordinal: UInt32
}
