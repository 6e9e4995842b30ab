// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CoordinatorClient

/// Lets another node lead.
struct TransferLeader: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer-leader",
        abstract: "Let another node lead, without an election timeout and without a failed request.",
        discussion: """
            The leader takes no new work for a moment, brings the other node's log to the end of its own, and tells it to
            stand for election at once. A node that is stopped does this by itself.

            EXAMPLES
              clusterctl transfer-leader              to the node that is best placed
              clusterctl transfer-leader --to n2
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "The node that should lead.")
    var to: String?

    private struct Report: Encodable {
        let before: String
        let leader: String
        let term: UInt64
        let milliseconds: Double
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        if let target = self.to { _ = try context.node(target) }
        let begin = ContinuousClock.now
        let transfer = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.transferLeadership(to: self.to)
            } catch {
                throw CommandFailure(error)
            }
        }
        let report = Report(
            before: transfer.before, leader: transfer.leader, term: transfer.term,
            milliseconds: begin.duration(to: .now).milliseconds)
        try self.common.output.result(report) {
            "Node \(report.leader) leads in term \(report.term), in the place of \(report.before)."
        }
    }
}
