// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient
import Glibc

/// Kills the leader and measures how long the cluster is without one.
struct KillLeader: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill-leader",
        abstract: "SIGKILL the leader's process on this machine, and wait for the next leader that serves.",
        discussion: """
            For drills: it shows that nothing that was decided changes. The time is from the kill to the first linearizable
            read that another node answers. In the middle of an election it waits until a leader is there to be killed.

            EXAMPLES
              clusterctl kill-leader
              clusterctl kill-leader && clusterctl start     bring the killed node back
            """)

    @OptionGroup var common: CommonOptions

    @Option(duration: "How long to wait for a leader, and after the kill for the next one.")
    var timeout = DurationArgument(.seconds(30))

    @Flag(name: .long, help: "Kill it though too few nodes are left for another leader.")
    var force = false

    private struct Report: Encodable {
        let killed: String
        let pid: Int32
        let oldTerm: UInt64
        let leader: String
        let term: UInt64
        let milliseconds: Double
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let view = try await context.withClient(attemptTimeout: .seconds(2)) { client in
            await self.viewWithLeader(of: context, client)
        }
        guard let old = view.leader, let row = view.rows.first(where: { $0.node == old }), let term = row.term else {
            throw CommandFailure(.noCluster, "there is no leader to kill; see clusterctl status")
        }
        let node = try context.localNodes(named: old)[0]
        guard let pid = context.process(of: node).pid, pid == row.pid else {
            throw CommandFailure(
                .failure, "node \(old) leads, but its process isn't the one that its pid file in \(node.data) names")
        }
        let others = context.configuration.nodes.filter { other in
            other.id != old && view.rows.contains { $0.node == other.id && $0.role != "down" }
        }
        guard others.count >= context.majority || self.force else {
            throw CommandFailure(
                .failure,
                """
                nothing was killed: without \(old) only \(others.count) of the \(context.majority) nodes that a leader \
                needs would answer (--force kills it all the same)
                """)
        }
        let next = try await context.withClient(of: others, attemptTimeout: .seconds(2)) {
            client throws(CommandFailure) in
            // The connections are made before, so that the time is the cluster's alone.
            for other in others { _ = await client.isReady(at: ClusterContext.address(of: other)) }
            let start = ContinuousClock.now
            guard kill(pid, SIGKILL) == 0 else {
                throw CommandFailure(
                    .failure, "process \(pid) of node \(old) can't be killed: \(String(cString: strerror(errno)))")
            }
            self.common.output.line("Killed node \(old), process \(pid), the leader of term \(term).")
            let leader = try await self.next(after: old, client)
            return (leader.id, leader.term, start.duration(to: leader.seen))
        }
        let report = Report(
            killed: old, pid: pid, oldTerm: term, leader: next.0, term: next.1, milliseconds: next.2.milliseconds)
        try self.common.output.result(report) {
            "Node \(next.0) leads in term \(next.1) and serves, \(next.2.shortText) after the kill."
        }
    }

    /// Looks until there is a leader, for as long as one can come: while the nodes that answer are a majority.
    private func viewWithLeader(of context: ClusterContext, _ client: CoordinatorClient) async -> ClusterView {
        let deadline = ContinuousClock.now + self.timeout.duration
        while true {
            let view = await ClusterView(of: context, with: client)
            let answering = view.rows.count { $0.role != "down" }
            guard view.leader == nil, answering >= context.majority, ContinuousClock.now < deadline else { return view }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func next(
        after old: String, _ client: CoordinatorClient
    ) async throws(CommandFailure) -> (id: String, term: UInt64, seen: ContinuousClock.Instant) {
        let deadline = ContinuousClock.now + self.timeout.duration
        while ContinuousClock.now < deadline {
            let left = ContinuousClock.now.duration(to: deadline)
            guard let served = await ServingLeader.wait(client, atMost: left) else { break }
            guard let id = served.status.leader, id != old else { continue }
            return (id, served.status.term, served.at)
        }
        throw CommandFailure(.noCluster, "no other node has become leader in \(self.timeout.duration.shortText)")
    }
}
