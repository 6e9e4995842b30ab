// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Locks

/// The thread that writes `state.db`: takes checkpoints from a queue, in order, and says when each is done.
///
/// A full disk, or a reader that holds the file for long, only delays: the same job is tried again until it succeeds.
/// After any other error nothing more is written, and every job is answered with that error: the process must end, since
/// what the disk has is not known.
package final class StateWriter: Sendable {
    /// One thing to do, with where to say that it is done. Called on the writer's thread; must not block it.
    private enum Job: Sendable {
        case checkpoint(StateCheckpoint, whenDone: @Sendable (Result<Void, StateStoreError>) -> Void)
        case sync(whenDone: @Sendable (Result<UInt64, StateStoreError>) -> Void)
        case install(SnapshotInstall, whenDone: @Sendable (Result<RecoveredState, StateStoreError>) -> Void)
    }

    /// What an install needs to know.
    private struct SnapshotInstall: Sendable {
        let path: String
        let marker: [UInt8]
        let identity: StateIdentity
    }

    private struct Waiting: Sendable {
        var jobs: [Job] = []
        /// Whether the writer's thread has been told, and has not yet found the queue empty.
        var isAwake = false
        var failure: StateStoreError?
    }

    private let thread = DispatchQueue(label: "verdict.state-writer", qos: .userInitiated)
    /// Nil only while one file takes the place of another.
    private let database: Locked<StateDatabase?>
    private let waiting = Locked(Waiting())
    private let retryDelay: DispatchTimeInterval

    /// - Parameter retryDelay: how long to wait before a job is tried again. Default 500 ms.
    package init(_ database: sending StateDatabase, retryMilliseconds: Int = 500) {
        self.database = Locked(database)
        self.retryDelay = .milliseconds(retryMilliseconds)
    }

    /// Queues a checkpoint. The queue has no limit of its own: the caller waits for earlier ones before it makes more.
    /// - Parameter whenDone: called on the writer's thread, in the order of the calls.
    package func checkpoint(
        _ checkpoint: StateCheckpoint, whenDone: @escaping @Sendable (Result<Void, StateStoreError>) -> Void
    ) {
        self.enqueue(.checkpoint(checkpoint, whenDone: whenDone))
    }

    /// Queues a sync of everything queued before.
    /// - Parameter whenDone: gets the applied index that survives a power loss now.
    package func sync(whenDone: @escaping @Sendable (Result<UInt64, StateStoreError>) -> Void) {
        self.enqueue(.sync(whenDone: whenDone))
    }

    /// Queues the install of an adopted snapshot behind everything before; see `StateDatabase.install`. Readers of the file
    /// must be opened again afterwards.
    /// - Parameter whenDone: gets the state that the node goes on from.
    package func install(
        _ path: String, marker: [UInt8], identity: StateIdentity,
        whenDone: @escaping @Sendable (Result<RecoveredState, StateStoreError>) -> Void
    ) {
        self.enqueue(
            .install(SnapshotInstall(path: path, marker: marker, identity: identity), whenDone: whenDone))
    }

    /// Why nothing is being written: the error that ended it, or what delays it for as long as it lasts.
    package var failure: StateStoreError? { self.waiting.withLock { $0.failure } }

    private func enqueue(_ job: Job) {
        let mustWake = self.waiting.withLock { waiting in
            waiting.jobs.append(job)
            defer { waiting.isAwake = true }
            return !waiting.isAwake
        }
        if mustWake { self.thread.async { self.drain() } }
    }

    private func drain() {
        while let job = self.next() {
            switch job {
            case .checkpoint(let checkpoint, let whenDone):
                let result = self.attempt { database throws(StateStoreError) in try database.checkpoint(checkpoint) }
                guard let result else { return self.retry(job) }
                whenDone(result)
            case .sync(let whenDone):
                let result = self.attempt { database throws(StateStoreError) in try database.sync() }
                guard let result else { return self.retry(job) }
                whenDone(result)
            case .install(let install, let whenDone):
                whenDone(self.install(install))
            }
        }
    }

    /// Not tried again: half of it may be done, and a start finishes it.
    private func install(_ install: SnapshotInstall) -> Result<RecoveredState, StateStoreError> {
        if case .some(let failure) = self.failure, !failure.isPassing { return .failure(failure) }
        let result = self.database.withLock { database in
            Result { () throws(StateStoreError) -> RecoveredState in
                guard let old = database.take() else { throw .cannotOpen(path: install.path, reason: "closed") }
                let new = try StateDatabase.install(
                    install.path, marker: install.marker, over: old, identity: install.identity)
                database = new
                return try new.load()
            }
        }
        if case .failure(let failure) = result { self.waiting.withLock { $0.failure = failure } }
        return result
    }

    private func next() -> Job? {
        self.waiting.withLock { waiting in
            if waiting.jobs.isEmpty {
                waiting.isAwake = false
                return nil
            }
            return waiting.jobs.removeFirst()
        }
    }

    /// - Returns: `nil` if the job is to be tried again.
    private func attempt<Value: Sendable>(
        _ body: @Sendable (StateDatabase) throws(StateStoreError) -> Value
    ) -> Result<Value, StateStoreError>? {
        if case .some(let failure) = self.failure, !failure.isPassing { return .failure(failure) }
        let result = self.database.withLock { database in
            Result { () throws(StateStoreError) -> Value in
                guard let database else { throw .cannotOpen(path: "state.db", reason: "closed") }
                return try body(database)
            }
        }
        switch result {
        case .success:
            self.waiting.withLock { $0.failure = nil }
            return result
        case .failure(let failure):
            self.waiting.withLock { $0.failure = failure }
            return failure.isPassing ? nil : result
        }
    }

    private func retry(_ job: Job) {
        self.waiting.withLock { $0.jobs.insert(job, at: 0) }
        // Who lets go of the writer gives up what is delayed.
        self.thread.asyncAfter(deadline: .now() + self.retryDelay) { [weak self] in self?.drain() }
    }
}

extension StateStoreError {
    /// Whether the same write may succeed later: nothing was written, and the connection is sound.
    var isPassing: Bool {
        switch self {
        case .diskFull, .busy: true
        case .cannotOpen, .wrongIdentity, .unsupportedFormat, .newerFormat, .rot, .outOfOrder, .sqlite: false
        }
    }
}
