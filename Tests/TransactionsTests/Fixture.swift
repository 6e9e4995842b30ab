// SPDX-License-Identifier: Apache-2.0

import Transactions

/// An archive in memory.
struct MemoryArchive: ArchiveView {
    var transactions: [Gid: GlobalTransaction] = [:]

    func archived(_ gid: Gid) -> GlobalTransaction? { self.transactions[gid] }
}

/// A machine with its archive, given one entry of the log after the other.
struct Fixture {
    var machine = TransactionMachine()
    var archive = MemoryArchive()
    /// What the latest entry has changed.
    private(set) var effects: [TransactionEffect] = []
    /// The leader's clock, in milliseconds.
    var clock: UInt64 = 1_000

    /// Applies the commands as one entry.
    @discardableResult
    mutating func apply(_ commands: Command...) -> [CommandResult] {
        let batch = CommandBatch(logTime: LogTime(rawValue: self.clock), commands: commands)
        let outcome = self.machine.apply(batch, at: self.machine.appliedIndex + 1, archive: self.archive)
        self.effects = outcome.effects
        return outcome.results
    }

    /// Applies one command and gives its result.
    @discardableResult
    mutating func apply(one command: Command) -> CommandResult {
        self.apply(command)[0]
    }

    /// The participant answers the call that is due.
    @discardableResult
    mutating func answer(
        _ branch: String, _ operation: Operation, _ verdict: BranchVerdict, attempts: UInt32 = 1, detail: String? = nil,
        gid: Gid = .test
    ) -> CommandResult {
        self.apply(
            one: .branchResult(
                BranchResult(
                    gid: gid, branchID: .test(branch), operation: operation, verdict: verdict, attempts: attempts,
                    detail: detail)))
    }

    /// As a node does: finished transactions go to the archive and leave memory.
    mutating func archiveAndEvict() {
        let finished = self.machine.takeChanges().finished
        for transaction in finished { self.archive.transactions[transaction.gid] = transaction }
        self.machine.evict(finished.map(\.gid))
    }

    /// The calls that are due, as "branch operation".
    func due(_ gid: Gid = .test) -> [String] {
        self.machine.dueCalls(of: gid).map { "\($0.branchID) \($0.operation.name)" }
    }

    func transaction(_ gid: Gid = .test) -> GlobalTransaction? {
        self.machine.transaction(gid) ?? self.archive.archived(gid)
    }

    func state(_ gid: Gid = .test) -> TransactionState? { self.transaction(gid)?.state }

    /// The states of the branches in order.
    func branchStates(_ gid: Gid = .test) -> [BranchState] { self.transaction(gid)?.branches.map(\.state) ?? [] }
}

extension Gid {
    static let test = Gid.test("t-1")

    static func test(_ text: String) -> Gid {
        guard let gid = Gid(rawValue: text) else { preconditionFailure("\(text) is no gid") }
        return gid
    }
}

extension BranchID {
    static func test(_ text: String) -> BranchID {
        guard let id = BranchID(rawValue: text) else { preconditionFailure("\(text) is no branch id") }
        return id
    }
}

extension BranchSpec {
    static func saga(_ id: String, headers: [Header] = [], payload: [UInt8] = [1, 2, 3]) -> BranchSpec {
        .test(id, [.action, .compensate], headers: headers, payload: payload)
    }

    static func tcc(_ id: String, headers: [Header] = [], payload: [UInt8] = [4, 5]) -> BranchSpec {
        .test(id, [.try, .confirm, .cancel], headers: headers, payload: payload)
    }

    /// A branch of a TCC transaction whose tries the application makes.
    static func begunTCC(_ id: String, payload: [UInt8] = []) -> BranchSpec {
        .test(id, [.confirm, .cancel], payload: payload)
    }

    static func test(
        _ id: String, _ operations: [Operation], headers: [Header] = [], payload: [UInt8] = []
    ) -> BranchSpec {
        BranchSpec(
            id: .test(id),
            targets: operations.map { Target(operation: $0, url: "http://bank.example:8080/\(id)/\($0.name)") },
            headers: headers, payload: payload)
    }
}

extension Command {
    static func saga(
        _ ids: String..., gid: Gid = .test, isConcurrent: Bool = false, timeout: UInt64 = 10_000
    ) -> Command {
        .submit(
            Submission(
                gid: gid, kind: .saga, isConcurrent: isConcurrent, timeoutMilliseconds: timeout,
                branches: ids.map { .saga($0) }))
    }

    static func tcc(_ ids: String..., gid: Gid = .test, timeout: UInt64 = 10_000) -> Command {
        .submit(
            Submission(gid: gid, kind: .tcc, timeoutMilliseconds: timeout, branches: ids.map { .tcc($0) }))
    }

    static func begin(_ kind: TransactionKind, gid: Gid = .test, timeout: UInt64 = 10_000) -> Command {
        .begin(Beginning(gid: gid, kind: kind, timeoutMilliseconds: timeout))
    }

    static func failedAttempts(
        _ branch: String, _ operation: Operation, attempts: UInt32, error: String, gid: Gid = .test
    ) -> Command {
        .attemptsFailed(
            FailedAttempts(
                gid: gid, branchID: .test(branch), operation: operation, attempts: attempts, lastError: error))
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
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
