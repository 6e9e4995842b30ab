// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Locks
package import Logging
import SQLite

/// The one thread that works on the bank's file.
///
/// It takes all commands that wait, runs them in one transaction, and answers them after its one sync: the more wait,
/// the less each costs. There is no timer; while one transaction syncs, the next one gathers.
package final class LedgerWriter: Sendable {
    /// Commands that may wait; more are refused. At some thousands a second this is about a second's work.
    package static let queueLimit = 8192
    /// Commands in one transaction at most, so that the first of many doesn't wait for all.
    package static let batchLimit = 512

    private struct Job: Sendable {
        let command: LedgerCommand
        let completion: @Sendable (LedgerReply) -> Void
    }

    private struct Mailbox {
        var jobs: [Job] = []
        var isClosed = false
        var whenEnded: [CheckedContinuation<Void, Never>] = []
        var hasEnded = false
        var transactions = 0
    }

    private let mailbox = Locked(Mailbox())
    /// Rings when the mailbox is no longer empty, or is closed.
    private let bell = DispatchSemaphore(value: 0)

    private init() {}

    /// Transactions that were committed, each with its one sync.
    package var transactions: Int { self.mailbox.withLock { $0.transactions } }

    /// Opens the file on the writer's own thread.
    /// - Throws: `SQLiteError` if it can't be opened or isn't a bank's.
    package static func start(path: String, logger: Logger) async throws -> LedgerWriter {
        let writer = LedgerWriter()
        try await withCheckedThrowingContinuation { (opened: CheckedContinuation<Void, any Error>) in
            let thread = Thread {
                do throws(SQLiteError) {
                    let bank = try Bank(path: path)
                    opened.resume()
                    writer.run(bank, logger)
                } catch {
                    opened.resume(throwing: error)
                }
            }
            thread.name = "ledger-writer"
            thread.start()
        }
        return writer
    }

    /// Runs one command.
    /// - Parameter completion: gets the reply when what the command did is on disk; on the writer's thread, or on this
    ///   one if the command isn't taken.
    package func perform(_ command: LedgerCommand, completion: @escaping @Sendable (LedgerReply) -> Void) {
        let (refusal, isFirst): (LedgerReply?, Bool) = self.mailbox.withLock { mailbox in
            if mailbox.isClosed { return (.unavailable("the bank is closing"), false) }
            if mailbox.jobs.count >= Self.queueLimit { return (.unavailable("too many calls wait"), false) }
            mailbox.jobs.append(Job(command: command, completion: completion))
            return (nil, mailbox.jobs.count == 1)
        }
        if isFirst { self.bell.signal() }
        if let refusal { completion(refusal) }
    }

    /// Runs one command. The reply comes when what it did is on disk.
    package func perform(_ command: LedgerCommand) async -> LedgerReply {
        await withCheckedContinuation { continuation in
            self.perform(command) { continuation.resume(returning: $0) }
        }
    }

    /// Does what waits, takes nothing new, closes the file, and returns when that is done.
    package func close() async {
        await withCheckedContinuation { continuation in
            let hasEnded = self.mailbox.withLock { mailbox in
                mailbox.isClosed = true
                if !mailbox.hasEnded { mailbox.whenEnded.append(continuation) }
                return mailbox.hasEnded
            }
            self.bell.signal()
            if hasEnded { continuation.resume() }
        }
    }

    private func run(_ bank: consuming Bank, _ logger: Logger) {
        while true {
            self.bell.wait()
            let (jobs, isClosed) = self.mailbox.withLock { mailbox in
                let jobs = mailbox.jobs
                mailbox.jobs = []
                return (jobs, mailbox.isClosed)
            }
            for start in stride(from: 0, to: jobs.count, by: Self.batchLimit) {
                self.perform(jobs[start..<min(start + Self.batchLimit, jobs.count)], bank, logger)
            }
            if isClosed { break }
        }
        _ = consume bank
        let waiting = self.mailbox.withLock { mailbox in
            mailbox.hasEnded = true
            return mailbox.whenEnded
        }
        for continuation in waiting { continuation.resume() }
    }

    private func perform(_ jobs: ArraySlice<Job>, _ bank: Bank, _ logger: Logger) {
        do throws(SQLiteError) {
            let replies = try bank.perform(jobs.map(\.command))
            self.mailbox.withLock { $0.transactions += 1 }
            for (job, reply) in zip(jobs, replies) { job.completion(reply) }
        } catch {
            // Nobody is answered: the callers see a broken connection and ask again after the restart.
            logger.critical("The disk failed; exiting", metadata: ["ledger.error": "\(error)"])
            exit(74)
        }
    }
}
