// SPDX-License-Identifier: Apache-2.0

import Bytes
import Dispatch
import StateStore

/// The thread that takes, reads and receives the files of snapshots, so that neither the node's loop nor its checkpoints
/// wait for them. What it answers comes on that thread.
final class SnapshotKeeper: Sendable {
    typealias Reply<Value> = @Sendable (Result<Value, StateStoreError>) -> Void

    private let queue = DispatchQueue(label: "verdict.snapshots", qos: .utility)
    let statePath: String
    private let identity: StateIdentity
    /// The newest format of a cluster whose state is adopted.
    private let known: FormatLevel
    /// The copy that this node hands out.
    private let copy: String
    /// The copy of another node that this one fetches.
    let fetched: String

    init(statePath: String, identity: StateIdentity, known: FormatLevel) {
        self.known = known
        self.statePath = statePath
        self.identity = identity
        self.copy = statePath + ".snapshot"
        self.fetched = statePath + ".fetched"
    }

    /// Removes what an earlier life has left: copies are of no use to the next one.
    static func clean(statePath: String) throws(StateStoreError) {
        for name in [".snapshot", ".fetched", ".backup"] { try StateSnapshot.remove(statePath + name) }
    }

    // MARK: The leader's copy

    func take(_ reply: @escaping Reply<StateSnapshot>) {
        self.perform(reply) { keeper throws(StateStoreError) in
            try StateSnapshot.take(of: keeper.statePath, identity: keeper.identity, to: keeper.copy)
        }
    }

    /// A copy for a client, beside the one for followers.
    func takeBackup(_ reply: @escaping Reply<BackupSource>) {
        self.perform(reply) { keeper throws(StateStoreError) in
            try BackupSource(
                StateSnapshot.take(of: keeper.statePath, identity: keeper.identity, to: keeper.statePath + ".backup"))
        }
    }

    /// A piece of the copy; empty at its end.
    func read(at offset: UInt64, _ reply: @escaping Reply<[UInt8]>) {
        self.perform(reply) { keeper throws(StateStoreError) in
            try SnapshotFile(reading: keeper.copy).read(SnapshotFile.pieceLength, at: offset)
        }
    }

    // MARK: The follower's

    func begin(_ reply: @escaping Reply<Void>) {
        self.perform(reply) { keeper throws(StateStoreError) in
            try StateSnapshot.remove(keeper.fetched)
            _ = try SnapshotFile(creating: keeper.fetched)
        }
    }

    func write(_ piece: [UInt8], at offset: UInt64, _ reply: @escaping Reply<Void>) {
        self.perform(reply) { keeper throws(StateStoreError) in
            try SnapshotFile(extending: keeper.fetched).write(piece, at: offset)
        }
    }

    /// Everything is there: holds the file against what was promised, and makes it this node's own.
    func adopt(
        length: UInt64, checksum: UInt32, appliedIndex: UInt64, appliedTerm: UInt64, _ reply: @escaping Reply<Void>
    ) {
        self.perform(reply) { keeper throws(StateStoreError) in
            let sum = try SnapshotFile(reading: keeper.fetched).sum()
            guard sum.length == length, sum.checksum == checksum else {
                throw .rot(path: keeper.fetched, table: "?", row: "?", reason: "its checksum isn't the promised one")
            }
            try StateSnapshot.adopt(
                keeper.fetched, identity: keeper.identity, known: keeper.known, appliedIndex: appliedIndex,
                appliedTerm: appliedTerm)
        }
    }

    private func perform<Value>(
        _ reply: @escaping Reply<Value>,
        _ body: @escaping @Sendable (SnapshotKeeper) throws(StateStoreError) -> Value
    ) {
        self.queue.async {
            reply(Result { () throws(StateStoreError) -> Value in try body(self) })
        }
    }
}
