// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Locks
package import Raft

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The thread that writes a node's log.
///
/// Group commit without a timer: it takes everything that waits, writes it in one transaction with one sync, and
/// answers once for all of it. While one transaction syncs, the next one gathers; so more load makes larger batches.
///
/// How a node begins:
///
/// ```swift
/// let log = try SQLiteLog(folder: folder, nodeID: "n1")
/// let core = RaftCore(configuration: configuration, recovered: log.takeRecovered(), …)
/// let writer = try LogWriter(
///     log, settings: LogWriter.Settings(walBound: LogWriter.Settings.walBound(ofMember: 0, of: 3)),
///     onPersisted: { sequence in mailbox.add(.persisted(through: sequence)) },   // each on the writer's thread
///     onFull: { isFull in mailbox.add(.diskFull(isFull)) },
///     onFatal: { error in exit(with: error) })
/// writer.append(batch)        // for each `RaftEffect.persist`, in their order
/// writer.close()              // writes what waits, checkpoints, lets go of the folder
/// ```
///
/// **A full disk** only delays. Nothing was written, nothing is acknowledged; the writer says so with `onFull(true)`,
/// lets go of the reserve, and tries the same again until there is room. From then until `onFull(false)` the node
/// should propose nothing and take no entries, so that the reserve's room is left for terms and votes. `onFull(false)`
/// comes when the reserve stands again.
///
/// **Any other failure is the end**: after a sync that failed, the page cache shows bytes that the disk may not have.
/// `onFatal` is called once, nothing is written or acknowledged any more, and the process must end.
package final class LogWriter: Sendable {
    /// Bounds and times of the writer.
    package struct Settings: Hashable, Sendable {
        /// The range that `walBound` is kept in, in bytes.
        package static let walBounds = (1 << 20)...(4 << 20)

        /// Bytes of WAL at which the writer checkpoints under load too. Default 1 MiB. Under it a stall is short and
        /// frequent, over it long and rare (3.6 ms a MiB on a small machine).
        package var walBound: Int
        /// How long nothing must come before the writer checkpoints because it is idle. Default 50 ms.
        package var idleDelay: Duration
        /// How long to wait before trying again on a full disk. Default 200 ms.
        package var fullRetryDelay: Duration

        package init(
            walBound: Int = 1 << 20, idleDelay: Duration = .milliseconds(50),
            fullRetryDelay: Duration = .milliseconds(200)
        ) {
            self.walBound = min(max(walBound, Self.walBounds.lowerBound), Self.walBounds.upperBound)
            self.idleDelay = idleDelay
            self.fullRetryDelay = fullRetryDelay
        }

        /// A bound of its own for each member: they then checkpoint at different moments, and a quorum hides each
        /// stall.
        /// - Parameter position: the member's place in the configuration, from 0.
        package static func walBound(ofMember position: Int, of count: Int) -> Int {
            let (low, high) = (self.walBounds.lowerBound, self.walBounds.upperBound)
            return low + (high - low) / max(1, count) * min(max(0, position), max(0, count - 1))
        }

        /// An idle writer leaves less than this in the WAL: a checkpoint has its price, and makes the next commit
        /// dearer.
        var idleBound: Int { self.walBound / 4 }
    }

    /// One thing that waits to be written.
    enum Job: Sendable {
        case batch(Batch)
        case storageID(StorageID, of: NodeID, whenDone: @Sendable (Result<Void, StoreError>) -> Void)
    }

    struct Callbacks: Sendable {
        let onPersisted: @Sendable (UInt64) -> Void
        let onFull: @Sendable (Bool) -> Void
        let onFatal: @Sendable (StoreError) -> Void
    }

    private struct Mailbox: Sendable {
        var jobs: [Job] = []
        /// Bytes of the entries that wait.
        var bytes = 0
        /// The thread was told, and has not yet found the mailbox empty.
        var isAwake = false
        var isClosed = false
        var isDead = false
    }

    private let log: Locked<SQLiteLog>
    private let settings: Settings
    private let callbacks: Callbacks
    private let mailbox = Locked(Mailbox())
    /// Rings when the mailbox is no longer empty, or is closed.
    private let bell = DispatchSemaphore(value: 0)
    private let thread = Locked<pthread_t?>(nil)

    /// Starts the thread. It lives until `close()`.
    /// - Parameters:
    ///   - log: the writer's alone from now on.
    ///   - onPersisted: every batch through this sequence is on disk. Called on the writer's thread, as the others are:
    ///     it must not block, nor call `close()`.
    ///   - onFull: whether the disk is full, when that changes.
    ///   - onFatal: what ended the writer; called at most once.
    /// - Throws: if the system gives no thread.
    package init(
        _ log: sending SQLiteLog, settings: Settings = Settings(),
        onPersisted: @escaping @Sendable (_ sequence: UInt64) -> Void,
        onFull: @escaping @Sendable (_ isFull: Bool) -> Void,
        onFatal: @escaping @Sendable (StoreError) -> Void
    ) throws(StoreError) {
        let folder = log.folder
        self.log = Locked(log)
        self.settings = settings
        self.callbacks = Callbacks(onPersisted: onPersisted, onFull: onFull, onFatal: onFatal)
        let code = self.startThread()
        guard code == 0 else { throw .io(errno: code, call: "pthread_create", path: folder) }
    }

    private func startThread() -> Int32 {
        let retained = Unmanaged.passRetained(self)
        return self.thread.withLock { thread in
            var started = pthread_t()
            let code = pthread_create(
                &started, nil,
                { argument in
                    if let argument {
                        Unmanaged<LogWriter>.fromOpaque(argument).takeRetainedValue().run()
                    }
                    return nil
                }, retained.toOpaque())
            if code == 0 { thread = started } else { retained.release() }
            return code
        }
    }

    // MARK: For any thread

    /// Queues a batch behind those before it and returns at once. `onPersisted` tells when it is on disk. After
    /// `close()` or a fatal error it is dropped: the process ends.
    package func append(_ batch: Batch) {
        self.add(.batch(batch), bytes: batch.entries.reduce(0) { $0 + $1.payload.count })
    }

    /// Makes the life of a member's data folder durable, in its turn between the batches.
    /// - Parameter whenDone: called on the writer's thread. `StoreError.foreign` if the member is known with another id
    ///   or not at all: nothing was changed then. Not called if the writer ends before.
    package func recordStorageID(
        _ storageID: StorageID, of nodeID: NodeID,
        whenDone: @escaping @Sendable (Result<Void, StoreError>) -> Void = { _ in }
    ) {
        self.add(.storageID(storageID, of: nodeID, whenDone: whenDone), bytes: 0)
    }

    /// Bytes of entries that wait to be written. The queue has no limit of its own; who fills it looks here.
    package var waitingBytes: Int { self.mailbox.withLock { $0.bytes } }

    /// Writes what waits, checkpoints, lets go of the folder and returns when the thread has ended. What a full disk
    /// keeps from being written then is dropped, unacknowledged. A second call does nothing.
    package func close() {
        let mustRing = self.mailbox.withLock { mailbox in
            defer { mailbox.isClosed = true }
            return !mailbox.isClosed
        }
        if mustRing { self.bell.signal() }
        if let thread = self.thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    private func add(_ job: Job, bytes: Int) {
        let mustRing = self.mailbox.withLock { mailbox in
            guard !mailbox.isClosed, !mailbox.isDead else { return false }
            mailbox.jobs.append(job)
            mailbox.bytes += bytes
            defer { mailbox.isAwake = true }
            return !mailbox.isAwake
        }
        if mustRing { self.bell.signal() }
    }

    // MARK: The thread

    private func run() {
        self.log.withLock { log in
            var loop = LogWriterLoop(log: log, writer: self, settings: self.settings, callbacks: self.callbacks)
            loop.run()
        }
    }

    /// Everything that waits; empty if nothing does. The next job rings the bell then.
    func takeJobs() -> [Job] {
        self.mailbox.withLock { mailbox in
            let jobs = mailbox.jobs
            mailbox.jobs = []
            mailbox.bytes = 0
            mailbox.isAwake = !jobs.isEmpty
            return jobs
        }
    }

    /// No job is taken any more.
    func die() {
        self.mailbox.withLock { mailbox in
            mailbox.isDead = true
            mailbox.jobs = []
            mailbox.bytes = 0
        }
    }

    var isClosing: Bool { self.mailbox.withLock { $0.isClosed } }

    /// Waits for a job or for `close()`.
    /// - Parameter limit: `nil` for as long as it takes.
    /// - Returns: whether the bell rang.
    func waitForBell(_ limit: Duration?) -> Bool {
        guard let limit else {
            self.bell.wait()
            return true
        }
        let nanoseconds = limit / Duration.nanoseconds(1)
        return self.bell.wait(timeout: .now() + .nanoseconds(Int(nanoseconds))) == .success
    }
}
