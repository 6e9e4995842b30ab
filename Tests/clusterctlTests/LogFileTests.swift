// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import Testing
import Transactions
import clusterctl

@Suite("Entries in clear")
struct EntryReportTests {
    private static func gid(_ text: String) throws -> Gid { try #require(Gid(rawValue: text)) }
    private static func branchID(_ text: String) throws -> BranchID { try #require(BranchID(rawValue: text)) }

    private static func commands() throws -> [Command] {
        let gid = try Self.gid("g-1")
        let spec = BranchSpec(
            id: try Self.branchID("1"),
            targets: [
                Target(operation: .action, url: "http://a/1"), Target(operation: .compensate, url: "http://a/2"),
            ],
            headers: [Header(name: "X-Key", value: "secret")], payload: Array(#"{"n":1}"#.utf8))
        return [
            .submit(Submission(gid: gid, kind: .saga, isConcurrent: true, timeoutMilliseconds: 5000, branches: [spec])),
            .begin(Beginning(gid: gid, kind: .tcc, timeoutMilliseconds: 7)), .registerBranch(gid, spec), .commit(gid),
            .abort(gid, reason: "no money"),
            .branchResult(
                BranchResult(
                    gid: gid, branchID: spec.id, operation: .action, verdict: .failure, attempts: 3, detail: "closed")),
            .attemptsFailed(
                FailedAttempts(
                    gid: gid, branchID: spec.id, operation: .compensate, attempts: 8, lastError: "no connection")),
            .deadlineReached(gid),
        ]
    }

    private static func entry(_ commands: [Command]) -> Entry {
        let batch = CommandBatch(logTime: LogTime(rawValue: 1_769_817_600_000), commands: commands)
        return Entry(index: LogIndex(rawValue: 7), term: Term(rawValue: 2), kind: .command, payload: batch.encoded())
    }

    @Test("Every command is one line that says all but what the participants are sent")
    func lines() throws {
        var table = EntryReport.table
        EntryReport(Self.entry(try Self.commands())).add(to: &table)
        let indent = String(repeating: " ", count: 48)
        #expect(
            table.text == """
                INDEX  TERM  KIND     LOG TIME                  COMMAND
                    7     2  command  2026-01-31T00:00:00.000Z  submit g-1 saga concurrent timeout=5000ms \
                [branch=1 action=http://a/1 compensate=http://a/2]
                \(indent)begin g-1 tcc timeout=7ms
                \(indent)register-branch g-1 [branch=1 action=http://a/1 compensate=http://a/2]
                \(indent)commit g-1
                \(indent)abort g-1 (no money)
                \(indent)branch-result g-1 branch=1 action failure attempts=3 (closed)
                \(indent)attempts-failed g-1 branch=1 compensate attempts=8 (no connection)
                \(indent)deadline-reached g-1
                """)
    }

    @Test("Headers and payloads show only if they are asked for")
    func payloads() throws {
        let entry = Self.entry([try Self.commands()[0]])
        #expect(EntryReport(entry).commands[0].branches?[0].payload == nil)
        let report = EntryReport(entry, showingPayloads: true)
        #expect(report.commands[0].branches?[0].payload == #"{"n":1}"#)
        #expect(report.commands[0].text.contains("header=X-Key: secret"))
        #expect(!EntryReport(entry).commands[0].text.contains("secret"))
    }

    @Test("The first entry of a term has no commands")
    func leaderStart() {
        let entry = Entry(index: LogIndex(rawValue: 1), term: Term(rawValue: 1), kind: .leaderStart, payload: [])
        var table = EntryReport.table
        EntryReport(entry).add(to: &table)
        #expect(table.text.hasSuffix("\n    1     1  leader-start"))
    }

    @Test("A payload that can't be read is said to be so")
    func unreadable() {
        let entry = Entry(index: LogIndex(rawValue: 3), term: Term(rawValue: 1), kind: .command, payload: [99, 1, 2])
        #expect(EntryReport(entry).problem?.hasPrefix("its commands can't be read") == true)
        #expect(EntryReport(entry).commands.isEmpty)
    }
}

@Suite("log show and log verify as processes", .timeLimit(.minutes(5)))
struct LogProcessTests {
    /// A cluster of one node, initialised.
    private static func cluster() async throws -> SampleCluster {
        let cluster = try SampleCluster(nodes: 1)
        let result = try await Program.clusterctl(["init", "--config", cluster.path])
        try #require(result.code == 0, "\(result.errors)")
        return cluster
    }

    @Test("A new log is whole and holds no entries")
    func fresh() async throws {
        let cluster = try await Self.cluster()
        let verified = try await Program.clusterctl(["log", "verify", "--config", cluster.path])
        #expect(verified.code == 0, "\(verified.output)")
        #expect(verified.output.hasPrefix("n1: OK, no entries, term 0, "))
        let shown = try await Program.clusterctl(["log", "show", "--node", "n1", "--config", cluster.path])
        #expect(shown.code == 0, "\(shown.errors)")
        #expect(shown.output == "INDEX  TERM  KIND  LOG TIME  COMMAND\n")
    }

    @Test("Damage is named with its file")
    func damaged() async throws {
        let cluster = try await Self.cluster()
        let path = cluster.folder.path + "/data/n1/raft.db"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[3] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        let result = try await Program.clusterctl(["log", "verify", "--config", cluster.path, "--json"])
        #expect(result.code == 70)
        #expect(try result.json("nodes")?.contains("data/n1/raft.db is damaged: byte 3 of its header is wrong") == true)
        let shown = try await Program.clusterctl(["log", "show", "--node", "n1", "--config", cluster.path])
        #expect(shown.code == 70)
        #expect(shown.errors.contains("byte 3 of its header is wrong"))
    }

    @Test("The log of a node that runs is refused")
    func locked() async throws {
        let cluster = try await Self.cluster()
        // This process holds the folder as a node would.
        let reader = try OfflineLogReader(path: cluster.folder.path + "/data/n1")
        let verified = try await Program.clusterctl(["log", "verify", "--config", cluster.path])
        #expect(verified.code == 70)
        #expect(
            verified.output.contains(
                "node n1 is running as process \(getpid()) and keeps its log to itself; stop it first"))
        let shown = try await Program.clusterctl(["log", "show", "--node", "n1", "--config", cluster.path])
        #expect(shown.code == 70)
        #expect(shown.errors.contains("stop it first (clusterctl stop --node n1)"))
        #expect(reader.lastIndex == .zero)
    }

    @Test("A folder that isn't there is said not to be initialised")
    func missing() async throws {
        let cluster = try SampleCluster(nodes: 1)
        let result = try await Program.clusterctl(["log", "verify", "--config", cluster.path])
        #expect(result.code == 70)
        #expect(result.output.contains("is not initialised"), "\(result.output)")
        #expect(!cluster.folder.exists("data"))
    }

    @Test("Help ends with 0 and shows examples", arguments: [["log"], ["log", "show"], ["log", "verify"], ["bench"]])
    func help(command: [String]) async throws {
        let result = try await Program.clusterctl(command + ["--help"])
        #expect(result.code == 0)
        #expect(result.output.contains("EXAMPLES"))
    }

    static let badInputs: [(arguments: [String], words: String)] = [
        (["log", "show"], "--node"),
        (["log", "show", "--node", "n1", "--from", "5", "--to", "4"], "is before --from 5"),
        (["log", "verify", "--node", "n7"], "there is no node n7 in"),
        (["bench"], "at least one --participant"),
        (["bench", "--participant", "http://a", "--clients", "0"], "--clients is 0"),
        (["bench", "--participant", "http://a", "--duration", "5"], "--duration"),
        (
            ["bench", "--participant", "http://a", "--payload", "{"],
            "--payload: the text ends inside a value at line 1, column 2"
        ),
    ]

    @Test("Bad input ends with 64 and says what is wrong", arguments: LogProcessTests.badInputs)
    func badInput(arguments: [String], words: String) async throws {
        let cluster = try SampleCluster()
        let result = try await Program.clusterctl(arguments, environment: ["VERDICT_CONFIG": cluster.path])
        #expect(result.code == 64, "\(result.errors)")
        #expect(result.errors.contains(words), "\(result.errors)")
    }
}
