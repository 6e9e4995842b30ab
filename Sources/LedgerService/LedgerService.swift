// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Logging

@main
struct LedgerService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "LedgerService",
        abstract: "A small bank on SQLite: the sample participant of demos, drills and benchmarks.",
        discussion: """
            Accounts hold whole cents. TCC: POST /tcc/debit/try, /confirm, /cancel and /tcc/credit/try, /confirm, \
            /cancel. Saga: POST /saga/debit, /saga/debit/compensate, /saga/credit, /saga/credit/compensate. Their body \
            is {"account": "a0", "amount": 100}, and the headers Verdict-Gid, Verdict-Branch and Verdict-Operation say \
            which call it is. 200 is done, 409 is the bank's no.

            GET /accounts; POST /accounts {"prefix": "a", "count": 10, "balance": 100}; GET /accounts/ID; \
            PUT /accounts/ID {"balance": 100}; GET /sum; GET /healthz; GET and POST /faults.

            Faults, each field optional: {"fail_next": 3, "fail_rate": 0.1, "fail_with": "500", "delay_ms": 20, \
            "delay_rate": 1, "die_on": 1, "die_at": "after-commit", "operations": ["try", "action"], "seed": 7}. \
            fail_with is 409, 500, 500-after-commit, garbage or hang-up; die_at is before-commit or after-commit.

            All money of the bank: sqlite3 bank-a.db 'SELECT sum(balance) + sum(held) FROM accounts'

            Example: LedgerService --listen 127.0.0.1:7601 --database bank-a.db --accounts 10 --balance 1000 --name A
            """)

    @Option(help: "Where to serve; with port 0 the system picks one.")
    var listen = "127.0.0.1:0"

    @Option(help: "A file to write the port to when the bank serves.")
    var portFile: String?

    @Option(help: "The bank's SQLite file; created if there is none.")
    var database: String?

    @Option(help: "Accounts a0, a1 and so on to create; those that are there stay as they are.")
    var accounts: Int64 = 0

    @Option(help: "Cents in each account that is created so.")
    var balance: Int64 = 0

    @Option(help: "The bank's name, for people.")
    var name = "bank"

    @Flag(
        help: """
            Answer every branch call 200 at once, keep nothing and touch no file: a participant that costs next to \
            nothing, to measure the coordinator alone.
            """)
    var instant = false

    @Option(help: "Faults from the start, as JSON; see POST /faults.")
    var faults = "{}"

    func validate() throws {
        _ = try self.settings()
    }

    func settings() throws -> LedgerServer.Settings {
        guard let address = ListenAddress(self.listen) else {
            throw ValidationError("--listen is \(self.listen); it is HOST:PORT, such as 127.0.0.1:7601 or [::1]:0.")
        }
        guard self.instant != (self.database != nil) else {
            throw ValidationError("Give either --database or --instant.")
        }
        guard (0...1_000_000).contains(self.accounts) else {
            throw ValidationError("--accounts is \(self.accounts); it is 0 to 1000000.")
        }
        guard self.accounts == 0 || !self.instant else {
            throw ValidationError("An instant bank keeps no accounts: leave --accounts out.")
        }
        guard (0...Movement.largestAmount).contains(self.balance) else {
            throw ValidationError("--balance is \(self.balance); it is 0 to \(Movement.largestAmount).")
        }
        let faults: FaultSettings
        do {
            faults = try FaultSettings(json: self.faults)
        } catch {
            throw ValidationError("--faults: \(error).")
        }
        return LedgerServer.Settings(
            name: self.name, listen: address, database: self.database, accounts: self.accounts,
            balance: self.balance, faults: faults)
    }

    func run() async throws {
        let signal = TerminationSignal()
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .warning
            return handler
        }
        if let file = self.portFile { try? FileManager.default.removeItem(atPath: file) }
        do {
            let server = try await LedgerServer.start(try self.settings(), logger: Logger(label: "ledger"))
            if let file = self.portFile {
                try Data("\(server.address.port)\n".utf8).write(to: URL(filePath: file), options: .atomic)
            }
            say("listening on \(server.address)", to: .standardOutput)
            await signal.wait()
            await server.stop()
        } catch {
            say("LedgerService: \(error)", to: .standardError)
            throw ExitCode.failure
        }
    }
}

/// Writes one line past any buffer, so that a program that waits for it sees it at once.
private func say(_ line: String, to handle: FileHandle) {
    try? handle.write(contentsOf: Data("\(line)\n".utf8))
}
