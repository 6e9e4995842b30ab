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
        /// A node doesn't answer, or none leads, or another cluster answers.
        case notServing(CommandFailure)
    }

    /// A node that ran before.
    struct Running: Sendable {
        let node: ClusterConfiguration.Node
        let pid: Int32
    }

    /// A node that doesn't run, and why.
    struct Failed: Sendable, Encodable {
        let node: String
        let problem: String
    }

    /// What came of a start.
    struct Result: Sendable {
        let outcome: Outcome
        /// The started processes that have ended.
        let failed: [Failed]
    }

    /// Who answers at a node's address.
    private enum Answer: Hashable {
        case own
        case nobody
        case other(String)
    }

    let context: ClusterContext
    /// The cluster that the nodes belong to, by the file or by the folders of those that are started.
    let clusterID: String?

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

    /// Starts every node that can be started. To be called while no other command looks at the processes.
    func start(_ nodes: [ClusterConfiguration.Node]) throws(CommandFailure) -> (started: [Started], failed: [Failed]) {
        guard !nodes.isEmpty else { return ([], []) }
        let executable = try Self.executable(environment: self.context.environment)
        var started: [Started] = []
        var failed: [Failed] = []
        for node in nodes {
            do throws(CommandFailure) {
                started.append(try self.start(node, executable))
            } catch {
                failed.append(Failed(node: node.id, problem: error.message))
            }
        }
        return (started, failed)
    }

    private func start(_ node: ClusterConfiguration.Node, _ executable: String) throws(CommandFailure) -> Started {
        let arguments =
            ["--config", self.context.path, "--node", node.id] + self.context.settings.flatMap { ["--set", $0] }
        do throws(StoreError) {
            try Folders.makeParents(of: node.log)
        } catch {
            throw CommandFailure(.failure, "node \(node.id) has no place for its log: \(error.description)")
        }
        let logStart = LogTail.end(of: node.log)
        let isHeld = NodeFolder.isHeld(node)
        let child = try ChildProcess(
            executable: executable, arguments: arguments, environment: self.context.environment, log: node.log)
        // A process that runs on the folder and isn't this cluster's stays the one that its pid file names.
        if !isHeld { NodeProcess.note(pid: child.pid, data: node.data) }
        return Started(node: node, child: child, logStart: logStart)
    }

    /// Waits until every started process that still runs answers and a leader of its cluster serves.
    /// - Parameters:
    ///   - already: nodes that ran before.
    ///   - others: nodes that may be running beside those; under a majority no leader is waited for.
    func wait(
        for started: [Started], already: [Running], others: Int, atMost patience: Duration
    ) async throws(CommandFailure) -> Result {
        let begin = ContinuousClock.now
        let deadline = begin + patience
        return try await self.context.withClient(attemptTimeout: .seconds(1)) { client in
            var running = started
            var failed: [Failed] = []
            func result(_ outcome: Outcome) -> Result { Result(outcome: outcome, failed: failed) }
            let (missing, ended) = await self.missing(of: &running, until: deadline, client)
            failed += ended
            guard missing.isEmpty else { return result(.notServing(Self.late(missing, patience))) }
            while true {
                failed += Self.removeEnded(from: &running)
                let count = running.count + already.count + others
                guard count >= self.context.majority else { return result(.tooFew(running: count)) }
                let left = ContinuousClock.now.duration(to: deadline)
                guard left > .zero else { return result(.notServing(self.leaderless(patience))) }
                guard let served = await ServingLeader.wait(client, atMost: min(left, .milliseconds(500))),
                    let leader = served.status.leader
                else { continue }
                let own = if let clusterID { clusterID } else { await Self.clusterID(of: already, client) }
                if let own, own != served.status.clusterID {
                    return result(.notServing(self.foreign(served.status.clusterID, own)))
                }
                let ended = Self.removeEnded(from: &running)
                failed += ended
                guard ended.isEmpty else { continue }
                return result(
                    .serving(leader: leader, term: served.status.term, after: begin.duration(to: served.at)))
            }
        }
    }

    /// Waits until every one of the processes answers.
    func waitForAnswers(of started: [Started], atMost patience: Duration) async throws(CommandFailure) {
        let deadline = ContinuousClock.now + patience
        try await self.context.withClient(attemptTimeout: .seconds(1)) { client throws(CommandFailure) in
            var running = started
            let (missing, ended) = await self.missing(of: &running, until: deadline, client)
            if let failed = ended.first { throw CommandFailure(.failure, failed.problem) }
            guard missing.isEmpty else { throw Self.late(missing, patience) }
        }
    }

    /// Waits for an answer of every process that still runs.
    /// - Returns: those that gave none in time, and those that have ended.
    private func missing(
        of running: inout [Started], until deadline: ContinuousClock.Instant, _ client: CoordinatorClient
    ) async -> (missing: [(one: Started, answer: Answer)], ended: [Failed]) {
        var ended: [Failed] = []
        var waiting = running.map(\.node.id)
        while true {
            ended += Self.removeEnded(from: &running)
            var answers: [(one: Started, answer: Answer)] = []
            for one in running where waiting.contains(one.node.id) {
                answers.append((one, await self.answer(one, client)))
            }
            let missing = answers.filter { $0.answer != .own }
            waiting = missing.map(\.one.node.id)
            guard !missing.isEmpty, ContinuousClock.now < deadline else { return (missing, ended) }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Only the process that was started counts: any other may hold the node's address.
    private func answer(_ one: Started, _ client: CoordinatorClient) async -> Answer {
        let status = try? await client.node(at: ClusterContext.address(of: one.node), patience: .zero)
        guard let status else { return .nobody }
        guard self.clusterID == nil || status.clusterID == self.clusterID else {
            return .other("node \(status.node) of another cluster, \(status.clusterID)")
        }
        guard status.node == one.node.id, status.pid == one.child.pid else {
            return .other("node \(status.node) as process \(status.pid)")
        }
        return .own
    }

    /// The cluster of nodes that ran before, by the word of one whose process it certainly is. Their folders aren't looked
    /// into: a process that has only just begun might find its own locked.
    private static func clusterID(of running: [Running], _ client: CoordinatorClient) async -> String? {
        for one in running {
            let status = try? await client.node(at: ClusterContext.address(of: one.node), patience: .zero)
            if let status, status.node == one.node.id, status.pid == one.pid { return status.clusterID }
        }
        return nil
    }

    /// Takes out the processes that have ended.
    private static func removeEnded(from running: inout [Started]) -> [Failed] {
        var failed: [Failed] = []
        running.removeAll { one in
            guard let ending = one.child.ending() else { return false }
            let lines = LogTail.lines(of: one.node.log, behind: one.logStart, count: 10)
            let words = lines.isEmpty ? ["(it said nothing)"] : lines.map(LogTail.readable)
            let text = """
                node \(one.node.id) ended at its start with \(ending); the end of its log \(one.node.log):
                \(words.map { "  " + $0 }.joined(separator: "\n"))
                """
            failed.append(Failed(node: one.node.id, problem: text))
            return true
        }
        return failed
    }

    private static func late(_ missing: [(one: Started, answer: Answer)], _ patience: Duration) -> CommandFailure {
        let names = missing.map { one, answer in
            guard case .other(let who) = answer else { return "\(one.node.id) (log \(one.node.log))" }
            return "\(one.node.id), process \(one.child.pid) (at \(one.node.client) answers \(who))"
        }
        return CommandFailure(
            .noCluster, "no answer in \(patience.shortText) from \(names.joined(separator: ", "))")
    }

    private func leaderless(_ patience: Duration) -> CommandFailure {
        CommandFailure(
            .noCluster, "the nodes answer, but none of them has become leader in \(patience.shortText); see their logs")
    }

    private func foreign(_ other: String, _ own: String) -> CommandFailure {
        CommandFailure(
            .failure,
            "at the addresses of \(self.context.path) answers cluster \(other); the data folders are of \(own)")
    }
}
