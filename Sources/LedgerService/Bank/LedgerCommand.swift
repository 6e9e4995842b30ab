// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient

/// What one branch call wants of one account. Amounts are whole cents.
package struct Movement: Hashable, Sendable {
    package enum Direction: Hashable, Sendable {
        /// Money leaves the account.
        case debit
        /// Money comes to the account.
        case credit
    }

    package var direction: Direction
    package var account: String
    package var amount: Int64

    package init(_ direction: Direction, account: String, amount: Int64) {
        self.direction = direction
        self.account = account
        self.amount = amount
    }

    /// The largest amount and balance: whole cents that a `Double` of any JSON reader still holds exactly.
    package static let largestAmount: Int64 = 1 << 53
}

/// One account. `held` is money that a try has put aside; it is part of the bank's sum.
package struct Account: Hashable, Sendable, Codable {
    package var id: String
    package var balance: Int64
    package var held: Int64

    package init(id: String, balance: Int64, held: Int64) {
        self.id = id
        self.balance = balance
        self.held = held
    }
}

/// All money of the bank, in cents.
package struct BankTotal: Hashable, Sendable {
    package var accounts: Int64
    package var balance: Int64
    package var held: Int64

    package init(accounts: Int64, balance: Int64, held: Int64) {
        self.accounts = accounts
        self.balance = balance
        self.held = held
    }

    package var sum: Int64 { self.balance + self.held }
}

/// One branch call, and the faults that were asked for it.
package struct BranchCall: Hashable, Sendable {
    package var context: BranchContext
    package var movement: Movement
    /// Refuse it for this reason instead of doing it.
    package var refusal: String?
    /// Kill this process at that point of the call's local transaction.
    package var death: FaultSettings.Death?

    package init(
        _ context: BranchContext, _ movement: Movement, refusal: String? = nil, death: FaultSettings.Death? = nil
    ) {
        self.context = context
        self.movement = movement
        self.refusal = refusal
        self.death = death
    }
}

/// What the writer can be asked for.
package enum LedgerCommand: Hashable, Sendable {
    case branch(BranchCall)
    /// Creates an account or sets its balance; what is held stays.
    case putAccount(id: String, balance: Int64)
    /// Creates accounts `prefix0`, `prefix1` and so on. Those that are there get this balance, or stay as they are.
    case createAccounts(prefix: String, count: Int64, balance: Int64, overwrites: Bool)
    case account(id: String)
    /// At most `limit` accounts whose ids come after this one, in the order of their bytes.
    case accounts(after: String, limit: Int64)
    case total
}

package enum LedgerReply: Hashable, Sendable {
    case verdict(BranchVerdict)
    /// The call contradicts what was recorded before; see `BarrierContradiction`.
    case contradiction(String)
    case account(Account)
    /// One page; full if it has as many as it may.
    case accounts([Account], isFull: Bool)
    case total(BankTotal)
    case created(Int64)
    case noSuchAccount
    /// Nothing was done: the disk is full, too much waits, or the bank is closing. Worth trying again.
    case unavailable(String)
}
