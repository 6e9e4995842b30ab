// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import Glibc

/// Stops nodes of this machine.
struct Stop: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop the nodes of this machine.",
        discussion: """
            Each node finishes what it has begun (timing.stop-grace) and ends. A transaction loses nothing by it: the other
            nodes, or these when they are started again, carry it on.

            EXAMPLES
              clusterctl stop
              clusterctl stop --node n2
              clusterctl stop --force      SIGKILL to those that haven't ended in time
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Stop this node alone.")
    var node: String?

    @Option(duration: "How long to wait for each end. Default: timing.stop-grace and 5 s.")
    var timeout: DurationArgument?

    @Flag(name: .long, help: "Kill what hasn't ended in time.")
    var force = false

    private struct Report: Encodable {
        struct Node: Encodable {
            let node: String
            let pid: Int32?
            let result: String
        }

        let nodes: [Node]
    }

    func run() async throws {
        let output = self.common.output
        let context = try ClusterContext(self.common)
        let nodes = try context.localNodes(named: self.node)
        let patience = self.timeout?.duration ?? context.configuration.timing.stopGrace + .seconds(5)
        let signalled = try await context.exclusively(output) { () throws(CommandFailure) in
            try Self.signal(nodes, context, output)
        }
        var results = signalled.others
        let deadline = ContinuousClock.now + patience
        var stubborn: [String] = []
        for (node, pid) in signalled.running {
            var result = await Self.ends(node, pid, context, until: deadline) ? "stopped" : "running"
            if result == "running", self.force, context.process(of: node).pid == pid {
                kill(pid, SIGKILL)
                if await Self.ends(node, pid, context, until: .now + .seconds(5)) { result = "killed" }
            }
            if result == "running" { stubborn.append("\(node.id) (process \(pid))") }
            output.line("Node \(node.id), process \(pid): \(result == "running" ? "still running" : result).")
            results.append(Report.Node(node: node.id, pid: pid, result: result))
        }
        if output.isJSON { try output.json(Report(nodes: results)) }
        guard stubborn.isEmpty else {
            let names = stubborn.joined(separator: ", ")
            throw CommandFailure(
                .failure, "still running after \(patience.shortText): \(names)\(self.force ? "" : "; --force kills it")"
            )
        }
    }

    /// Tells the processes to end, and says which nodes have none.
    private static func signal(
        _ nodes: [ClusterConfiguration.Node], _ context: ClusterContext, _ output: Output
    ) throws(CommandFailure) -> (running: [(node: ClusterConfiguration.Node, pid: Int32)], others: [Report.Node]) {
        var running: [(node: ClusterConfiguration.Node, pid: Int32)] = []
        var others: [Report.Node] = []
        for node in nodes {
            switch context.process(of: node) {
            case .running(let pid): running.append((node, pid))
            case .none:
                output.line("Node \(node.id) isn't running.")
                others.append(Report.Node(node: node.id, pid: nil, result: "not-running"))
            case .other(let pid, let what):
                output.note(
                    """
                    Node \(node.id) isn't running: its pid file names process \(pid), which is something else \
                    and is left alone: \(Table.visible(String(what.prefix(200))))
                    """)
                others.append(Report.Node(node: node.id, pid: nil, result: "not-running"))
            }
        }
        for (node, pid) in running {
            guard kill(pid, SIGTERM) == 0 || errno == ESRCH else {
                throw CommandFailure(
                    .failure, "process \(pid) of node \(node.id) can't be stopped: \(String(cString: strerror(errno)))")
            }
        }
        return (running, others)
    }

    /// Waits for the end of a process.
    static func ends(
        _ node: ClusterConfiguration.Node, _ pid: Int32, _ context: ClusterContext,
        until deadline: ContinuousClock.Instant
    ) async -> Bool {
        let table = ProcessTable()
        func isRunning() -> Bool {
            NodeProcess.judge(pid: pid, node: node.id, configuration: context.path, in: table).pid == pid
        }
        while isRunning() {
            guard ContinuousClock.now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return true
    }
}
