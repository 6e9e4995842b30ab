// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorClient
import Glibc
import RaftStore

/// Starts nodes of this machine as processes of their own and waits until the cluster serves.
struct NodeStarter: Sendable {
    struct Started: Sendable {
        let node: ClusterConfiguration.Node
        let child: ChildProcess
        /// Where the log ended before: what this process says stands behind it.
        let logStart: Int
    }

    enum Outcome: Sendable {
        case serving(leader: String, term: UInt64, after: Duration)
        /// The nodes answer, and too few are known to run for a leader.
        case tooFew(running: Int)
    }

    let context: ClusterContext

    /// The program that runs a node: what VERDICT_VERDICTD names, else `verdictd` beside this program.
    static func executable(environment: [String: String]) throws(CommandFailure) -> String {
        let own = ProcessTable().executable(of: getpid()).map(FilePath.folder) ?? "."
        let named = environment["VERDICT_VERDICTD"].flatMap { $0.isEmpty ? nil : $0 }
        let path = named ?? FilePath.join(own, NodeProcess.executableName)
        guard access(path, X_OK) == 0 else {
            let hint = named == nil ? "build it, or name it with VERDICT_VERDICTD" : "VERDICT_VERDICTD names it"
            throw CommandFailure(.failure, "there is no program \(path) (\(hint))")
        }
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    func start(_ nodes: [ClusterConfiguration.Node]) throws(CommandFailure) -> [Started] {
        let executable = try Self.executable(environment: self.context.environment)
        var started: [Started] = []
        for node in nodes {
            let arguments =
                ["--config", self.context.path, "--node", node.id]
                + self.context.settings.flatMap { ["--set", $0] }
            do throws(StoreError) {
                try Folders.makeParents(of: node.log)
            } catch {
                throw CommandFailure(.failure, "node \(node.id) has no place for its log: \(error.description)")
            }
            let logStart = LogTail.end(of: node.log)
            let child = try ChildProcess(
                executable: executable, arguments: arguments, environment: self.context.environment, log: node.log)
            started.append(Started(node: node, child: child, logStart: logStart))
        }
        return started
    }

    /// Waits until every started node answers and a leader serves.
    /// - Parameter expected: nodes that may be running all told; under a majority no leader is waited for.
    func wait(
        for started: [Started], expected: Int, atMost patience: Duration
    ) async throws(CommandFailure) -> Outcome {
        let begin = ContinuousClock.now
        let deadline = begin + patience
        return try await self.context.withClient(attemptTimeout: .seconds(1)) { client throws(CommandFailure) in
            var waiting = started
            while !waiting.isEmpty {
                try Self.check(started)
                var silent: [Started] = []
                for one in waiting where await !Self.answers(one, client) { silent.append(one) }
                waiting = silent
                guard !waiting.isEmpty else { break }
                guard ContinuousClock.now < deadline else { throw Self.late(waiting, patience) }
                try? await Task.sleep(for: .milliseconds(20))
            }
            guard expected >= self.context.majority else { return .tooFew(running: expected) }
            while true {
                try Self.check(started)
                let left = ContinuousClock.now.duration(to: deadline)
                guard left > .zero else { throw self.leaderless(patience) }
                let served = await ServingLeader.wait(client, atMost: min(left, .milliseconds(500)))
                if let served, let leader = served.status.leader {
                    return .serving(leader: leader, term: served.status.term, after: begin.duration(to: served.at))
                }
            }
        }
    }

    private static func answers(_ one: Started, _ client: CoordinatorClient) async -> Bool {
        let status = try? await client.node(at: ClusterContext.address(of: one.node), patience: .zero)
        return status?.node == one.node.id
    }

    /// Looks whether one of the new processes has ended.
    private static func check(_ started: [Started]) throws(CommandFailure) {
        for one in started {
            guard let ending = one.child.ending() else { continue }
            let lines = LogTail.lines(of: one.node.log, behind: one.logStart, count: 10)
            let words = lines.isEmpty ? ["(it said nothing)"] : lines.map(LogTail.readable)
            let others = started.count > 1 ? "\nThe other nodes go on." : ""
            throw CommandFailure(
                .failure,
                """
                node \(one.node.id) ended at its start with \(ending); the end of its log \(one.node.log):
                \(words.map { "  " + $0 }.joined(separator: "\n"))\(others)
                """)
        }
    }

    private static func late(_ silent: [Started], _ patience: Duration) -> CommandFailure {
        let names = silent.map { "\($0.node.id) (log \($0.node.log))" }.joined(separator: ", ")
        return CommandFailure(.noCluster, "no answer in \(patience.shortText) from \(names)")
    }

    private func leaderless(_ patience: Duration) -> CommandFailure {
        CommandFailure(
            .noCluster, "the nodes answer, but none of them has become leader in \(patience.shortText); see their logs")
    }
}
