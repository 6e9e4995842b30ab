// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CoordinatorClient

/// Shows what operators did to the cluster.
struct Audit: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what operators did to the cluster: restores, recoveries, lifted marks.",
        discussion: """
            EXAMPLES
              clusterctl audit
              clusterctl audit --json
            """)

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let context = try ClusterContext(self.common)
        let audit = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.audit()
            } catch {
                throw CommandFailure(error)
            }
        }
        try self.common.output.result(audit) {
            var lines = audit.audit.map { record in
                let who = record.actor.isEmpty ? "" : " by \(record.actor)"
                return "\(record.time)  entry \(record.index)  \(record.event)\(who): \(record.detail)"
            }
            if lines.isEmpty { lines = ["Nothing was done to this cluster as a whole."] }
            if let mark = audit.restoreMark {
                let doubt = mark.certain < mark.index ? ", or was decided behind entry \(mark.certain)," : ""
                lines.append(
                    """
                    The mark of the restore from cluster \(mark.source) at entry \(mark.index) stands: gids that aren't known \
                    are forgotten, and what was undecided\(doubt) is held. Let one go on with: clusterctl tx release, all \
                    with: clusterctl lift-restore-mark --reason "..."
                    """)
            }
            return lines.joined(separator: "\n")
        }
    }
}

/// Ends what a restore leaves open.
struct LiftRestoreMark: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "lift-restore-mark",
        abstract: "Lift the mark of a restore: unknown gids are unknown again, and held transactions go on.",
        discussion: """
            Before you do, compare the participants' books with clusterctl tx list: a transaction that was decided after the
            backup may now be decided otherwise. What was undecided gets all of its time again, and its calls are made anew.
            Who and why stand in the audit history. To let single transactions go on first: clusterctl tx release.

            EXAMPLES
              clusterctl lift-restore-mark --reason "books compared with the banks, see ticket 4711"
            """)

    @OptionGroup var common: CommonOptions

    @OptionGroup var answering: AnsweringOptions

    func run() async throws {
        let context = try ClusterContext(self.common)
        let lift = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.liftRestoreMark(
                    reason: self.answering.reason, actor: self.answering.actor)
            } catch {
                throw CommandFailure(error)
            }
        }
        try self.common.output.result(lift) {
            lift.lifted
                ? "The mark of the restore is lifted. What was held goes on now."
                : "No mark of a restore stands any more; clusterctl audit says who has lifted one."
        }
    }
}
