// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient

/// Says what is wrong with the nodes of this machine, and what to do.
struct Doctor: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is wrong with the data folders of this machine, and what to do.",
        discussion: """
            Of a stopped node everything is read by the rules of its start: log, write-ahead log, applied state. A running one
            is asked how it is. Nothing is changed. Ends with 70 if something is wrong.

            EXAMPLES
              clusterctl doctor
              clusterctl doctor --node n2 --json
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Look at this node alone.")
    var node: String?

    private struct Report: Encodable {
        struct Node: Encodable {
            let node: String
            let data: String
            let findings: [Finding]
        }

        let nodes: [Node]
        let ok: Bool
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        var nodes: [Report.Node] = []
        for node in try context.localNodes(named: self.node) {
            let findings = await self.findings(node, context)
            nodes.append(Report.Node(node: node.id, data: node.data, findings: findings))
        }
        let isOK = !nodes.flatMap(\.findings).contains { $0.grade == .problem }
        try self.common.output.result(Report(nodes: nodes, ok: isOK)) {
            nodes.map { Self.text($0.node, $0.findings) }.joined(separator: "\n")
        }
        guard !isOK else { return }
        throw ExitCode(ExitStatus.failure.rawValue)
    }

    private func findings(_ node: ClusterConfiguration.Node, _ context: ClusterContext) async -> [Finding] {
        switch context.process(of: node) {
        case .running(let pid): return [await self.ask(node, pid, context)]
        case .none, .other:
            let clusterID = context.configuration.cluster.id.map(\.description)
            return FolderExamination(node: node.id, data: node.data, clusterID: clusterID).findings
        }
    }

    /// A running node alone may read its files; it says how it is.
    private func ask(_ node: ClusterConfiguration.Node, _ pid: Int32, _ context: ClusterContext) async -> Finding {
        do throws(CommandFailure) {
            let status = try await context.withClient(of: [node], attemptTimeout: .seconds(2)) {
                client throws(CommandFailure) in
                do throws(CoordinatorClientError) {
                    return try await client.node(at: ClusterContext.address(of: node), patience: .seconds(2))
                } catch {
                    throw CommandFailure(error)
                }
            }
            guard let leader = status.leader else {
                return .problem(
                    "process", "\(pid) knows no leader", "see with clusterctl status whether a majority runs")
            }
            let role = leader == node.id ? "leads" : "follows \(leader)"
            return .ok("process", "\(pid) \(role) in term \(status.term), applied through \(status.appliedIndex)")
        } catch {
            return .problem("process", "\(pid) runs and doesn't answer: \(error.message)", "look into \(node.log)")
        }
    }

    private static func text(_ node: String, _ findings: [Finding]) -> String {
        var lines = ["Node \(node)"]
        for finding in findings {
            let mark = finding.grade == .ok ? "  ok     " : finding.grade == .note ? "  note   " : "  WRONG  "
            lines.append("\(mark)\(finding.subject): \(Table.visible(finding.text))")
            if let advice = finding.advice { lines.append("         -> \(advice)") }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
