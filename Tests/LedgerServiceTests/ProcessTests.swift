// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import LedgerService
import NIOHTTP1
import SQLite
import Testing

/// A bank in a process of its own.
private final class BankProcess: Sendable {
    private let processID: pid_t
    private let output: FileHandle
    private let errors: URL
    private let ending: Task<Int32, Never>

    /// - Parameter errors: the file that its standard error goes to.
    init(_ arguments: [String], errors: URL) throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(
            path: "LedgerService")
        let output = Pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output.fileHandleForWriting.fileDescriptor, 1)
        posix_spawn_file_actions_addopen(&actions, 2, errors.path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let words = ([program.path] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        var processID: pid_t = 0
        let code = posix_spawn(&processID, program.path, &actions, nil, words + [nil], environ)
        guard code == 0 else { throw FixtureError(description: "\(program.path) doesn't start: error \(code)") }
        try output.fileHandleForWriting.close()
        self.processID = processID
        self.output = output.fileHandleForReading
        self.errors = errors
        self.ending = Task { [processID] in
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    var status: Int32 = 0
                    while waitpid(processID, &status, 0) == -1, errno == EINTR {}
                    let signal = status & 0x7f
                    continuation.resume(returning: signal == 0 ? (status >> 8) & 0xff : -signal)
                }
            }
        }
    }

    var errorText: String { (try? String(contentsOf: self.errors, encoding: .utf8)) ?? "" }

    /// The address in the line that it prints when it serves.
    func address() async throws -> ListenAddress {
        let line: String = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var bytes = Data()
                while !bytes.contains(UInt8(ascii: "\n")) {
                    let more = self.output.availableData
                    if more.isEmpty { break }
                    bytes += more
                }
                continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
            }
        }
        let prefix = "listening on "
        guard line.hasPrefix(prefix), line.hasSuffix("\n"),
            let address = ListenAddress(String(line.dropFirst(prefix.count).dropLast()))
        else { throw FixtureError(description: "it printed '\(line)' and said '\(self.errorText)'") }
        return address
    }

    /// Waits for its end.
    /// - Returns: its exit code, or the number of the signal that ended it below zero.
    func end() async -> Int32 { await self.ending.value }

    func kill(_ signal: Int32) { Foundation.kill(self.processID, signal) }
}

@Suite("The bank as a process", .serialized) struct ProcessTests {
    private let folder: TemporaryFolder

    init() throws { self.folder = try TemporaryFolder() }

    private func start(_ arguments: String...) throws -> BankProcess {
        try BankProcess(arguments, errors: self.folder.url.appending(path: "errors"))
    }

    private func bank() throws -> BankProcess {
        try self.start("--database", self.folder.database, "--accounts", "2", "--balance", "1000", "--name", "A")
    }

    @Test func sigtermStopsItAndThePortFileNamesThePort() async throws {
        let portFile = self.folder.url.appending(path: "port")
        let process = try self.start("--database", self.folder.database, "--port-file", portFile.path)
        let address = try await process.address()
        let written = try String(contentsOf: portFile, encoding: .utf8)
        let health = try await BankClient(address: address).send(.GET, "/healthz")
        process.kill(SIGTERM)
        let status = await process.end()
        #expect(written == "\(address.port)\n")
        #expect(health.status == 200)
        #expect(status == 0, "\(process.errorText)")
        // The last connection to the file was closed in order: its WAL is gone.
        #expect(!FileManager.default.fileExists(atPath: self.folder.database + "-wal"))
    }

    @Test(
        "It dies where it was told, and its file knows what it did",
        arguments: [("before-commit", Int64(1000), Int64(0)), ("after-commit", 900, 1)])
    func death(place: String, balance: Int64, rows: Int64) async throws {
        let first = try self.bank()
        let client = BankClient(address: try await first.address())
        try await client.setFaults(#"{"die_on":1,"die_at":"\#(place)"}"#)
        await #expect(throws: (any Error).self) { try await client.call("/saga/debit") }
        let status = await first.end()
        #expect(status == -SIGKILL)
        do {
            let file = try Database(path: self.folder.database, access: .readWrite)
            let left = try file.firstInteger("SELECT balance FROM accounts WHERE id = 'a0'")
            let recorded = try file.firstInteger("SELECT count(*) FROM verdict_barrier")
            #expect(left == balance)
            #expect(recorded == rows)
        }
        // The coordinator calls again after the restart.
        let second = try self.bank()
        let again = BankClient(address: try await second.address())
        let repeated = try await again.call("/saga/debit")
        let after = try await again.account("a0")
        second.kill(SIGTERM)
        let ended = await second.end()
        #expect(repeated.status == 200)
        #expect(after == [900, 0])
        #expect(ended == 0, "\(second.errorText)")
    }

    @Test(
        "Wrong flags end it with 64 and a sentence",
        arguments: [
            (["--listen", "nowhere", "--instant"], "--listen is nowhere"),
            ([], "Give either --database or --instant."),
            (["--instant", "--database", "x"], "Give either --database or --instant."),
            (["--instant", "--accounts", "3"], "An instant bank keeps no accounts"),
            (["--instant", "--accounts", "-1"], "--accounts"),
            (["--instant", "--balance", "many"], "many"),
            (["--instant", "--faults", "{"], "--faults: the body isn't the JSON"),
            (["--instant", "--frobnicate"], "--frobnicate"),
        ])
    func flags(arguments: [String], sentence: String) async throws {
        let process = try BankProcess(arguments, errors: self.folder.url.appending(path: "errors"))
        let status = await process.end()
        #expect(status == 64)
        #expect(process.errorText.contains(sentence), "\(process.errorText)")
    }

    @Test func aPortInUseEndsItWithASentence() async throws {
        try await withBank { bank, _ in
            let process = try self.start("--instant", "--listen", "\(bank.address)")
            let status = await process.end()
            #expect(status == 1)
            #expect(process.errorText.contains("cannot serve at \(bank.address): another process has the port"))
        }
    }
}
