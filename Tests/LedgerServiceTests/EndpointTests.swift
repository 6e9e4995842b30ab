// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import LedgerService
import NIOHTTP1
import SQLite
import Testing

@Suite("The bank's branch calls") struct BranchCallTests {
    @Test func tccMovesHeldMoney() async throws {
        try await withBank { bank, _ in
            let tried = try await bank.call("/tcc/debit/try")
            let held = try await bank.account("a0")
            let confirmed = try await bank.call("/tcc/debit/confirm")
            let after = try await bank.account("a0")
            #expect(tried.status == 200)
            #expect(tried.json == .object([:]))
            #expect(held == [900, 100])
            #expect(confirmed.status == 200)
            #expect(after == [900, 0])
        }
    }

    @Test func tccCancelGivesHeldMoneyBack() async throws {
        try await withBank { bank, _ in
            _ = try await bank.call("/tcc/debit/try")
            let cancelled = try await bank.call("/tcc/debit/cancel")
            let after = try await bank.account("a0")
            #expect(cancelled.status == 200)
            #expect(after == [1000, 0])
        }
    }

    @Test func tccCreditShowsAtTheConfirm() async throws {
        try await withBank { bank, _ in
            _ = try await bank.call("/tcc/credit/try", gid: "kept")
            let tried = try await bank.account("a0")
            _ = try await bank.call("/tcc/credit/confirm", gid: "kept")
            let confirmed = try await bank.account("a0")
            _ = try await bank.call("/tcc/credit/try", gid: "dropped")
            _ = try await bank.call("/tcc/credit/cancel", gid: "dropped")
            let cancelled = try await bank.account("a0")
            #expect(tried == [1000, 0])
            #expect(confirmed == [1100, 0])
            #expect(cancelled == [1100, 0])
        }
    }

    @Test(
        "A saga's step and its undoing",
        arguments: [("/saga/debit", [Int64(900), 0]), ("/saga/credit", [1100, 0])])
    func saga(path: String, done: [Int64]) async throws {
        try await withBank { bank, _ in
            let acted = try await bank.call(path)
            let after = try await bank.account("a0")
            let undone = try await bank.call("\(path)/compensate")
            let restored = try await bank.account("a0")
            #expect(acted.status == 200)
            #expect(after == done)
            #expect(undone.status == 200)
            #expect(restored == [1000, 0])
        }
    }

    @Test(
        "Too little money, or no such account: 409, and nothing changes", arguments: ["/tcc/debit/try", "/saga/debit"])
    func refusal(path: String) async throws {
        try await withBank { bank, _ in
            let poor = try await bank.call(path, gid: "poor", amount: 1001)
            let stranger = try await bank.call(path, gid: "stranger", account: "zz")
            let after = try await bank.account("a0")
            #expect(poor.status == 409)
            #expect(poor["code"] == .string("refused"))
            #expect(poor.detail == "insufficient funds: a0 has 1000")
            #expect(stranger.status == 409)
            #expect(stranger.detail == "no such account: zz")
            #expect(after == [1000, 0])
        }
    }

    @Test func anUndoneCreditOverdrawsRatherThanFails() async throws {
        try await withBank { bank, _ in
            _ = try await bank.call("/saga/credit", gid: "credit", amount: 500)
            _ = try await bank.call("/saga/debit", gid: "spent", amount: 1400)
            let undone = try await bank.call("/saga/credit/compensate", gid: "credit", amount: 500)
            let overdrawn = try await bank.account("a0")
            let refused = try await bank.call("/saga/debit", gid: "more", amount: 1)
            _ = try await bank.call("/saga/credit", gid: "again", amount: 450)
            let after = try await bank.account("a0")
            #expect(undone.status == 200)
            #expect(overdrawn == [-400, 0])
            #expect(refused.status == 409)
            #expect(after == [50, 0])
        }
    }

    @Test(
        "Duplicates have no effect and get the same answer",
        arguments: [
            (["/tcc/debit/try", "/tcc/debit/confirm"], [Int64(900), 0]),
            (["/tcc/debit/try", "/tcc/debit/cancel"], [1000, 0]),
            (["/tcc/credit/try", "/tcc/credit/confirm"], [1100, 0]),
            (["/tcc/credit/try", "/tcc/credit/cancel"], [1000, 0]),
            (["/saga/debit"], [900, 0]),
            (["/saga/debit", "/saga/debit/compensate"], [1000, 0]),
            (["/saga/credit"], [1100, 0]),
            (["/saga/credit", "/saga/credit/compensate"], [1000, 0]),
        ])
    func duplicates(paths: [String], expected: [Int64]) async throws {
        try await withBank { bank, _ in
            for path in paths + paths + paths {
                let answer = try await bank.call(path)
                #expect(answer.status == 200)
            }
            let after = try await bank.account("a0")
            #expect(after == expected)
        }
    }

    @Test(
        "Undo first, then do: the late call is refused and nothing changes",
        arguments: [
            ("/tcc/debit/cancel", "/tcc/debit/try"), ("/tcc/credit/cancel", "/tcc/credit/try"),
            ("/saga/debit/compensate", "/saga/debit"), ("/saga/credit/compensate", "/saga/credit"),
        ])
    func undoFirst(undo: String, late: String) async throws {
        try await withBank { bank, _ in
            let undone = try await bank.call(undo)
            let refused = try await bank.call(late)
            let again = try await bank.call(undo)
            let after = try await bank.account("a0")
            #expect(undone.status == 200)
            #expect(refused.status == 409)
            #expect(again.status == 200)
            #expect(after == [1000, 0])
        }
    }

    @Test func whatCannotBeRightIsAContradiction() async throws {
        try await withBank { bank, _ in
            let early = try await bank.call("/tcc/debit/confirm", gid: "early")
            _ = try await bank.call("/tcc/debit/try", gid: "both")
            _ = try await bank.call("/tcc/debit/confirm", gid: "both")
            let late = try await bank.call("/tcc/debit/cancel", gid: "both")
            for answer in [early, late] {
                #expect(answer.status == 409)
                #expect(answer["code"] == .string("contradiction"))
            }
        }
    }

    @Test func branchesOfOneTransactionAreApart() async throws {
        try await withBank { bank, _ in
            _ = try await bank.call("/saga/debit", branch: "b1")
            _ = try await bank.call("/saga/debit", branch: "b2")
            let after = try await bank.account("a0")
            #expect(after == [800, 0])
        }
    }
}

@Suite("The bank's other endpoints") struct AccountEndpointTests {
    @Test func accountsAreListedInPages() async throws {
        try await withBank { bank, _ in
            let all = try await bank.send(.GET, "/accounts")
            let first = try await bank.send(.GET, "/accounts?limit=2")
            let second = try await bank.send(.GET, "/accounts?limit=2&after=a1")
            func account(_ id: String) -> JSONValue {
                .object(["id": .string(id), "balance": .integer(1000), "held": .integer(0)])
            }
            #expect(
                all.json
                    == .object([
                        "bank": .string("A"), "accounts": .array([account("a0"), account("a1"), account("a2")]),
                    ]))
            #expect(first["accounts"] == .array([account("a0"), account("a1")]))
            #expect(first["next"] == .string("a1"))
            #expect(second["accounts"] == .array([account("a2")]))
            #expect(second["next"] == nil)
        }
    }

    @Test func accountsAreCreatedAndSet() async throws {
        try await withBank { bank, _ in
            let put = try await bank.send(.PUT, "/accounts/x%2F1", body: #"{"balance":5}"#)
            let created = try await bank.send(
                .POST, "/accounts", body: #"{"prefix":"c","count":2,"balance":7}"#)
            let last = try await bank.account("c1")
            let missing = try await bank.send(.GET, "/accounts/c2")
            #expect(put["id"] == .string("x/1"))
            #expect(created["created"] == .integer(2))
            #expect(last == [7, 0])
            #expect(missing.status == 404)
        }
    }

    @Test("The sum holds what is put aside, and the file says the same to any program")
    func sum() async throws {
        let folder = try TemporaryFolder()
        try await withBank(database: folder.database) { bank, _ in
            _ = try await bank.call("/tcc/debit/try")
            let sum = try await bank.send(.GET, "/sum")
            #expect(
                sum.json
                    == .object([
                        "bank": .string("A"), "accounts": .integer(3), "balance": .integer(2900), "held": .integer(100),
                        "sum": .integer(3000),
                    ]))
            // Another connection, while the bank serves.
            let file = try Database(path: folder.database, access: .readOnly)
            let total = try file.firstInteger("SELECT sum(balance) + sum(held) FROM accounts")
            #expect(total == 3000)
        }
    }

    @Test func aRestartKeepsWhatThereIs() async throws {
        let folder = try TemporaryFolder()
        try await withBank(database: folder.database) { bank, _ in
            _ = try await bank.call("/tcc/debit/try")
        }
        try await withBank(database: folder.database, accounts: 4) { bank, _ in
            let old = try await bank.account("a0")
            let new = try await bank.account("a3")
            let repeated = try await bank.call("/tcc/debit/try")
            let confirmed = try await bank.call("/tcc/debit/confirm")
            let after = try await bank.account("a0")
            #expect(old == [900, 100])
            #expect(new == [1000, 0])
            #expect(repeated.status == 200)
            #expect(confirmed.status == 200)
            #expect(after == [900, 0])
        }
    }

    @Test func healthIsAnswered() async throws {
        try await withBank { bank, _ in
            let health = try await bank.send(.GET, "/healthz")
            #expect(health.status == 200)
            #expect(health.json == .object(["bank": .string("A"), "status": .string("ok")]))
        }
    }

    @Test("An instant bank answers every branch call and keeps nothing")
    func instant() async throws {
        try await withBank(isInstant: true) { bank, _ in
            for path in ["/tcc/debit/try", "/tcc/credit/cancel", "/saga/debit", "/saga/credit/compensate"] {
                let answer = try await bank.send(.POST, path, body: "whatever")
                #expect(answer.status == 200)
            }
            let sum = try await bank.send(.GET, "/sum")
            #expect(sum.status == 404)
            try await bank.setFaults(#"{"fail_next":1,"fail_with":"409"}"#)
            let refused = try await bank.call("/saga/debit")
            let done = try await bank.call("/saga/debit")
            #expect(refused.status == 409)
            #expect(done.status == 200)
        }
    }
}
