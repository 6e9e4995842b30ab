// SPDX-License-Identifier: Apache-2.0

import Raft
import StateStore
import Transactions

/// The life of a node's folder, step by step: number k is always the same for the same seed, and so is what log and applied
/// state must hold after it.
struct NodeScript {
    /// One batch for the log, with what comes before and behind it.
    struct Step {
        let batch: Batch
        /// The snapshot whose install the batch ends.
        let snapshot: SnapshotOffer?
        /// What has to be safe in the applied state before the log lets go of it.
        let needsSynced: LogIndex?
        /// What follows once the batch's entries are applied.
        let checkpoints: Bool
        let syncs: Bool
    }

    private var random: Numbers
    private var sequence: UInt64 = 0
    private(set) var log = DrillModel()
    /// Everything in memory, nothing ever archived.
    private(set) var machine = TransactionMachine()
    /// Of the applied state at each index.
    private(set) var digests: [LogIndex: UInt64] = [.zero: TransactionMachine.emptyDigest]
    private var synced = LogIndex.zero
    private var gids: [Gid] = []

    init(_ arguments: DrillArguments) {
        self.random = Numbers(state: arguments.seed)
    }

    /// The batch that a snapshot comes with: soon after the restart in the middle of a scenario.
    private static let installsAt: UInt64 = 15
    /// Entries by which a snapshot is ahead of the log.
    private static let ahead = 3

    mutating func next() -> Step {
        self.sequence += 1
        var hardState = self.log.hardState
        if self.sequence % 9 == 1 {
            hardState = HardState(currentTerm: hardState.currentTerm.next(), votedFor: NodeID(rawValue: "n2"))
        }
        var (base, snapshot, needsSynced): (LogBase?, SnapshotOffer?, LogIndex?)
        var entries: [Entry] = []
        if self.sequence == Self.installsAt {
            var index = self.log.lastIndex
            for _ in 0..<Self.ahead {
                index = index.next()
                self.apply(self.entry(at: index, term: hardState.currentTerm))
            }
            let position = LogPosition(index: index, term: hardState.currentTerm)
            let offer = SnapshotOffer(
                description: SnapshotDescription(position: position, length: 0, checksum: 0),
                membership: self.membership(self.sequence))
            snapshot = offer
            base = LogBase(position: position, membership: offer.membership, keepsEntries: false)
        } else if self.sequence % 6 == 0, self.synced > self.log.base.index {
            let term = self.log.entries.first { $0.index == self.synced }?.term ?? self.log.base.term
            needsSynced = self.synced
            base = LogBase(
                position: LogPosition(index: self.synced, term: term), membership: self.membership(self.sequence),
                keepsEntries: true)
        } else {
            for _ in 0...self.random.next(below: 3) {
                let index = entries.last?.index.next() ?? self.log.lastIndex.next()
                let entry = self.entry(at: index, term: hardState.currentTerm)
                self.apply(entry)
                entries.append(entry)
            }
        }
        let batch = Batch(
            sequence: self.sequence, hardState: hardState, base: base, truncateFrom: nil, entries: entries)
        self.log.apply(batch)
        let syncs = self.sequence % 4 == 0
        if syncs || snapshot != nil { self.synced = self.log.lastIndex }
        return Step(
            batch: batch, snapshot: snapshot, needsSynced: needsSynced, checkpoints: self.sequence % 2 == 0,
            syncs: syncs)
    }

    private mutating func apply(_ entry: Entry) {
        self.machine.apply(entry, archive: NothingArchived())
        self.digests[entry.index] = self.machine.digest()
    }

    /// Mostly commands of transactions: some begin, some are decided, some end; now and then who takes part.
    private mutating func entry(at index: LogIndex, term: Term) -> Entry {
        guard self.random.next(below: 8) > 0 else {
            return Entry(
                index: index, term: term, kind: .membership,
                payload: MembershipCodec.encode(self.membership(index.rawValue)))
        }
        let commands = (0...self.random.next(below: 3)).map { _ in self.command() }
        let batch = CommandBatch(logTime: LogTime(rawValue: 1_000 * index.rawValue), commands: commands)
        return Entry(index: index, term: term, kind: .command, payload: batch.encoded())
    }

    private mutating func command() -> Command {
        let gid = self.gids.isEmpty ? nil : self.gids[self.random.next(below: self.gids.count)]
        guard let gid, self.random.next(below: 3) > 0 else { return self.submission() }
        guard let call = self.machine.dueCalls(of: gid).first else { return .abort(gid, reason: "by the drill") }
        return .branchResult(
            BranchResult(
                gid: gid, branchID: call.branchID, operation: call.operation,
                verdict: call.operation == .action && self.random.next(below: 4) == 0 ? .failure : .success, attempts: 1
            ))
    }

    private mutating func submission() -> Command {
        guard let gid = Gid(rawValue: "drill-\(self.gids.count)") else { fatalError("no gid") }
        self.gids.append(gid)
        // Long ones leave memory, and are read again when the row is written anew.
        let branches = ["a", "b"].map { name -> BranchSpec in
            guard let id = BranchID(rawValue: name) else { fatalError("no branch") }
            let count = self.random.next(below: 4) == 0 ? 3_000 : 20
            return BranchSpec(
                id: id,
                targets: [
                    Target(operation: .action, url: "http://bank/do"),
                    Target(operation: .compensate, url: "http://bank/undo"),
                ], payload: [UInt8](repeating: UInt8(self.random.next(below: 200)), count: count))
        }
        return .submit(
            Submission(gid: gid, kind: .saga, timeoutMilliseconds: 60_000, branches: branches))
    }

    /// The members' addresses tell one membership from every other.
    private func membership(_ number: UInt64) -> Membership {
        Membership(
            voters: (1...3).map { position in
                Member(
                    nodeID: NodeID(rawValue: "n\(position)"), storageID: StorageID(rawValue: UInt64(position)),
                    peerAddress: "host-\(number):7501")
            })
    }
}

extension TransactionMachine {
    static var emptyDigest: UInt64 {
        var machine = TransactionMachine()
        return machine.digest()
    }

    /// As a node applies it.
    mutating func apply(_ entry: Entry, archive: some ArchiveView) {
        if entry.kind == .command, let batch = try? CommandBatch(decoding: entry.payload) {
            _ = self.apply(batch, at: entry.index.rawValue, archive: archive)
        } else {
            self.advance(to: entry.index.rawValue)
        }
    }
}

struct NothingArchived: ArchiveView {
    func archived(_ gid: Gid) -> GlobalTransaction? { nil }
}
