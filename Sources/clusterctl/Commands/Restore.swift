// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import RaftStore
import StateStore

/// Makes a new cluster of a backup.
struct Restore: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create the data folders of this machine's nodes from a backup, as a new cluster.",
        discussion: """
            Run it on each machine with the same file. The new cluster has an id of its own, so that nodes of the old one can
            never come back into it. No folder may be a node's already.

            What happened after the backup is not known, and must not be guessed. So until an operator lifts the mark of the
            restore
              - a gid that isn't known is answered with "forgotten", and never with "not found" or "aborted";
              - a client's own gid that isn't known gets no new transaction; without a gid of its own it does;
              - a transaction that was undecided at the backup is held as it is: it may have been decided since;
              - what was decided is carried out, as ever.
            When the participants' books have been compared: clusterctl lift-restore-mark --reason "...".

            EXAMPLES
              clusterctl restore /backup/verdict-2026-11-27.db
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "A file that clusterctl backup has written.")
    var file: String

    private struct Report: Encodable {
        let clusterID: String
        let nodes: [Initialiser.Made]
        let source: String
        let index: UInt64
        let live: UInt64
        let finished: UInt64
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let backup: StateBackup
        do throws(StateStoreError) {
            backup = try StateBackup(examining: self.file)
        } catch {
            throw CommandFailure(.usage, "the backup can't be used: \(error.description)")
        }
        let made = try await context.exclusively(self.common.output) { () throws(CommandFailure) in
            try Initialiser(context).run(from: backup)
        }
        let report = Report(
            clusterID: made.clusterID, nodes: made.nodes, source: backup.identity.clusterID.hexadecimal,
            index: backup.appliedIndex, live: backup.liveCount, finished: backup.archivedCount)
        try self.common.output.result(report) {
            let lines = report.nodes.map { "Restored \($0.node) in \($0.data)" }
            return
                (lines + [
                    "The state is that of cluster \(report.source) at entry \(report.index): "
                        + "\(report.finished) finished transactions and \(report.live) others",
                    "Cluster id: \(report.clusterID)", "Start it with: clusterctl start",
                    "Gids that it doesn't know are forgotten, and what was undecided is held, until: "
                        + "clusterctl lift-restore-mark --reason \"...\"",
                ]).joined(separator: "\n")
        }
    }
}
