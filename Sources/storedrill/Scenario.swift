// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Locks
import Raft
import RaftStore

/// Writes the script's batches as a node would, and says on standard output what was acknowledged.
///
/// It closes and opens the log again in the middle, and at the end leaves it open: so one run has every kind of step
/// that the store takes on a disk.
struct Scenario {
    private let arguments: DrillArguments

    init(_ arguments: DrillArguments) { self.arguments = arguments }

    func run() throws(StoreError) {
        try Self.initialiseIfNeeded(self.arguments)
        say("initialised")
        let half = self.arguments.batches / 2
        try self.write(through: half, isClosed: true)
        try self.write(through: self.arguments.batches, isClosed: false)
        say("done")
    }

    static func initialiseIfNeeded(_ arguments: DrillArguments) throws(StoreError) {
        switch try DataFolder.inspect(path: arguments.folder) {
        case .missing, .empty, .unfinished:
            let members = ["n1", "n2", "n3"].map { Member(nodeID: NodeID(rawValue: $0), storageID: .unknown) }
            try DataFolder.initialise(
                path: arguments.folder, clusterID: ClusterID(high: 1, low: arguments.seed),
                nodeID: NodeID(rawValue: "n1"), members: members, reserveBytes: arguments.reserveBytes)
        case .foreign(let names): throw .notEmpty(path: arguments.folder, found: names)
        case .initialised: break
        }
    }

    private func write(through last: UInt64, isClosed: Bool) throws(StoreError) {
        let log = try SQLiteLog(
            folder: self.arguments.folder, nodeID: NodeID(rawValue: "n1"), reserveBytes: self.arguments.reserveBytes)
        var script = DrillScript(self.arguments)
        let recovered = log.takeRecovered()
        var sequence: UInt64 = 0
        while !script.state.isSame(as: recovered) {
            guard sequence < self.arguments.batches else {
                throw .corrupt(path: self.arguments.folder, detail: "the log is at no place of the script")
            }
            sequence = script.next().sequence
        }
        say("found \(sequence)")
        var settings = LogWriter.Settings(idleDelay: .milliseconds(2), fullRetryDelay: .milliseconds(2))
        settings.walBound = self.arguments.walBound
        let progress = Progress()
        let writer = try LogWriter(
            log, settings: settings,
            onPersisted: { sequence in
                say("acked \(sequence)")
                progress.reached(sequence)
            },
            onFull: { isFull in say("full \(isFull ? "yes" : "no")") },
            onFatal: { error in
                say("fatal \(error)")
                progress.fail(error)
            })
        while sequence < last {
            let batch = script.next()
            sequence = batch.sequence
            say("sent \(sequence)")
            writer.append(batch)
            // Some go out without waiting, so that the writer finds several at once.
            if sequence % 5 != 3 || sequence == last { try progress.wait(for: sequence) }
        }
        if isClosed { writer.close() }
        try progress.check()
    }
}

/// How far the writer has come.
private final class Progress: Sendable {
    private let state = Locked<(reached: UInt64, error: StoreError?)>((0, nil))
    private let bell = DispatchSemaphore(value: 0)

    func reached(_ sequence: UInt64) {
        self.state.withLock { $0.reached = sequence }
        self.bell.signal()
    }

    func fail(_ error: StoreError) {
        self.state.withLock { $0.error = error }
        self.bell.signal()
    }

    func check() throws(StoreError) {
        if let error = self.state.withLock({ $0.error }) { throw error }
    }

    func wait(for sequence: UInt64) throws(StoreError) {
        while true {
            try self.check()
            if self.state.withLock({ $0.reached }) >= sequence { return }
            self.bell.wait()
        }
    }
}
