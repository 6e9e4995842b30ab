// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
package import SQLite
import SQLiteBarrier

/// The bank's accounts in one SQLite file. Confined to the writer's thread.
package final class Bank {
    private let database: Database
    private let barrier: BarrierTable
    private let accounts: AccountTable

    /// Opens or creates the file, so that a commit that has returned survives a loss of power.
    package init(path: String, busyTimeoutMilliseconds: Int32 = 5000) throws(SQLiteError) {
        self.database = try Database(path: path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try self.database.enterWALMode()
        try self.database.execute("PRAGMA synchronous=FULL")
        // Savepoints keep what they may have to undo in memory, not in a file.
        try self.database.execute("PRAGMA temp_store=MEMORY")
        self.barrier = try BarrierTable(in: self.database)
        self.accounts = try AccountTable(in: self.database)
    }

    /// Runs commands in one transaction, in order: one sync for all of them. A command that fails undoes only its own
    /// changes.
    /// - Returns: one reply a command. Nothing was told to anyone before the commit returned.
    /// - Throws: a read, write or sync that failed. What SQLite holds in memory can't be trusted then: the process must
    ///   end.
    package func perform(_ commands: [LedgerCommand]) throws(SQLiteError) -> [LedgerReply] {
        do throws(SQLiteError) {
            try self.database.begin()
            var replies: [LedgerReply] = []
            replies.reserveCapacity(commands.count)
            for command in commands { replies.append(try self.reply(to: command)) }
            Self.die(.beforeCommit, of: commands)
            try self.database.commit()
            Self.die(.afterCommit, of: commands)
            return replies
        } catch {
            if error.isIO { throw error }
            try self.database.rollback()
            return commands.map { _ in .unavailable(error.description) }
        }
    }

    /// - Throws: an error after which the transaction can't go on.
    private func reply(to command: LedgerCommand) throws(SQLiteError) -> LedgerReply {
        switch command {
        case .branch(let call): return try self.reply(to: call)
        case .putAccount(let id, let balance):
            try self.accounts.put(id, balance, overwrites: true)
            return try self.accounts.account(id).map { .account($0) } ?? .noSuchAccount
        case .createAccounts(let prefix, let count, let balance, let overwrites):
            for number in 0..<count {
                try self.accounts.put("\(prefix)\(number)", balance, overwrites: overwrites)
            }
            return .created(count)
        case .account(let id): return try self.accounts.account(id).map { .account($0) } ?? .noSuchAccount
        case .accounts(let id, let limit):
            let page = try self.accounts.accounts(after: id, limit: limit)
            return .accounts(page, isFull: page.count == Int(limit))
        case .total: return .total(try self.accounts.total())
        }
    }

    private func reply(to call: BranchCall) throws(SQLiteError) -> LedgerReply {
        do throws(BarrierRunError) {
            let verdict = try self.barrier.run(call.context, in: self.database) {
                if let refusal = call.refusal { throw BranchFailure(refusal) }
                try self.accounts.apply(call.movement, call.context.operation)
            }
            return .verdict(verdict)
        } catch {
            switch error {
            case .contradiction(let contradiction): return .contradiction(contradiction.description)
            case .unreadable(let what): return .unavailable("cannot read \(what)")
            case .effect(let error): return .unavailable("\(error)")
            case .sqlite(let error):
                guard self.database.isInTransaction, !error.isIO else { throw error }
                return .unavailable(error.description)
            }
        }
    }

    /// Kills this process if a fault that was asked for says so.
    private static func die(_ death: FaultSettings.Death, of commands: [LedgerCommand]) {
        for case .branch(let call) in commands where call.death == death { crash() }
    }
}
