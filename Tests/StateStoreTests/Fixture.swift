// SPDX-License-Identifier: Apache-2.0

import StateStore
import Transactions

/// A machine that makes checkpoints, and keeps what every one of them must have left on the disk.
struct Fixture {
    private(set) var machine = TransactionMachine()
    /// All that has finished, by gid.
    private(set) var finished: [Gid: GlobalTransaction] = [:]
    /// As of the last checkpoint.
    private var sum: UInt64 = 0

    static let identity = StateIdentity(clusterID: Array(1...16), nodeID: "n1", storageID: 0xfedc_ba98_7654_3210)

    mutating func apply(_ commands: Command...) {
        let index = self.machine.appliedIndex + 1
        let batch = CommandBatch(logTime: LogTime(rawValue: 1_000 * index), commands: commands)
        _ = self.machine.apply(batch, at: index, archive: EmptyArchive())
    }

    mutating func submit(_ gid: Gid, payload: [UInt8] = [1, 2, 3]) {
        let targets = [Operation.action, .compensate].map {
            Target(operation: $0, url: "http://bank.example/\($0.name)")
        }
        self.apply(
            .submit(
                Submission(
                    gid: gid, kind: .saga, timeoutMilliseconds: 10_000,
                    branches: [BranchSpec(id: .test, targets: targets, payload: payload)])))
    }

    mutating func answer(_ gid: Gid, _ operation: Operation, _ verdict: BranchVerdict) {
        self.apply(
            .branchResult(
                BranchResult(gid: gid, branchID: .test, operation: operation, verdict: verdict, attempts: 1)))
    }

    mutating func commit(_ gid: Gid) { self.answer(gid, .action, .success) }

    mutating func abort(_ gid: Gid) {
        self.answer(gid, .action, .failure)
        self.answer(gid, .compensate, .success)
    }

    /// What has changed since the last one.
    mutating func checkpoint(term: UInt64 = 3) -> StateCheckpoint {
        let changes = self.machine.takeChanges()
        for transaction in changes.finished { self.finished[transaction.gid] = transaction }
        self.sum = changes.sum
        return StateCheckpoint(
            changes, appliedIndex: self.machine.appliedIndex, appliedTerm: term, logTime: self.machine.logTime)
    }

    /// The file has it: longer payloads leave memory.
    mutating func spill(_ checkpoint: StateCheckpoint) -> [Gid] { self.machine.spill(checkpoint.changedLive) }

    /// What the file holds after the last checkpoint.
    func expected(term: UInt64 = 3) -> RecoveredState {
        RecoveredState(
            live: self.machine.allLive.compactMap { self.machine.transaction($0) }, logTime: self.machine.logTime,
            appliedIndex: self.machine.appliedIndex, appliedTerm: term, archivedCount: UInt64(self.finished.count),
            sum: self.sum)
    }

    /// Three live ones, two committed and one aborted.
    static func filled() -> Fixture {
        var fixture = Fixture()
        for number in [3, 1, 6, 4, 2, 5] { fixture.submit(.test(number)) }
        fixture.commit(.test(1))
        fixture.commit(.test(5))
        fixture.abort(.test(4))
        return fixture
    }
}

extension Gid {
    static func test(_ number: Int) -> Gid {
        guard let gid = Gid(rawValue: "t-\(number)") else { preconditionFailure("no gid") }
        return gid
    }
}

extension BranchID {
    static var test: BranchID {
        guard let id = BranchID(rawValue: "b") else { preconditionFailure("no branch id") }
        return id
    }
}

extension StateDatabase {
    static func open(
        _ folder: TemporaryFolder, busyTimeoutMilliseconds: Int32 = 1_000
    ) throws(StateStoreError) -> StateDatabase {
        try StateDatabase.open(
            path: folder.file(), identity: Fixture.identity, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }

    /// Everything in the archive, page by page.
    func everything(pageLength: Int = 2) throws(StateStoreError) -> [GlobalTransaction] {
        var all: [GlobalTransaction] = []
        while true {
            let page = try self.list(after: all.last?.gid, limit: pageLength)
            if page.isEmpty { return all }
            all += page
        }
    }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

extension TransactionMachine {
    /// The digest, without a change to the machine.
    func digested() -> UInt64 {
        var copy = self
        return copy.digest()
    }
}
