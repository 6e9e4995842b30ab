// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Foundation
import Testing
import clusterctl

@Suite("init, start, stop and status as processes", .timeLimit(.minutes(5)))
struct InitProcessTests {
    @Test("init makes every folder, and the second time none")
    func initTwice() async throws {
        let cluster = try SampleCluster()
        let first = try await Program.clusterctl(["init", "--config", cluster.path, "--json"])
        #expect(first.code == 0, "\(first.errors)")
        #expect(try first.json("cluster_id")?.count == 32)
        for node in ["n1", "n2", "n3"] { #expect(cluster.folder.exists("data/\(node)/raft.db")) }

        let second = try await Program.clusterctl(["init", "--config", cluster.path])
        #expect(second.code == 70)
        #expect(second.errors.contains("nothing was written"))
        #expect(second.errors.contains("data/n2 is initialised already: it is node n2 of cluster"))
    }

    @Test("init writes nothing if one folder holds something")
    func initForeign() async throws {
        let cluster = try SampleCluster()
        try cluster.folder.write("data/n2/holiday.jpg", "")
        let result = try await Program.clusterctl(["init", "--config", cluster.path])
        #expect(result.code == 70)
        #expect(result.errors.contains("data/n2, the data folder of n2, holds something else: holiday.jpg"))
        #expect(!cluster.folder.exists("data/n1"))
        #expect(!cluster.folder.exists("data/n3"))
    }

    @Test("init takes the id of the file, and needs one if a node runs elsewhere")
    func initIdentity() async throws {
        let id = "0123456789abcdef0123456789abcdef"
        let given = try SampleCluster(head: "[cluster]\nid = \(id)")
        let result = try await Program.clusterctl(["init", "--config", given.path, "--json"])
        #expect(try result.json("cluster_id") == id)

        let elsewhere = try SampleCluster(nodes: 2, head: "[cluster]\nallow-plain = true")
        let refused = try await Program.clusterctl(
            ["init", "--config", elsewhere.path, "--set", "node.n2.peer=192.0.2.1:7501"])
        #expect(refused.code == 64)
        #expect(refused.errors.contains("n2") && refused.errors.contains("openssl rand -hex 16"))
        #expect(!elsewhere.folder.exists("data/n1"))
    }

    @Test("A process that ends at its start is reported with its exit code and the end of its log")
    func startFails() async throws {
        let cluster = try SampleCluster(nodes: 1)
        let program = try cluster.folder.program(
            "bin/verdictd", "#!/bin/sh\necho \"node $4 of $2\"\necho trouble >&2\nexit 3\n")
        let result = try await Program.clusterctl(
            ["start", "--config", cluster.path], environment: ["VERDICT_VERDICTD": program])
        #expect(result.code == 70)
        #expect(result.errors.contains("node n1 ended at its start with exit code 3"), "\(result.errors)")
        #expect(result.errors.contains("    node n1 of \(cluster.path)\n    trouble"))
        #expect(cluster.folder.exists("data/n1/raft.db"))
    }

    @Test("start names the program that there isn't")
    func startWithoutProgram() async throws {
        let cluster = try SampleCluster(nodes: 1)
        let result = try await Program.clusterctl(
            ["start", "--config", cluster.path, "--json"], environment: ["VERDICT_VERDICTD": "/nowhere/verdictd"])
        #expect(result.code == 70)
        #expect(result.errors.contains("there is no program /nowhere/verdictd"))
        #expect(try result.json("error")?.contains("nowhere") == true)
    }

    @Test("start makes no folder for a node that has lost its own, and starts the others")
    func startLost() async throws {
        let cluster = try SampleCluster()
        #expect(try await Program.clusterctl(["init", "--config", cluster.path]).code == 0)
        try FileManager.default.removeItem(atPath: cluster.folder.path + "/data/n3")
        let program = try cluster.folder.program("bin/verdictd", "#!/bin/sh\necho \"I am $4\"\nexit 3\n")
        let result = try await Program.clusterctl(
            ["start", "--config", cluster.path], environment: ["VERDICT_VERDICTD": program])
        #expect(result.code == 70)
        #expect(result.output.contains("Started node n1") && result.output.contains("Started node n2"))
        #expect(result.errors.contains("clusterctl: not started: n3, "), "\(result.errors)")
        #expect(result.errors.contains("there is no node in the data folder of n3"))
        #expect(result.errors.contains("I am n1") && result.errors.contains("I am n2"))
        #expect(!cluster.folder.exists("data/n3"))
    }

    @Test("start and status don't take another cluster on the same addresses for their own")
    func otherCluster() async throws {
        let server = try await CannedServer(
            """
            {"cluster_id": "00", "node": "n1", "pid": 7, "role": "leader", "term": 3, "commit_index": 5,
             "applied_index": 4, "last_index": 5, "durable_index": 5, "live_transactions": 2,
             "since": "2026-01-31T00:00:00.000Z", "started_at": "2026-01-31T00:00:00.000Z", "version": "1"}
            """)
        let cluster = try SampleCluster(nodes: 1, clientPort: server.port)
        // It stays until somebody writes into the pipe.
        let program = try cluster.folder.program(
            "bin/verdictd", "#!/bin/sh\nmkfifo $0.pipe\nread line < $0.pipe\n")
        let result = try await Program.clusterctl(
            ["start", "--config", cluster.path, "--timeout", "5s"], environment: ["VERDICT_VERDICTD": program])
        let pid = result.output.split(separator: " ").last.flatMap { Int32($0.prefix { $0.isNumber }) }
        kill(try #require(pid), SIGKILL)
        #expect(result.code == 69, "\(result.output)")
        #expect(result.errors.contains("answers node n1 of another cluster, 00"), "\(result.errors)")
        #expect(!result.output.contains("serves"))

        let status = try await Program.clusterctl(["status", "--config", cluster.path])
        #expect(status.code == 69, "\(status.output)")
        #expect(status.errors.contains("answers node n1 of another cluster, 00"), "\(status.errors)")
        try await server.stop()
    }

    @Test("stop ends the process of the pid file, and kills one that doesn't listen only if told to")
    func stop() async throws {
        let cluster = try SampleCluster(nodes: 1)
        let program = try cluster.folder.program("verdictd", copying: "/bin/bash")
        let input = Pipe()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        // It says when it is deaf, then waits for input that never comes.
        process.arguments = [
            "-c", "trap '' TERM; echo ready; read line", "verdictd", "--config", cluster.path, "--node", "n1",
        ]
        process.standardInput = input
        let said = Pipe()
        process.standardOutput = said
        try process.run()
        defer { process.terminate() }
        #expect(said.fileHandleForReading.readData(ofLength: 6) == Data("ready\n".utf8))
        try cluster.folder.write("data/n1/verdictd.pid", "\(process.processIdentifier)\n")

        let arguments = ["stop", "--config", cluster.path, "--timeout", "50ms"]
        let deaf = try await Program.clusterctl(arguments)
        #expect(deaf.code == 70)
        #expect(deaf.errors.contains("still running after 50 ms: n1 (process \(process.processIdentifier)); --force"))
        let forced = try await Program.clusterctl(arguments + ["--force"])
        #expect(forced.code == 0, "\(forced.errors)")
        #expect(forced.output == "Node n1, process \(process.processIdentifier): killed.\n")
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL)
        let again = try await Program.clusterctl(["stop", "--config", cluster.path])
        #expect(again.code == 0)
        #expect(again.output == "Node n1 isn't running.\n")
        try input.fileHandleForWriting.close()
    }

    @Test("stop leaves a process alone that only has the number")
    func stopOther() async throws {
        let cluster = try SampleCluster(nodes: 1)
        try cluster.folder.write("data/n1/verdictd.pid", "\(getpid())")
        let result = try await Program.clusterctl(["stop", "--config", cluster.path])
        #expect(result.code == 0)
        #expect(result.errors.contains("names process \(getpid()), which is something else and is left alone"))
    }

    @Test("Without a cluster, status and kill-leader end with 69, and status shows every node as down")
    func noCluster() async throws {
        let cluster = try SampleCluster()
        let status = try await Program.clusterctl(["status", "--config", cluster.path])
        #expect(status.code == 69)
        #expect(status.output.contains("Cluster verdict: no leader"))
        #expect(status.output.split(separator: "\n").count { $0.contains(" down ") } == 3)
        let json = try await Program.clusterctl(["status", "--config", cluster.path, "--json"])
        #expect(json.code == 69)
        #expect(try json.json("nodes")?.contains("down") == true)
        #expect(try await Program.clusterctl(["kill-leader", "--config", cluster.path]).code == 69)
    }

    /// What is said of a length of time without a unit.
    static func duration(_ value: String, _ option: String) -> String {
        """
        The value '\(value)' is invalid for '--\(option) <\(option)>': a length of time is a whole number and a unit \
        (ms, s, min or h), such as 500ms or 15s
        """
    }

    static let badInputs: [(arguments: [String], words: String)] = [
        (["start", "--node", "n9"], "there is no node n9 in"),
        (["start", "--timeout", "soon"], "--timeout"),
        (["start", "--timeout", "5"], Self.duration("5", "timeout")),
        (["stop", "--timeout", "1 m"], Self.duration("1 m", "timeout")),
        (["status", "--timeout", "1.5s"], Self.duration("1.5s", "timeout")),
        (["kill-leader", "--timeout", "-1s"], "--timeout"),
        (["bench", "--warm-up", "3", "--participant", "http://a"], Self.duration("3", "warm-up")),
        (["bench", "--duration", "s", "--participant", "http://a"], Self.duration("s", "duration")),
        (["start", "--set", "timing.heartbeat=1h"], "--set timing.heartbeat=1h: heartbeat = 1h: must be from"),
        (["status", "--what"], "--what"),
        (["dance"], "dance"),
        (["stop", "extra"], "extra"),
    ]

    @Test("Bad input ends with 64 and says what is wrong", arguments: InitProcessTests.badInputs)
    func badInput(arguments: [String], words: String) async throws {
        let cluster = try SampleCluster()
        let result = try await Program.clusterctl(arguments, environment: ["VERDICT_CONFIG": cluster.path])
        #expect(result.code == 64)
        #expect(result.errors.contains(words), "\(result.errors)")
    }

    @Test("A configuration that isn't there and one that is wrong end with 64 and name file and line")
    func badConfiguration() async throws {
        let missing = try await Program.clusterctl(["status"])
        #expect(missing.code == 64)
        #expect(missing.errors.contains("cluster.conf: there is no such file"))
        let folder = try TemporaryFolder()
        let path = try folder.write("cluster.conf", "[timing]\nheartbeet = 1ms\n")
        let wrong = try await Program.clusterctl(["status", "--config", path, "--json"])
        #expect(wrong.code == 64)
        #expect(wrong.errors.hasPrefix("clusterctl: \(path):2: heartbeet = 1ms"), "\(wrong.errors)")
        #expect(try wrong.json("error")?.contains("heartbeet") == true)
    }

    @Test("clusterctl and verdictd tell the same version")
    func version() async throws {
        let own = try await Program.clusterctl(["--version"])
        #expect(own.code == 0)
        #expect(own.output == "\(Version.current)\n" && own.errors.isEmpty)
        let node = try await Program.run("verdictd", ["--version"])
        #expect(node.output == own.output)
    }

    @Test("Help tells the default of a length of time")
    func helpOfDurations() async throws {
        let help = try await Program.clusterctl(["start", "--help"]).output
        #expect(help.contains("How long to wait for a leader. (default: 30s)"), "\(help)")
    }

    @Test(
        "Help ends with 0 and shows examples",
        arguments: [[], ["init"], ["start"], ["stop"], ["status"], ["kill-leader"]])
    func help(command: [String]) async throws {
        let result = try await Program.clusterctl(command + ["--help"])
        #expect(result.code == 0)
        #expect(result.output.contains("EXAMPLES"))
    }
}
