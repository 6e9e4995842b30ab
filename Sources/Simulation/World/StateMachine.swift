// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Transactions

/// What a node's entries come to: the stand-in register, and the production machine of global transactions.
struct StateMachine {
    private(set) var register: Register
    private(set) var transactions = TransactionMachine()
    /// Runs over everything that was applied and what it changed.
    private(set) var hash = StableHash()

    init(clients: Int) {
        self.register = Register(clients: clients)
    }

    init(register: Register, transactions: TransactionMachine, hash: StableHash) {
        self.register = register
        self.transactions = transactions
        self.hash = hash
    }

    var appliedIndex: LogIndex { self.register.appliedIndex }

    /// - Parameter known: the newest format that the node's program knows.
    /// - Returns: what the commands of the entry came to.
    mutating func apply(
        _ entry: Entry, archive: StoredState, known: FormatLevel
    ) -> (results: [CommandResult], effects: [TransactionEffect]) {
        self.register.apply(entry)
        self.hash.mix(self.register.hash.value)
        guard let batch = Self.batch(of: entry, known: known) else {
            self.transactions.advance(to: entry.index.rawValue)
            return ([], [])
        }
        let applied = self.transactions.apply(batch, at: entry.index.rawValue, archive: archive)
        for effect in applied.effects { self.mix(effect) }
        // The digest costs more than the rest together, and what differs stays different.
        if entry.index.rawValue % 4 == 0 { self.hash.mix(self.transactions.digest()) }
        return applied
    }

    static func batch(of entry: Entry, known: FormatLevel) -> CommandBatch? {
        guard entry.kind == .command else { return nil }
        do {
            return try CommandBatch(decoding: entry.payload, known: known)
        } catch {
            return nil
        }
    }

    /// What has changed since the last call; from then on the finished ones are the store's alone.
    mutating func takeChanges() -> StateChanges {
        let changes = self.transactions.takeChanges()
        self.transactions.evict(changes.finished.map(\.gid))
        return changes
    }

    /// The store has these, payloads included.
    mutating func spill(_ written: [GlobalTransaction]) { _ = self.transactions.spill(written, from: 0) }

    private mutating func mix(_ effect: TransactionEffect) {
        switch effect {
        case .callsDue(let gid): self.mix(1, gid)
        case .decided(let gid, let decision): self.mix(2 + UInt64(decision.rawValue), gid)
        case .finished(let gid): self.mix(5, gid)
        case .deadlineSet(let gid, let time):
            self.mix(6, gid)
            self.hash.mix(time.rawValue)
        }
    }

    private mutating func mix(_ tag: UInt64, _ gid: Gid) {
        self.hash.mix(tag)
        self.hash.mix(Array(gid.rawValue.utf8))
    }
}

/// The applied state on a node's disk (Docs/architecture.md, "Applied state"): live transactions as of the last
/// checkpoint, and the archive of finished ones. It may lag behind the log, but never leads it.
struct StoredState: ArchiveView {
    private var register: Register
    private var hash = StableHash()
    private var logTime = LogTime.zero
    private var sum: UInt64 = 0
    private(set) var notes = ClusterNotes()
    /// The last entry whose effect it holds.
    private(set) var applied = LogPosition.zero
    private var live: [Gid: GlobalTransaction] = [:]
    private var finished: [Gid: GlobalTransaction] = [:]

    init(clients: Int) {
        self.register = Register(clients: clients)
    }

    var appliedIndex: LogIndex { self.register.appliedIndex }

    func archived(_ gid: Gid) -> GlobalTransaction? { self.finished[gid] }

    /// A checkpoint: all at once, or not at all.
    /// - Parameter term: of the last applied entry.
    mutating func checkpoint(_ state: inout StateMachine, term: Term) {
        self.applied = LogPosition(index: state.appliedIndex, term: term)
        let changes = state.takeChanges()
        for transaction in changes.finished {
            self.finished[transaction.gid] = self.whole(transaction)
            self.live.removeValue(forKey: transaction.gid)
        }
        for transaction in changes.changedLive { self.live[transaction.gid] = self.whole(transaction) }
        state.spill(changes.changedLive)
        self.register = state.register
        self.hash = state.hash
        self.logTime = state.transactions.logTime
        self.sum = changes.sum
        if let notes = changes.notes { self.notes = notes }
    }

    /// With the payloads that memory has let go of.
    private func whole(_ transaction: GlobalTransaction) -> GlobalTransaction {
        guard let whole = transaction.filled(from: self.live[transaction.gid] ?? transaction) else {
            fatalError("\(transaction.gid): memory has let go of a payload that the disk doesn't have")
        }
        return whole
    }

    /// What a start makes of it.
    func restored() -> StateMachine {
        StateMachine(
            register: self.register,
            transactions: TransactionMachine(
                restoring: self.live.values.map { $0.spilled(from: 0) }.sorted { $0.isAccepted(before: $1) },
                logTime: self.logTime,
                appliedIndex: self.appliedIndex.rawValue, sum: self.sum, notes: self.notes),
            hash: self.hash)
    }
}
