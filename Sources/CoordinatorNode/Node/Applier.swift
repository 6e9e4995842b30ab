// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import Raft
import StateStore
import Transactions

/// The state machine's side of the node: feeds committed entries to the transaction machine and hands what has changed to
/// the disk, never ahead of the log's own disk (Docs/architecture.md, "Applied state").
struct Applier {
    private(set) var machine: TransactionMachine
    private(set) var applied: LogPosition
    let archive: ArchiveReader
    private let writer: StateWriter
    private let logger: Logger
    /// Ends the process: what the disk has is no longer known.
    private let fatal: @Sendable (StateStoreError) -> Never
    /// The newest format that this program knows.
    private let known: FormatLevel
    /// Ends the process: an entry lets the cluster use a format that this program doesn't know.
    private let outdated: @Sendable (FormatLevel) -> Never
    /// A checkpoint whose entries this node's log hasn't synced yet, or that is being written.
    private var held: StateCheckpoint?
    private(set) var isCheckpointUnderWay = false
    /// Through which entry the state's file holds everything, and what it will be once the checkpoint under way is done.
    private(set) var written: LogIndex
    private var writing = LogIndex.zero
    private var finishedSinceCheckpoint = 0
    private(set) var hasChanges = false
    /// A snapshot takes the state's place: nothing is applied and nothing written.
    private(set) var isFrozen = false

    /// Finished transactions after which a checkpoint is due at once.
    private static let checkpointTransactions = 512

    init(
        machine: TransactionMachine, applied: LogPosition, archive: ArchiveReader, writer: StateWriter, logger: Logger,
        known: FormatLevel, fatal: @escaping @Sendable (StateStoreError) -> Never,
        outdated: @escaping @Sendable (FormatLevel) -> Never
    ) {
        self.known = known
        self.outdated = outdated
        self.machine = machine
        self.applied = applied
        self.written = applied.index
        self.archive = archive
        self.writer = writer
        self.logger = logger
        self.fatal = fatal
    }

    /// The transaction, wherever it is.
    func transaction(_ gid: Gid) -> GlobalTransaction? {
        self.machine.transaction(gid) ?? self.archive.archived(gid)
    }

    /// Applies one committed entry, unless it and what follows are of a format that this program doesn't know.
    mutating func apply(_ entry: Entry) -> (results: [CommandResult], commands: [Command], effects: [TransactionEffect])
    {
        self.applied = LogPosition(index: entry.index, term: entry.term)
        self.hasChanges = true
        switch entry.kind {
        case .leaderStart, .membership:
            self.machine.advance(to: entry.index.rawValue)
            return ([], [], [])
        case .command:
            do {
                let batch = try CommandBatch(decoding: entry.payload, known: self.known)
                if let format = batch.raisedFormat, format > self.known { self.outdated(format) }
                let (results, effects) = self.machine.apply(batch, at: entry.index.rawValue, archive: self.archive)
                if results.isEmpty, !batch.commands.isEmpty {
                    self.logger.error(
                        "An entry is of a format that the cluster doesn't use yet, and was skipped",
                        metadata: [LogKey.index: "\(entry.index)", LogKey.format: "\(batch.format)"])
                }
                for case .finished in effects { self.finishedSinceCheckpoint += 1 }
                return (results, batch.commands, effects)
            } catch {
                // The same bytes are undecodable on every node, so skipping them is deterministic (faults.md, 25).
                self.logger.error(
                    "An entry holds no command that this version knows, and was skipped",
                    metadata: [LogKey.index: "\(entry.index)", LogKey.reason: "\(error)"])
                self.machine.advance(to: entry.index.rawValue)
                return ([], [], [])
            }
        }
    }

    /// Of everything applied so far.
    mutating func digest() -> UInt64 { self.machine.digest() }

    // MARK: Checkpoints

    /// Whether so much has finished that a checkpoint shouldn't wait for its time.
    var isCheckpointUrgent: Bool { self.finishedSinceCheckpoint >= Self.checkpointTransactions }

    /// Takes what has changed as the next checkpoint. It goes out by `releaseCheckpoint`.
    mutating func prepareCheckpoint() {
        guard self.held == nil, !self.isCheckpointUnderWay, self.hasChanges, !self.isFrozen else { return }
        self.held = StateCheckpoint(
            self.machine.takeChanges(), appliedIndex: self.applied.index.rawValue,
            appliedTerm: self.applied.term.rawValue, logTime: self.machine.logTime)
        self.finishedSinceCheckpoint = 0
        self.hasChanges = false
    }

    /// Hands the checkpoint to the disk once this node's own log is synced through its index: applied state may lag
    /// behind the log on the same disk, but must never lead it.
    /// - Parameter whenDone: gets what the checkpoint has brought to the disk; called on the writer's thread.
    mutating func releaseCheckpoint(
        durableIndex: LogIndex, whenDone: @escaping @Sendable (StateCheckpoint) -> Void
    ) {
        guard let checkpoint = self.held, checkpoint.appliedIndex <= durableIndex.rawValue else { return }
        self.held = nil
        self.isCheckpointUnderWay = true
        self.writing = LogIndex(rawValue: checkpoint.appliedIndex)
        self.writer.checkpoint(checkpoint) { [fatal] result in
            switch result {
            case .success: whenDone(checkpoint)
            case .failure(let error): fatal(error)
            }
        }
    }

    /// Makes everything that was handed to the disk survive a power loss.
    /// - Parameter whenDone: gets the applied index that does; called on the writer's thread.
    func sync(whenDone: @escaping @Sendable (UInt64) -> Void) {
        self.writer.sync { [fatal] result in
            switch result {
            case .success(let index): whenDone(index)
            case .failure(let error): fatal(error)
            }
        }
    }

    // MARK: Snapshots

    /// What has changed since the last checkpoint is in the snapshot too.
    mutating func freeze() {
        self.isFrozen = true
        self.held = nil
    }

    /// Lets an adopted snapshot take the place of the state's file.
    func install(
        _ path: String, marker: [UInt8], identity: StateIdentity,
        whenDone: @escaping @Sendable (RecoveredState) -> Void
    ) {
        self.writer.install(path, marker: marker, identity: identity) { [fatal] result in
            switch result {
            case .success(let state): whenDone(state)
            case .failure(let error): fatal(error)
            }
        }
    }

    mutating func goOn(from state: RecoveredState) {
        self.machine = TransactionMachine(state)
        self.applied = LogPosition(
            index: LogIndex(rawValue: state.appliedIndex), term: Term(rawValue: state.appliedTerm))
        self.finishedSinceCheckpoint = 0
        self.hasChanges = false
        self.isFrozen = false
        self.written = self.applied.index
    }

    /// The checkpoint is on disk and readers see it: what has finished may leave memory, and so may the payloads of what goes
    /// on.
    /// - Returns: the transactions whose payloads have left it.
    mutating func checkpointDone(_ checkpoint: StateCheckpoint) -> [Gid] {
        self.isCheckpointUnderWay = false
        self.written = max(self.written, self.writing)
        self.machine.evict(checkpoint.finished.map(\.gid))
        return self.machine.spill(checkpoint.changedLive)
    }
}
