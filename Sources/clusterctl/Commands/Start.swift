// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration

/// Starts nodes of this machine in the background.
struct Start: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the nodes of this machine in the background and wait until a leader serves.",
        discussion: """
            Runs init itself when every node of the file is on this machine and none has a folder yet. Nodes that run are
            left alone. The program is the verdictd beside clusterctl, or the one that VERDICT_VERDICTD names.

            EXAMPLES
              clusterctl start
              clusterctl start --node n2
              clusterctl start --set timing.heartbeat=50ms
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Start this node alone.")
    var node: String?

    @Option(name: .long, help: "How long to wait for a leader.")
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
    }

    func run() async throws {
        let output = self.common.output
        let context = try ClusterContext(self.common)
        for warning in context.configuration.warnings { output.note("Note: \(warning).") }
        let wanted = try context.localNodes(named: self.node)
        try self.initialise(wanted, context)

        let running = Dictionary(
            uniqueKeysWithValues: wanted.compactMap { node in context.process(of: node).pid.map { (node.id, $0) } })
        for node in wanted {
            guard let pid = running[node.id] else { continue }
            output.line("Node \(node.id) runs already as process \(pid).")
        }
        let starter = NodeStarter(context: context)
        let started = try starter.start(wanted.filter { running[$0.id] == nil })
        for one in started { output.line("Started node \(one.node.id) as process \(one.child.pid).") }

        let outcome = try await starter.wait(
            for: started, expected: self.expected(started, context), atMost: self.timeout.duration)
        let pids = running.merging(started.map { ($0.node.id, $0.child.pid) }, uniquingKeysWith: { $1 })
        try self.report(outcome, pids: pids, new: Set(started.map(\.node.id)), wanted, context)
    }

    private func initialise(_ wanted: [ClusterConfiguration.Node], _ context: ClusterContext) throws(CommandFailure) {
        let missing = wanted.filter { !NodeFolder.isInitialised($0) }
        guard !missing.isEmpty else { return }
        let local = context.localNodes
        guard local.count == context.configuration.nodes.count, !local.contains(where: NodeFolder.isInitialised) else {
            let folders = missing.map { "\($0.id) (\($0.data))" }.joined(separator: ", ")
            throw CommandFailure(
                .failure,
                """
                there is no node in the data folder of \(folders), while other nodes of the cluster have theirs or run on \
                other machines. A new cluster begins with clusterctl init; a node that has lost its folder must not start \
                with an empty one
                """)
        }
        let report = try Initialiser(context).run()
        self.common.output.line("Initialised a new cluster, \(report.clusterID).")
    }

    /// Nodes that may be running: those of this machine that do, and all that nobody here can see.
    private func expected(_ started: [NodeStarter.Started], _ context: ClusterContext) -> Int {
        let new = Set(started.map(\.node.id))
        return context.configuration.nodes.count { node in
            new.contains(node.id) || !context.configuration.isLocal(node, on: context.machine)
                || context.process(of: node).pid != nil
        }
    }

    private func report(
        _ outcome: NodeStarter.Outcome, pids: [String: Int32], new: Set<String>, _ nodes: [ClusterConfiguration.Node],
        _ context: ClusterContext
    ) throws(CommandFailure) {
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
            }, leader: leader?.id, term: leader?.term, waitedMilliseconds: leader?.after.milliseconds)
        try self.common.output.result(report) { "\(sentence)\n\n\(table.text)" }
    }
}
