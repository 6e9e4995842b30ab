// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import LedgerService
import SQLite
import Testing

@Suite("The bank's writer") struct WriterTests {
    private func debit(_ gid: String, _ amount: Int64, account: String = "a0") -> LedgerCommand {
        let context = BranchContext(gid: gid, branch: "b", operation: .action)
        return .branch(BranchCall(context, Movement(.debit, account: account, amount: amount)))
    }

    @Test("One refusal among many in a transaction undoes itself alone")
    func neighboursStay() throws {
        let folder = try TemporaryFolder()
        let bank = try Bank(path: folder.database)
        let replies = try bank.perform([
            .putAccount(id: "a0", balance: 100), self.debit("g1", 60), self.debit("g2", 60), self.debit("g3", 40),
            self.debit("g1", 60), .total,
        ])
        #expect(
            replies == [
                .account(Account(id: "a0", balance: 100, held: 0)),
                .verdict(.success),
                .verdict(.failure(reason: "insufficient funds: a0 has 40")),
                .verdict(.success),
                .verdict(.success),
                .total(BankTotal(accounts: 1, balance: 0, held: 0)),
            ])
    }

    @Test("While another program has the file locked nothing is done, and it says so")
    func locked() throws {
        let folder = try TemporaryFolder()
        let bank = try Bank(path: folder.database, busyTimeoutMilliseconds: 0)
        let other = try Database(path: folder.database)
        try other.begin()
        let replies = try bank.perform([.putAccount(id: "a0", balance: 100)])
        try other.rollback()
        let after = try bank.perform([.total])
        guard case .unavailable = replies.first else {
            Issue.record("\(replies)")
            return
        }
        #expect(after == [.total(BankTotal(accounts: 0, balance: 0, held: 0))])
    }

    @Test func afterItsCloseItTakesNothing() async throws {
        let folder = try TemporaryFolder()
        let writer = try await LedgerWriter.start(path: folder.database, logger: .silent)
        let before = await writer.perform(.putAccount(id: "a0", balance: 1))
        await writer.close()
        await writer.close()
        let after = await writer.perform(.total)
        #expect(before == .account(Account(id: "a0", balance: 1, held: 0)))
        #expect(after == .unavailable("the bank is closing"))
    }

    @Test("Many callers at once get their own replies, in fewer transactions than calls")
    func groupCommit() async throws {
        let folder = try TemporaryFolder()
        let writer = try await LedgerWriter.start(path: folder.database, logger: .silent)
        _ = await writer.perform(.createAccounts(prefix: "a", count: 50, balance: 100, overwrites: false))
        await withTaskGroup { group in
            for number in 0..<500 {
                let call = self.debit("g\(number)", 30, account: "a\(number % 50)")
                group.addTask { await writer.perform(call) }
            }
            var counts: [Bool: Int] = [:]
            for await reply in group { counts[reply == .verdict(.success), default: 0] += 1 }
            // 50 accounts of 100 cents bear 3 debits of 30 each.
            #expect(counts == [true: 150, false: 350])
        }
        let transactions = writer.transactions
        let total = await writer.perform(.total)
        await writer.close()
        #expect(transactions < 501)
        #expect(total == .total(BankTotal(accounts: 50, balance: 500, held: 0)))
    }
}
