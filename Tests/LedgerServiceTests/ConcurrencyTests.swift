// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import LedgerService
import NIOHTTP1
import SQLite
import Testing

@Suite("Many transfers at the same time") struct ConcurrencyTests {
    @Test func concurrentTransfersKeepTheSum() async throws {
        let folder = try TemporaryFolder()
        try await withBank(database: folder.database, accounts: 5) { bank, _ in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for worker in 0..<12 {
                    group.addTask { try await Self.transfers(by: worker, bank) }
                }
                for try await committed in group { #expect(committed > 0) }
            }
            let sum = try await bank.send(.GET, "/sum")
            #expect(sum["sum"] == .integer(5000))
            #expect(sum["held"] == .integer(0))
        }
        let file = try Database(path: folder.database, access: .readOnly)
        let total = try file.firstInteger("SELECT sum(balance) + sum(held) FROM accounts")
        #expect(total == 5000)
    }

    /// Ten transfers, in turn by TCC and by a saga, each call twice at the same time; what is refused is undone.
    /// - Returns: how many were not refused.
    private static func transfers(by worker: Int, _ bank: BankClient) async throws -> Int {
        var committed = 0
        for number in 0..<10 {
            let gid = "t-\(worker)-\(number)"
            let source = "a\((worker + number) % 5)"
            let target = "a\((worker + number * 3 + 1) % 5)"
            func twice(_ debit: String, _ credit: String) async throws -> Bool {
                async let taken = bank.call(debit, gid: gid, branch: "from", account: source, amount: 333)
                async let takenAgain = bank.call(debit, gid: gid, branch: "from", account: source, amount: 333)
                async let given = bank.call(credit, gid: gid, branch: "to", account: target, amount: 333)
                async let givenAgain = bank.call(credit, gid: gid, branch: "to", account: target, amount: 333)
                let statuses = try await [taken.status, takenAgain.status, given.status, givenAgain.status]
                #expect(statuses[0] == statuses[1])
                #expect(statuses[2] == statuses[3])
                return statuses.allSatisfy { $0 == 200 }
            }
            if number.isMultiple(of: 2) {
                let isTried = try await twice("/tcc/debit/try", "/tcc/credit/try")
                let end = isTried ? "confirm" : "cancel"
                let hasEnded = try await twice("/tcc/debit/\(end)", "/tcc/credit/\(end)")
                #expect(hasEnded)
                committed += isTried ? 1 : 0
            } else {
                let isDone = try await twice("/saga/debit", "/saga/credit")
                // A finished saga has no further calls: every second one is undone to try that, too.
                if !isDone || number % 4 == 1 {
                    let isUndone = try await twice("/saga/debit/compensate", "/saga/credit/compensate")
                    #expect(isUndone)
                }
                committed += isDone ? 1 : 0
            }
        }
        return committed
    }
}
