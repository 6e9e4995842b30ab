// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import clusterctl

@Suite("Commands of one cluster at the same time", .timeLimit(.minutes(5)))
struct ConcurrentCommandTests {
    /// Three real nodes, with elections that a busy machine and ThreadSanitizer leave in peace.
    private static func cluster() throws -> SampleCluster {
        try SampleCluster(head: "[timing]\nelection-timeout-min = 500ms\nelection-timeout-max = 1000ms")
    }

    /// The processes that run a node of a cluster, whatever its pid files say.
    private static func processes(of cluster: SampleCluster) throws -> Set<Int32> {
        let table = ProcessTable()
        let numbers = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
        return Set(
            numbers.filter { pid in
                table.executable(of: pid)?.hasSuffix("/verdictd") == true
                    && table.arguments(of: pid).contains(cluster.path)
            })
    }

    private static func killAll(of cluster: SampleCluster) {
        for pid in (try? Self.processes(of: cluster)) ?? [] { kill(pid, SIGKILL) }
    }

    @Test("Two starts at once start each node once, both see a leader, and a stop right behind them leaves none")
    func starts() async throws {
        let cluster = try Self.cluster()
        defer { Self.killAll(of: cluster) }
        async let one = Program.clusterctl(["start", "--config", cluster.path])
        async let other = Program.clusterctl(["start", "--config", cluster.path])
        let results = try await [one, other]
        for result in results {
            #expect(result.code == 0, "\(result.output)\(result.errors)")
            #expect(result.output.contains("the cluster serves"))
        }
        let lines = results.flatMap { $0.output.split(separator: "\n") }
        let running = try Self.processes(of: cluster)
        #expect(running.count == 3)
        for node in ["n1", "n2", "n3"] {
            let started = lines.filter { $0.hasPrefix("Started node \(node) as process ") }
            let found = lines.filter { $0.hasPrefix("Node \(node) runs already as process ") }
            #expect(started.count == 1 && found.count == 1, "\(lines)")
        }

        let stop = try await Program.clusterctl(["stop", "--config", cluster.path])
        #expect(stop.code == 0, "\(stop.errors)")
        for pid in running { #expect(stop.output.contains("process \(pid): stopped.")) }
        #expect(try Self.processes(of: cluster) == [])
    }

    @Test("A stop misses no node that a start has begun and that hasn't written its pid file")
    func stopDuringStart() async throws {
        let cluster = try Self.cluster()
        defer { Self.killAll(of: cluster) }
        async let start = Program.clusterctl(["start", "--config", cluster.path])
        // From the first process on the start has the lock, until all of them are there and noted.
        while try Self.processes(of: cluster).isEmpty { await Task.yield() }
        let stop = try await Program.clusterctl(["stop", "--config", cluster.path])
        #expect(stop.code == 0, "\(stop.errors)")
        #expect(stop.output.split(separator: "\n").count { $0.hasSuffix(": stopped.") } == 3, "\(stop.output)")
        #expect(try Self.processes(of: cluster) == [])
        // What the start says of nodes that somebody has stopped is another matter; it must end.
        _ = try await start
        #expect(try Self.processes(of: cluster) == [])
    }

    @Test("Of two inits at once one makes the cluster, and the other writes nothing")
    func inits() async throws {
        let cluster = try SampleCluster()
        async let one = Program.clusterctl(["init", "--config", cluster.path])
        async let other = Program.clusterctl(["init", "--config", cluster.path])
        let results = try await [one, other]
        #expect(results.map(\.code).sorted() == [0, 70], "\(results)")
        #expect(results.contains { $0.errors.contains("nothing was written") })
    }

    @Test("An init finds a node that runs, and doesn't look into its folder")
    func initOfRunning() async throws {
        let cluster = try SampleCluster(nodes: 1)
        let program = try cluster.folder.program("verdictd", copying: "/bin/bash")
        let input = Pipe()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-c", "read line", "verdictd", "--config", cluster.path, "--node", "n1"]
        process.standardInput = input
        try process.run()
        defer { process.terminate() }
        NodeProcess.note(pid: process.processIdentifier, data: try cluster.folder.makeFolder("data/n1"))
        let result = try await Program.clusterctl(["init", "--config", cluster.path])
        #expect(result.code == 70)
        #expect(
            result.errors.contains("node n1 runs on it as process \(process.processIdentifier)"), "\(result.errors)")
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
