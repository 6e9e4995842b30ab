// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import Raft
import RaftStore
import StateStore

/// Makes a new cluster of one node's folder, when a majority is lost for good.
struct Recover: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a new cluster of one node that is left over. For disasters alone.",
        discussion: """
            For the case that a majority of the nodes is lost for good. Everything in the node's log stays, and what only the
            lost nodes had is gone: choose the node whose log reaches furthest (clusterctl log show, or the term and
            last_index of clusterctl doctor). The node must not be running. The new cluster has an id of its own and this one
            member; others join with clusterctl members add, on new folders. The old folder is kept under another name.

            As after a restore, gids that aren't known are "forgotten" and undecided transactions are held until
            clusterctl lift-restore-mark. Of the last entries of the log it isn't known whether a majority had them: what they
            decided is held too, "in-doubt", until clusterctl tx release or lift-restore-mark.

            EXAMPLES
              clusterctl recover --force-new-cluster n2
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The node that is left over.")
    var node: String

    @Flag(name: .long, help: "Yes, the other nodes are lost for good.")
    var forceNewCluster = false

    func run() async throws {
        let context = try ClusterContext(self.common)
        guard let node = try context.localNodes(named: self.node).first else { return }
        guard self.forceNewCluster else {
            throw CommandFailure(
                .usage,
                """
                what only the other nodes have is lost by this; if they are lost for good, say so with --force-new-cluster. \
                Else start them: a majority goes on by itself
                """)
        }
        let report = try await context.exclusively(self.common.output) { () throws(CommandFailure) in
            try ClusterRecovery(context, node).run()
        }
        try self.common.output.result(report) {
            """
            \(report.node) in \(report.data) is a cluster of its own now, from entry \(report.index) of cluster \(report.source).
            Its old folder is kept as \(report.kept)
            Certainly a majority's through entry \(report.certain); what later entries decided is in doubt, and held.
            Cluster id: \(report.clusterID)
            Move the folders of the other nodes away, start with: clusterctl start --node \(report.node)
            Then let the others join: clusterctl members add ...
            """
        }
    }
}
