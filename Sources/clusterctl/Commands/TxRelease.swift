// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CoordinatorClient

/// Lets one transaction go on that a restore holds.
struct TxRelease: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Let one transaction go on that a restore holds, before the mark of the restore is lifted.",
        discussion: """
            Undecided, it gets all of its time again and its calls that are due are made anew: participants that have answered
            before answer the same, so it comes to the outcome that it had. If you know that it was aborted, abort it then. One
            that is in doubt was decided by an entry that may never have been a majority's: released, that is carried out. Who
            and why stand in its history.

            EXAMPLES
              clusterctl tx list
              clusterctl tx release order-4711 --reason "both banks have booked it"
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The transaction's id.")
    var gid: String

    @OptionGroup var answering: AnsweringOptions

    func run() async throws {
        let context = try ClusterContext(self.common)
        let transaction = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.release(self.gid, reason: self.answering.reason, actor: self.answering.actor)
            } catch {
                guard error.code == .notFound else { throw CommandFailure(error) }
                throw CommandFailure(error, status: .failure, message: "there is no transaction \(self.gid)")
            }
        }
        try self.common.output.result(transaction) { TransactionText.details(of: transaction) }
    }
}
