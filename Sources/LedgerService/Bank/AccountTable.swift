// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import SQLite
import SQLiteBarrier

/// The table of accounts, and what each operation does to an account.
///
/// Any program that reads SQLite may read it (in WAL mode, so at any time). The bank's money is
/// `SELECT sum(balance) + sum(held) FROM accounts`. Over all banks of a transfer this is constant once every
/// transaction has ended: between a debit and its credit the money is on its way and in no bank, and it is nowhere
/// twice.
struct AccountTable: ~Copyable {
    private let select: Statement
    private let page: Statement
    private let insert: Statement
    private let upsert: Statement
    private let sum: Statement
    private let change: Statement

    init(in database: borrowing Database) throws(SQLiteError) {
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS accounts (
                id TEXT PRIMARY KEY NOT NULL,
                balance INTEGER NOT NULL,                         -- cents that can be spent; below 0: overdrawn
                held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0) -- cents that a try has put aside
            )
            """)
        let select = try Statement("SELECT balance, held FROM accounts WHERE id = ?1", in: database)
        let page = try Statement(
            "SELECT id, balance, held FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2", in: database)
        let insert = try Statement(
            "INSERT INTO accounts (id, balance) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING", in: database)
        let upsert = try Statement(
            """
            INSERT INTO accounts (id, balance) VALUES (?1, ?2)
            ON CONFLICT (id) DO UPDATE SET balance = excluded.balance
            """, in: database)
        let sum = try Statement(
            "SELECT count(*), coalesce(sum(balance), 0), coalesce(sum(held), 0) FROM accounts", in: database)
        // A row comes back if and only if the account is there and neither part leaves its range.
        let change = try Statement(
            """
            UPDATE accounts SET balance = balance + ?2, held = held + ?3
            WHERE id = ?1 AND balance + ?2 BETWEEN ?4 AND ?5 AND held + ?3 BETWEEN 0 AND ?5
            RETURNING 1
            """, in: database)
        self.select = select
        self.page = page
        self.insert = insert
        self.upsert = upsert
        self.sum = sum
        self.change = change
    }

    func account(_ id: String) throws(SQLiteError) -> Account? {
        defer { self.select.reset() }
        try self.select.bind(id, at: 1)
        guard try self.select.step() else { return nil }
        return Account(id: id, balance: self.select.integer(column: 0), held: self.select.integer(column: 1))
    }

    func accounts(after id: String, limit: Int64) throws(SQLiteError) -> [Account] {
        defer { self.page.reset() }
        try self.page.bind(id, at: 1)
        try self.page.bind(limit, at: 2)
        var accounts: [Account] = []
        while try self.page.step() {
            accounts.append(
                Account(
                    id: self.page.text(column: 0), balance: self.page.integer(column: 1),
                    held: self.page.integer(column: 2)))
        }
        return accounts
    }

    /// Creates the account. One that is there gets this balance if `overwrites`, else it stays as it is.
    func put(_ id: String, _ balance: Int64, overwrites: Bool) throws(SQLiteError) {
        if overwrites {
            try self.upsert.bind(id, at: 1)
            try self.upsert.bind(balance, at: 2)
            try self.upsert.run()
        } else {
            try self.insert.bind(id, at: 1)
            try self.insert.bind(balance, at: 2)
            try self.insert.run()
        }
    }

    func total() throws(SQLiteError) -> BankTotal {
        defer { self.sum.reset() }
        guard try self.sum.step() else { return BankTotal(accounts: 0, balance: 0, held: 0) }
        return BankTotal(
            accounts: self.sum.integer(column: 0), balance: self.sum.integer(column: 1),
            held: self.sum.integer(column: 2))
    }

    /// The effect of one branch call. The barrier has seen to it that it runs at most once, and only in a right order.
    /// - Throws: `BranchFailure` with the reason if the account can't do it.
    func apply(_ movement: Movement, _ operation: BranchOperation) throws {
        let amount = movement.amount
        switch (movement.direction, operation) {
        case (.debit, .try): try self.add(to: movement, balance: -amount, held: amount)
        case (.debit, .confirm): try self.add(to: movement, balance: 0, held: -amount, isEnding: true)
        case (.debit, .cancel): try self.add(to: movement, balance: amount, held: -amount, isEnding: true)
        case (.debit, .action): try self.add(to: movement, balance: -amount, held: 0)
        case (.debit, .compensate): try self.add(to: movement, balance: amount, held: 0, isEnding: true)
        case (.credit, .try):
            guard let account = try self.account(movement.account) else { throw Self.noSuchAccount(movement) }
            guard account.balance <= Movement.largestAmount - amount else { throw Self.tooMuch(movement) }
        case (.credit, .confirm): try self.add(to: movement, balance: amount, held: 0, isEnding: true)
        // A credit's try put nothing aside.
        case (.credit, .cancel): break
        case (.credit, .action): try self.add(to: movement, balance: amount, held: 0)
        case (.credit, .compensate): try self.add(to: movement, balance: -amount, held: 0, isEnding: true)
        }
    }

    /// - Parameter isEnding: the operation ends what was begun. It is called until it succeeds, so it doesn't depend on
    ///   what others have done meanwhile: an undone credit whose money is spent overdraws the account.
    private func add(to movement: Movement, balance: Int64, held: Int64, isEnding: Bool = false) throws {
        defer { self.change.reset() }
        try self.change.bind(movement.account, at: 1)
        try self.change.bind(balance, at: 2)
        try self.change.bind(held, at: 3)
        // Money comes to an overdrawn account too.
        try self.change.bind(isEnding || balance >= 0 ? Int64.min / 2 : 0, at: 4)
        try self.change.bind(isEnding ? Int64.max / 2 : Movement.largestAmount, at: 5)
        if try self.change.step() { return }
        guard let account = try self.account(movement.account) else { throw Self.noSuchAccount(movement) }
        if balance < 0, account.balance + balance < 0 {
            throw BranchFailure("insufficient funds: \(movement.account) has \(account.balance)")
        }
        if account.held + held < 0 {
            throw BranchFailure("\(movement.account) has only \(account.held) put aside")
        }
        throw Self.tooMuch(movement)
    }

    private static func noSuchAccount(_ movement: Movement) -> BranchFailure {
        BranchFailure("no such account: \(movement.account)")
    }

    private static func tooMuch(_ movement: Movement) -> BranchFailure {
        BranchFailure("\(movement.account) would hold more than \(Movement.largestAmount)")
    }
}
