// SPDX-License-Identifier: Apache-2.0

import Raft

/// What the log's thread does, from its start to its end. Confined to that thread.
struct LogWriterLoop {
    private let log: SQLiteLog
    private let writer: LogWriter
    private let settings: LogWriter.Settings
    private let callbacks: LogWriter.Callbacks
    private let clock = ContinuousClock()
    /// The disk was full, and the reserve doesn't stand again yet.
    private var isFull = false
    /// When to look for room again.
    private var nextRetry: ContinuousClock.Instant

    /// One transaction holds about this many bytes of entries at most, so that it fits the reserve and the WAL stays
    /// near its bound.
    private static let transactionBytes = 4 << 20

    init(log: SQLiteLog, writer: LogWriter, settings: LogWriter.Settings, callbacks: LogWriter.Callbacks) {
        self.log = log
        self.writer = writer
        self.settings = settings
        self.callbacks = callbacks
        self.nextRetry = self.clock.now
    }

    /// Serves until the writer is closed or fails.
    mutating func run() {
        do throws(StoreError) {
            var isFirst = true
            while true {
                // Asked first: what came before the close is in the mailbox then, and nothing comes after it.
                let isClosing = self.writer.isClosing
                let jobs = self.writer.takeJobs()
                if !jobs.isEmpty {
                    // Said with the first batch: only then there is certainly someone who listens.
                    if isFirst, !self.log.reserve.isThere { self.becomeFull() }
                    isFirst = false
                    guard try self.perform(jobs) else { break }
                } else if isClosing {
                    break
                } else {
                    try self.rest()
                }
            }
            try self.end()
        } catch {
            self.writer.die()
            self.callbacks.onFatal(error)
            // Not closed: that would write. The lock goes with the process or with the log's last owner.
            self.log.abandon()
        }
    }

    // MARK: Working

    /// - Returns: `false` if the writer is closing and a full disk keeps the rest from being written.
    private mutating func perform(_ jobs: [LogWriter.Job]) throws(StoreError) -> Bool {
        var batches: [Batch] = []
        var bytes = 0
        for job in jobs {
            switch job {
            case .batch(let batch):
                let length = batch.entries.reduce(0) { $0 + $1.payload.count }
                if bytes + length > Self.transactionBytes {
                    guard try self.write(&batches) else { return false }
                    bytes = 0
                }
                batches.append(batch)
                bytes += length
            case .storageID(let storageID, let nodeID, let whenDone):
                guard try self.write(&batches) else { return false }
                bytes = 0
                guard try self.record(storageID, of: nodeID, whenDone: whenDone) else { return false }
            }
        }
        return try self.write(&batches)
    }

    private mutating func write(_ batches: inout [Batch]) throws(StoreError) -> Bool {
        guard let last = batches.last?.sequence else { return true }
        let waiting = batches
        batches = []
        let isWritten = try self.untilThereIsRoom { log throws(StoreError) in try log.write(waiting) }
        guard isWritten else { return false }
        self.callbacks.onPersisted(last)
        try self.checkpoint(over: self.settings.walBound)
        return true
    }

    private mutating func record(
        _ storageID: StorageID, of nodeID: NodeID, whenDone: (Result<Void, StoreError>) -> Void
    ) throws(StoreError) -> Bool {
        var refusal: StoreError?
        let isWritten = try self.untilThereIsRoom { log throws(StoreError) in
            do throws(StoreError) {
                try log.recordStorageID(storageID, of: nodeID)
            } catch {
                guard case .foreign = error else { throw error }
                refusal = error
            }
        }
        if isWritten { whenDone(refusal.map { .failure($0) } ?? .success(())) }
        return isWritten
    }

    /// Nothing waits: sleeps until something does, and uses a pause for a checkpoint or to look for room.
    private mutating func rest() throws(StoreError) {
        if self.isFull {
            let pause = self.clock.now.duration(to: self.nextRetry)
            if pause > .zero, self.writer.waitForBell(pause) { return }
            return try self.lookForRoom()
        }
        guard self.log.uncheckpointedBytes >= self.settings.idleBound else {
            _ = self.writer.waitForBell(nil)
            return
        }
        if !self.writer.waitForBell(self.settings.idleDelay) { try self.checkpoint(over: self.settings.idleBound) }
    }

    /// A checkpoint that finds no room changes nothing: the WAL keeps what the database file has no place for.
    private mutating func checkpoint(over bound: Int) throws(StoreError) {
        guard self.log.uncheckpointedBytes >= bound, !self.isFull || self.clock.now >= self.nextRetry else { return }
        do throws(StoreError) {
            try self.log.checkpoint()
        } catch {
            guard case .diskFull = error else { throw error }
            self.becomeFull()
            try self.log.reserve.release()
        }
    }

    private func end() throws(StoreError) {
        self.writer.die()
        do throws(StoreError) {
            try self.log.close()
        } catch {
            // The next start checkpoints anew.
            guard case .diskFull = error else { throw error }
        }
    }

    // MARK: A full disk

    /// Tries again until it is done.
    /// - Returns: `false` if the writer was closed meanwhile, and it is not done.
    private mutating func untilThereIsRoom(
        _ body: (SQLiteLog) throws(StoreError) -> Void
    ) throws(StoreError) -> Bool {
        while true {
            do throws(StoreError) {
                try body(self.log)
                if self.isFull, self.clock.now >= self.nextRetry { try self.lookForRoom() }
                return true
            } catch {
                guard case .diskFull = error else { throw error }
                self.becomeFull()
            }
            if self.log.reserve.isThere {
                try self.log.reserve.release()
            } else if self.writer.isClosing {
                return false
            } else {
                // A ring says that more waits, or that the writer is closed; `takeJobs` will see the former.
                _ = self.writer.waitForBell(self.settings.fullRetryDelay)
            }
        }
    }

    private mutating func becomeFull() {
        self.nextRetry = self.clock.now.advanced(by: self.settings.fullRetryDelay)
        guard !self.isFull else { return }
        self.isFull = true
        self.callbacks.onFull(true)
    }

    /// Takes the reserve back, if there is room for it.
    private mutating func lookForRoom() throws(StoreError) {
        self.nextRetry = self.clock.now.advanced(by: self.settings.fullRetryDelay)
        guard try self.log.reserve.refillIfThereIsRoom() else { return }
        self.isFull = false
        self.callbacks.onFull(false)
    }
}
