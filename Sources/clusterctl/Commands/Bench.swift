// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient
import Foundation
import NIOCore
import NIOPosix

/// Measures how many transactions the cluster carries out.
struct Bench: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load the cluster with sagas of two steps and measure throughput and latency.",
        discussion: """
            Each client has one transaction under way at a time: it submits one, waits for its outcome, and submits the next.
            Clients are spread over the nodes. A transaction's steps go to the participants in turn; a step is undone at its
            URL with /compensate behind it. The time is from the request to the answer with the outcome.

            EXAMPLES
              clusterctl bench --participant http://127.0.0.1:7601/saga/debit \\
                --participant http://127.0.0.1:7602/saga/credit --payload '{"account": "bench-%c", "amount": 1}'
              clusterctl bench --clients 128 --duration 30s --json --participant http://127.0.0.1:9000/ok
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Transactions under way at a time.")
    var clients = 64

    @Option(duration: "How long to measure.")
    var duration = DurationArgument(.seconds(15))

    @Option(duration: "How long to run before that.")
    var warmUp = DurationArgument(.seconds(3))

    @Option(
        name: .long,
        help: ArgumentHelp("Where a step is called. May be repeated; the steps go around.", valueName: "url"))
    var participant: [String] = []

    @Option(
        name: .long, parsing: .unconditional,
        help: ArgumentHelp("The JSON that every call carries; %c stands for the client's number.", valueName: "json"))
    var payload: String?

    @Flag(name: .long, help: "Call both steps of a transaction at once.")
    var concurrent = false

    private struct Report: Encodable {
        let clients: Int
        let nodes: Int
        let concurrent: Bool
        let participants: [String]
        let result: BenchSummary
        /// Processor time that the load itself took, as a share of one processor.
        let loadShare: Double
        let machine: MachineLoad
    }

    func validate() throws {
        guard (1...4_096).contains(self.clients) else {
            throw ValidationError("--clients is \(self.clients); it must be from 1 to 4096.")
        }
        guard self.duration.duration >= .seconds(1) else {
            throw ValidationError("--duration must be at least 1s.")
        }
        guard !self.participant.isEmpty else {
            throw ValidationError("Name at least one --participant to call.")
        }
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let plan = BenchPlan(
            nodes: context.configuration.nodes.map(ClusterContext.address), participants: self.participant,
            payload: self.payload, isConcurrent: self.concurrent, wait: .seconds(30))
        try await self.tryOne(plan, context)
        self.common.output.line(
            """
            \(self.clients) clients, \(plan.nodes.count) nodes: \(self.warmUp.duration.shortText) of warm-up, then \
            \(self.duration.duration.shortText) of measuring ...
            """)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let before = (time: MachineLoad.ownTime(), clock: ContinuousClock.now)
        let recorder = try await LoadRun.run(
            plan, clients: self.clients, warmUp: self.warmUp.duration, duration: self.duration.duration, on: loop)
        let used = MachineLoad.ownTime() - before.time
        let report = Report(
            clients: self.clients, nodes: plan.nodes.count, concurrent: self.concurrent,
            participants: self.participant, result: recorder.summary(over: self.duration.duration),
            loadShare: used.milliseconds / max(1, before.clock.duration(to: .now).milliseconds), machine: .current())
        try self.common.output.result(report) { Self.text(report) }
        guard report.result.committed > 0 else {
            throw CommandFailure(.failure, "no transaction was committed")
        }
    }

    /// One transaction first, so that a wrong URL is said in words and not counted a thousand times.
    private func tryOne(_ plan: BenchPlan, _ context: ClusterContext) async throws {
        let submission: Submission
        do throws(SubmissionBuilder.Problem) {
            submission = try plan.submission(client: 0, turn: 0)
        } catch {
            throw CommandFailure(.usage, "--payload: \(error.message)")
        }
        let transaction = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.submit(submission, wait: .seconds(10))
            } catch {
                throw CommandFailure(error)
            }
        }
        guard transaction.outcome != .committed else { return }
        let error = transaction.branches.compactMap(\.lastError).first ?? transaction.reason
        throw CommandFailure(
            .failure,
            """
            the first transaction, \(transaction.gid), was not committed but is \(transaction.state.rawValue)\
            \(error.map { ": \(Table.visible($0))" } ?? "")
            """)
    }

    private static func text(_ report: Report) -> String {
        func number(_ value: Double) -> String { String(format: "%.1f", value) }
        let result = report.result
        var table = Table(.text(""), .number(""))
        table.add("transactions a second", number(result.transactionsPerSecond))
        table.add("p50, ms", number(result.p50Ms))
        table.add("p95, ms", number(result.p95Ms))
        table.add("p99, ms", number(result.p99Ms))
        table.add("longest, ms", number(result.maxMs))
        table.add("committed", "\(result.committed)")
        table.add("aborted", "\(result.aborted)")
        table.add("errors", "\(result.errors)")
        for (kind, count) in result.errorKinds.sorted(by: { $0.key < $1.key }) { table.add("  " + kind, "\(count)") }
        table.add("load generator, % of one processor", number(report.loadShare * 100))
        table.add("load average", report.machine.loadAverage.map(number) ?? "-")
        table.add("processors", "\(report.machine.processors)")
        // The titles are empty.
        return String(table.text.drop { $0 == "\n" })
    }
}
