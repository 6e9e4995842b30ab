// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import Raft
import RaftStore

/// Starts nodes of this machine in the background.
struct Start: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the nodes of this machine in the background and wait until a leader serves.",
        discussion: """
            Runs init itself when every node of the file is on this machine and none has a folder yet. Nodes that run are
            left alone. A node that can't be started keeps none of the others from it: the command goes on with them and
            ends with 70 and a list of those that don't run. The program is the verdictd beside clusterctl, or the one that VERDICT_VERDICTD names.

            EXAMPLES
              clusterctl start
              clusterctl start --node n2
              clusterctl start --set timing.heartbeat=50ms
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Start this node alone.")
    var node: String?

    @Option(duration: "How long to wait for a leader.")
    var timeout = DurationArgument(.seconds(30))

    private struct Report: Encodable {
        struct Node: Encodable {
            let node: String
            let pid: Int32
            let isNew: Bool
            let client: String
            let data: String
            let log: String
        }

        let nodes: [Node]
        let leader: String?
        let term: UInt64?
        let waitedMilliseconds: Double?
        let failed: [NodeStarter.Failed]
    }

    func run() async throws {
        let output = self.common.output
        let context = try ClusterContext(self.common)
        for warning in context.configuration.warnings { output.note("Note: \(warning).") }
        let wanted = try context.localNodes(named: self.node)
        let begun = try await context.exclusively(output) { () throws(CommandFailure) in try self.begin(wanted, context)
        }
        for one in begun.already { output.line("Node \(one.node.id) runs already as process \(one.pid).") }
        for one in begun.started { output.line("Started node \(one.node.id) as process \(one.child.pid).") }

        let result = try await begun.starter.wait(
            for: begun.started, already: begun.already, others: Self.others(wanted, context),
            atMost: self.timeout.duration)
        let failed = begun.failed + result.failed
        let dead = Set(failed.map(\.node))
        let all = begun.already.map { ($0.node.id, $0.pid) } + begun.started.map { ($0.node.id, $0.child.pid) }
        let pids = Dictionary(all, uniquingKeysWith: { $1 }).filter { !dead.contains($0.key) }
        try self.report(
            result.outcome, pids: pids, new: Set(begun.started.map(\.node.id)), failed, wanted, context)
    }

    /// What is seen and done in one go, so that no other command is overlooked or overlooks this one.
    private struct Begun {
        let starter: NodeStarter
        let already: [NodeStarter.Running]
        let started: [NodeStarter.Started]
        let failed: [NodeStarter.Failed]
    }

    private func begin(
        _ wanted: [ClusterConfiguration.Node], _ context: ClusterContext
    ) throws(CommandFailure) -> Begun {
        let lost = try self.initialise(wanted, context)
        let already = wanted.compactMap { node in
            context.process(of: node).pid.map { NodeStarter.Running(node: node, pid: $0) }
        }
        let others = Set(already.map(\.node.id) + lost.map(\.node))
        let startable = wanted.filter { !others.contains($0.id) }
        let starter = NodeStarter(context: context, clusterID: Self.clusterID(startable, context))
        let (started, failed) = try starter.start(startable)
        return Begun(starter: starter, already: already, started: started, failed: lost + failed)
    }

    /// Makes a new cluster if that is what is asked for.
    /// - Returns: the nodes that have no folder and must not be given one.
    private func initialise(
        _ wanted: [ClusterConfiguration.Node], _ context: ClusterContext
    ) throws(CommandFailure) -> [NodeStarter.Failed] {
        let missing = wanted.filter { !NodeFolder.isInitialised($0) }
        guard !missing.isEmpty else { return [] }
        let local = context.localNodes
        guard local.count == context.configuration.nodes.count, !local.contains(where: NodeFolder.isInitialised) else {
            return missing.map { node in
                NodeStarter.Failed(
                    node: node.id,
                    problem: """
                        there is no node in the data folder of \(node.id) (\(node.data)), while other nodes of the cluster \
                        have theirs or run on other machines. A new cluster begins with clusterctl init. A node that has \
                        lost its folder must not start with an empty one: clusterctl members replace \(node.id). A node that \
                        is new: clusterctl members add \(node.id)
                        """)
            }
        }
        let report = try Initialiser(context).run()
        self.common.output.line("Initialised a new cluster, \(report.clusterID).")
        return []
    }

    /// The cluster that the nodes belong to, by the file or by their folders; none of them runs.
    private static func clusterID(_ nodes: [ClusterConfiguration.Node], _ context: ClusterContext) -> String? {
        if let id = context.configuration.cluster.id { return ClusterID(high: id.high, low: id.low).hex }
        return nodes.lazy.compactMap(NodeFolder.clusterID).first
    }

    /// Nodes beside the wanted ones that may be running: those of this machine that do, and all that nobody here can see.
    private static func others(_ wanted: [ClusterConfiguration.Node], _ context: ClusterContext) -> Int {
        context.configuration.nodes.count { node in
            guard !wanted.contains(node) else { return false }
            return !context.configuration.isLocal(node, on: context.machine) || context.process(of: node).pid != nil
        }
    }

    private func report(
        _ outcome: NodeStarter.Outcome, pids: [String: Int32], new: Set<String>,
        _ failed: [NodeStarter.Failed], _ nodes: [ClusterConfiguration.Node], _ context: ClusterContext
    ) throws {
        let list = failed.map { "  " + $0.problem.replacing("\n", with: "\n  ") }.joined(separator: "\n")
        let problems = "not started: \(failed.map(\.node).joined(separator: ", "))\n\(list)"
        var leader: (id: String, term: UInt64, after: Duration)?
        let sentence: String
        switch outcome {
        case .serving(let id, let term, let after):
            leader = (id, term, after)
            sentence = "Node \(id) leads in term \(term); the cluster serves, \(after.shortText) after the start."
        case .tooFew(let running):
            sentence = """
                There is no leader yet: \(running) of \(context.configuration.nodes.count) nodes run, \
                and \(context.majority) are needed.
                """
        case .notServing(let failure):
            guard !failed.isEmpty else { throw failure }
            throw CommandFailure(.failure, "\(failure.message)\n\(problems)")
        }
        var table = Table(.text("NODE"), .number("PID"), .text("CLIENTS"), .text("DATA"), .text("LOG"))
        for node in nodes {
            table.add(node.id, pids[node.id].map(String.init) ?? "", "\(node.client)", node.data, node.log)
        }
        let report = Report(
            nodes: nodes.map { node in
                Report.Node(
                    node: node.id, pid: pids[node.id] ?? 0, isNew: new.contains(node.id), client: "\(node.client)",
                    data: node.data, log: node.log)
            }, leader: leader?.id, term: leader?.term, waitedMilliseconds: leader?.after.milliseconds,
            failed: failed)
        try self.common.output.result(report) { "\(sentence)\n\n\(table.text)" }
        guard !failed.isEmpty else { return }
        self.common.output.note("clusterctl: \(problems)")
        throw ExitCode(ExitStatus.failure.rawValue)
    }
}
