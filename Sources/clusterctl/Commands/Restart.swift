// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient
import Glibc

/// Restarts the nodes of this machine one after the other, while the cluster serves.
struct Restart: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Restart the nodes of this machine, one after the other, while the cluster serves.",
        discussion: """
            A node is stopped only while every other one is up to date, and the next one only when this one is again; the
            leader comes last, and hands over first. A client that tries all addresses sees no failed request. For a new
            program or a changed file. All at once: clusterctl stop && clusterctl start.

            EXAMPLES
              clusterctl restart --rolling
              clusterctl restart --rolling --node n2
            """)

    @OptionGroup var common: CommonOptions

    @Flag(name: .long, help: "One after the other.")
    var rolling = false

    @Option(name: .long, help: "Restart this node alone.")
    var node: String?

    @Option(duration: "How long each step may take.")
    var timeout = DurationArgument(.seconds(60))

    private struct Report: Encodable {
        struct Node: Encodable {
            let node: String
            let oldPid: Int32
            let pid: Int32
            let milliseconds: Double
        }

        let nodes: [Node]
    }

    func validate() throws {
        guard self.rolling else {
            throw ValidationError("say --rolling; all at once it is clusterctl stop && clusterctl start")
        }
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let local = try context.localNodes(named: self.node)
        let running = local.filter { context.process(of: $0).pid != nil }
        guard !running.isEmpty else {
            throw CommandFailure(.usage, "no node of this machine runs; clusterctl start starts them")
        }
        let nodes = try await context.withClient(attemptTimeout: .seconds(2)) { client throws(CommandFailure) in
            var done: [Report.Node] = []
            // Who leads may change meanwhile: the last one is the one that leads when its turn comes.
            var waiting = running
            while let next = try await self.next(of: waiting, context, client) {
                waiting.removeAll { $0.id == next.id }
                done.append(try await self.restart(next, context))
            }
            _ = try await self.healthy(context, client)
            return done
        }
        try self.common.output.result(Report(nodes: nodes)) { "Every node is up to date." }
    }

    /// Waits until every member is up to date, and gives the next node: no leader while there are others.
    private func next(
        of waiting: [ClusterConfiguration.Node], _ context: ClusterContext, _ client: CoordinatorClient
    ) async throws(CommandFailure) -> ClusterConfiguration.Node? {
        guard !waiting.isEmpty else { return nil }
        let leader = try await self.healthy(context, client)
        return waiting.first { $0.id != leader } ?? waiting.first
    }

    /// Entries that a node may be behind under load and still count as up to date.
    private static let smallLag: UInt64 = 1_000

    /// Waits until every member answers, follows the same leader, and lags little.
    /// - Returns: the leader.
    private func healthy(
        _ context: ClusterContext, _ client: CoordinatorClient
    ) async throws(CommandFailure) -> String {
        let deadline = ContinuousClock.now + self.timeout.duration
        while true {
            let status = try? await client.cluster(patience: .seconds(2))
            let late = status?.nodes.filter { $0.reachable != true || ($0.lag ?? .max) > Self.smallLag } ?? []
            if let status, let leader = status.leader, late.isEmpty { return leader }
            guard ContinuousClock.now < deadline else {
                let names = late.map(\.id).joined(separator: ", ")
                throw CommandFailure(
                    .noCluster,
                    """
                    \(names.isEmpty ? "no node leads" : "not up to date: \(names)"); no further node was stopped, since \
                    the cluster might have lost its majority
                    """)
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func restart(
        _ node: ClusterConfiguration.Node, _ context: ClusterContext
    ) async throws(CommandFailure) -> Report.Node {
        let began = ContinuousClock.now
        let output = self.common.output
        let old = try await context.exclusively(output) { () throws(CommandFailure) -> Int32? in
            guard let pid = context.process(of: node).pid else { return nil }
            guard kill(pid, SIGTERM) == 0 || errno == ESRCH else {
                throw CommandFailure(
                    .failure, "process \(pid) of node \(node.id) can't be stopped: \(String(cString: strerror(errno)))")
            }
            return pid
        }
        let grace = context.configuration.timing.stopGrace + self.timeout.duration
        if let old, await !Stop.ends(node, old, context, until: began + grace) {
            throw CommandFailure(.failure, "node \(node.id), process \(old), hasn't ended in \(grace.shortText)")
        }
        let starter = NodeStarter(context: context, clusterID: NodeFolder.clusterID(of: node))
        let begun = try await context.exclusively(output) { () throws(CommandFailure) in try starter.start([node]) }
        if let failed = begun.failed.first { throw CommandFailure(.failure, failed.problem) }
        try await starter.waitForAnswers(of: begun.started, atMost: self.timeout.duration)
        let took = began.duration(to: .now)
        let pid = begun.started.first?.child.pid ?? 0
        output.line("Restarted node \(node.id): process \(old ?? 0) is \(pid) now, after \(took.shortText).")
        return Report.Node(node: node.id, oldPid: old ?? 0, pid: pid, milliseconds: took.milliseconds)
    }
}
