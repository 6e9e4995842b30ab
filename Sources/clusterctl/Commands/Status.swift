// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient

/// Shows what each node does.
struct Status: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every node: its role, its term, how far it is, and since when.",
        discussion: """
            Each node speaks for itself. LAG counts the entries of the leader's log that a node doesn't have yet, LIVE the
            transactions that aren't finished. Ends with 69 if no node leads.

            EXAMPLES
              clusterctl status
              clusterctl status --json
            """)

    @OptionGroup var common: CommonOptions

    @Option(duration: "How long to wait for each node's answer.")
    var timeout = DurationArgument(.seconds(2))

    private struct Report: Encodable {
        let cluster: String
        let clusterID: String?
        let leader: String?
        let term: UInt64?
        let nodes: [ClusterView.Row]
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let view = try await context.withClient(attemptTimeout: self.timeout.duration) { client in
            await ClusterView(of: context, with: client)
        }
        let name = context.configuration.cluster.name
        let report = Report(
            cluster: name, clusterID: view.clusterID, leader: view.leader, term: view.term, nodes: view.rows)
        let output = self.common.output
        try output.result(report) {
            let leads = view.leader.map { "\($0) leads" } ?? "no leader"
            let id = view.clusterID.map { " (\($0))" } ?? ""
            return "Cluster \(name)\(id): \(leads)\n\n\(view.table { $0.age() }.text)"
        }
        for row in view.rows {
            if let problem = row.problem { output.note("\(row.node): \(Table.visible(problem))") }
        }
        if let note = view.formatNote { output.note(note) }
        guard view.leader == nil else { return }
        // The table has said it already.
        throw ExitCode(ExitStatus.noCluster.rawValue)
    }
}
