// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration

/// Creates the data folders of this machine's nodes.
struct Init: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create the data folders of all nodes of this machine.",
        discussion: """
            Needed once in a cluster's life, on each machine. Nothing is written if one of the folders is a node's already:
            a node that lost its folder must not come back as if it were new, since it has forgotten its votes.

            EXAMPLES
              clusterctl init
              clusterctl init --config /etc/verdict/cluster.conf
            """)

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let context = try ClusterContext(self.common)
        for warning in context.configuration.warnings { self.common.output.note("Note: \(warning).") }
        let report = try await context.exclusively(self.common.output) { () throws(CommandFailure) in
            try Initialiser(context).run()
        }
        try self.common.output.result(report) {
            let lines = report.nodes.map { "Initialised \($0.node) in \($0.data)" }
            return (lines + ["Cluster id: \(report.clusterID)", "Start it with: clusterctl start"])
                .joined(separator: "\n")
        }
    }
}
