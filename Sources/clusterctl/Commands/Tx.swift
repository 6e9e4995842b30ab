// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CoordinatorClient

/// Looks at transactions.
struct Tx: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show one transaction, list many, let one go on that a restore holds.",
        discussion: """
            EXAMPLES
              clusterctl tx show 01k5x3f2m8v0q9w7r1t4n6b2ze
              clusterctl tx list --state running
            """,
        subcommands: [TxShow.self, TxList.self, TxRelease.self])
}

/// Shows one transaction with its branches and its history.
struct TxShow: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one transaction: its outcome, its branches, its history.",
        discussion: """
            A linearizable read is as new as every answer that anyone had before; it needs a leader. A local one shows what
            the asked node has applied, and needs none.

            EXAMPLES
              clusterctl tx show 01k5x3f2m8v0q9w7r1t4n6b2ze
              clusterctl tx show order-4711 --wait-for 30s --json
              clusterctl tx show order-4711 --node n2 --consistency local
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The transaction's id.")
    var gid: String

    enum Consistency: String, ExpressibleByArgument, CaseIterable {
        case linearizable, local
    }

    @Option(name: .long, help: "What the read may be answered from.")
    var consistency: Consistency = .linearizable

    @Option(name: .long, help: "Ask this node alone.")
    var node: String?

    @Option(duration: "Wait this long for the outcome if it isn't decided.")
    var waitFor = DurationArgument(.zero)

    func run() async throws {
        let context = try ClusterContext(self.common)
        let address = try self.node.map { try ClusterContext.address(of: context.node($0)) }
        let transaction = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.transaction(
                    self.gid, consistency: self.consistency == .local ? .local : .linearizable,
                    wait: self.waitFor.duration, at: address)
            } catch {
                guard error.code == .notFound else { throw CommandFailure(error) }
                throw CommandFailure(error, status: .failure, message: "there is no transaction \(self.gid)")
            }
        }
        try self.common.output.result(transaction) { TransactionText.details(of: transaction) }
    }
}

/// Lists transactions.
struct TxList: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List transactions in the order of their gids.",
        discussion: """
            It shows what one node has applied: the first that answers, or the one that --node names.

            EXAMPLES
              clusterctl tx list
              clusterctl tx list --state committing --limit 20
              clusterctl tx list --after 01k5x3f2m8v0q9w7r1t4n6b2ze --json
            """)

    static let states: [TransactionState] = [.open, .running, .committing, .aborting, .committed, .aborted]

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Only those in this state: open, running, committing, aborting, committed, aborted.")
    var state: String?

    @Option(name: .long, help: "At most as many.")
    var limit = 100

    @Option(name: .long, help: "Begin behind this gid.")
    var after: String?

    @Option(name: .long, help: "Ask this node alone.")
    var node: String?

    private struct Report: Encodable {
        let transactions: [TransactionSummary]
        /// The gid to begin behind for more; none at the end.
        let next: String?
        let node: String
    }

    func validate() throws {
        guard (1...1_000_000).contains(self.limit) else {
            throw ValidationError("--limit is \(self.limit); it must be from 1 to 1000000.")
        }
        guard let state = self.state, !Self.states.contains(TransactionState(rawValue: state)) else { return }
        let names = Self.states.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("There is no state \(state); the states are \(names).")
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let address = try self.node.map { try ClusterContext.address(of: context.node($0)) }
        let report = try await context.withClient { client throws(CommandFailure) in
            try await self.pages(client, address)
        }
        try self.common.output.result(report) { TransactionText.table(of: report.transactions).text }
        if report.next != nil { self.common.output.note("There are more: raise --limit, or go on with --after.") }
    }

    private func pages(
        _ client: CoordinatorClient, _ address: CoordinatorClient.Address?
    ) async throws(CommandFailure) -> Report {
        var found: [TransactionSummary] = []
        var after = self.after
        // Pages of one list come from one node.
        var address = address
        do throws(CoordinatorClientError) {
            while true {
                let page = try await client.list(
                    state: self.state.map(TransactionState.init(rawValue:)), limit: min(1000, self.limit - found.count),
                    after: after, at: address)
                found += page.transactions
                after = page.next
                guard after != nil, found.count < self.limit else {
                    return Report(transactions: found, next: after, node: page.node)
                }
                if address == nil { address = try await self.address(of: page.node, client) }
            }
        } catch {
            throw CommandFailure(error)
        }
    }

    private func address(
        of node: String, _ client: CoordinatorClient
    ) async throws(CoordinatorClientError) -> CoordinatorClient.Address? {
        let status = try await client.cluster()
        return status.nodes.first { $0.id == node }?.clientAddress.flatMap { CoordinatorClient.Address($0) }
    }
}
