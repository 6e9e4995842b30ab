// SPDX-License-Identifier: Apache-2.0

package import ClusterConfiguration
package import CoordinatorClient

/// The cluster as its nodes describe it, each by its own word.
package struct ClusterView: Sendable {
    package struct Row: Sendable, Encodable {
        package let node: String
        /// `down` if the node doesn't answer.
        package let role: String
        package let term: UInt64?
        package let commitIndex: UInt64?
        package let appliedIndex: UInt64?
        /// Entries that it is behind the leader.
        package let lag: UInt64?
        package let liveTransactions: Int?
        /// The format that the cluster uses, as far as the node has applied it, and the newest that the node knows.
        package let format: Int?
        package let knownFormat: Int?
        package let pid: Int32?
        package let since: Timestamp?
        package let client: String
        /// Why it has no answer, or that it isn't the node that it should be.
        package let problem: String?
    }

    package let clusterID: String?
    /// The leader with the highest term that says so itself.
    package let leader: String?
    package let term: UInt64?
    package let rows: [Row]

    /// Asks all nodes at once. None is waited for longer than the client's attempt takes.
    init(of context: ClusterContext, with client: CoordinatorClient) async {
        let nodes = context.configuration.nodes
        let answers = await withTaskGroup(of: (String, Result<NodeStatus, CoordinatorClientError>).self) { group in
            for node in nodes {
                group.addTask {
                    do throws(CoordinatorClientError) {
                        return (
                            node.id,
                            .success(try await client.node(at: ClusterContext.address(of: node), patience: .zero))
                        )
                    } catch {
                        return (node.id, .failure(error))
                    }
                }
            }
            var answers: [String: Result<NodeStatus, CoordinatorClientError>] = [:]
            for await (id, answer) in group { answers[id] = answer }
            return answers
        }
        // The folder of a node that answers is locked by it, so that nothing but its first lines is looked at.
        var clusterIDs: [String: String] = [:]
        for node in context.localNodes {
            guard case .success? = answers[node.id] else { continue }
            clusterIDs[node.id] = NodeFolder.clusterID(of: node)
        }
        self.init(nodes: nodes, answers: answers, clusterIDs: clusterIDs)
    }

    /// - Parameter clusterIDs: for each node whose data folder is at hand, the cluster that this belongs to. Whoever
    ///   answers for a node with another one isn't it.
    package init(
        nodes: [ClusterConfiguration.Node], answers: [String: Result<NodeStatus, CoordinatorClientError>],
        clusterIDs: [String: String] = [:]
    ) {
        let heard = nodes.compactMap { node -> NodeStatus? in
            guard let status = try? answers[node.id]?.get() else { return nil }
            return status.clusterID == clusterIDs[node.id] ?? status.clusterID ? status : nil
        }
        let leader = heard.filter { $0.role == .leader }.max { $0.term < $1.term }
        self.clusterID = heard.first?.clusterID
        self.leader = leader?.node
        self.term = heard.map(\.term).max()
        self.rows = nodes.map { Self.row(of: $0, answers[$0.id], leader: leader, clusterID: clusterIDs[$0.id]) }
    }

    private static func row(
        of node: ClusterConfiguration.Node, _ answer: Result<NodeStatus, CoordinatorClientError>?, leader: NodeStatus?,
        clusterID: String?
    ) -> Row {
        switch answer {
        case .success(let status) where status.clusterID != clusterID ?? status.clusterID:
            return Self.down(
                node,
                """
                at \(node.client) answers node \(status.node) of another cluster, \(status.clusterID); the data folder \
                is of cluster \(clusterID ?? "")
                """)
        case .success(let status):
            let problem = status.node == node.id ? nil : "node \(status.node) answers at \(node.client)"
            // A leader that was deposed and hasn't heard of it leads nobody.
            let isOld = status.role == .leader && status.term < (leader?.term ?? 0)
            let lag = leader.map { $0.lastIndex > status.lastIndex ? $0.lastIndex - status.lastIndex : 0 }
            return Row(
                node: node.id, role: isOld ? "deposed" : status.role.rawValue, term: status.term,
                commitIndex: status.commitIndex, appliedIndex: status.appliedIndex, lag: lag,
                liveTransactions: status.liveTransactions, format: status.format, knownFormat: status.knownFormat,
                pid: status.pid, since: status.since,
                client: "\(node.client)", problem: problem)
        case .failure(let error): return Self.down(node, error.detail)
        case nil: return Self.down(node, "was not asked")
        }
    }

    private static func down(_ node: ClusterConfiguration.Node, _ problem: String) -> Row {
        Row(
            node: node.id, role: "down", term: nil, commitIndex: nil, appliedIndex: nil, lag: nil,
            liveTransactions: nil, format: nil, knownFormat: nil, pid: nil, since: nil, client: "\(node.client)",
            problem: problem)
    }

    /// What to say about formats, if not all is as usual: somebody knows a newer one than the cluster uses.
    package var formatNote: String? {
        guard let used = self.rows.compactMap(\.format).max() else { return nil }
        let newer = self.rows.filter { ($0.knownFormat ?? 0) > used }
        guard !newer.isEmpty else { return nil }
        let old = self.rows.filter { ($0.knownFormat ?? 0) <= used }.map(\.node).joined(separator: ", ")
        return """
            the cluster uses format \(used), though \(newer.map(\.node).joined(separator: ", ")) would know a newer one: \
            \(old.isEmpty ? "the leader is about to raise it" : "\(old) must be upgraded, or reachable, first")
            """
    }

    /// One line for each node.
    package func table(age: (Timestamp) -> Duration) -> Table {
        var table = Table(
            .text("NODE"), .text("ROLE"), .number("TERM"), .number("COMMIT"), .number("APPLIED"), .number("LAG"),
            .number("LIVE"), .text("SINCE"), .text("CLIENTS"))
        func text(_ value: (some CustomStringConvertible)?) -> String { value.map { "\($0)" } ?? "-" }
        for row in self.rows {
            table.add(
                row.node, row.role, text(row.term), text(row.commitIndex), text(row.appliedIndex), text(row.lag),
                text(row.liveTransactions), row.since.map { age($0).shortText } ?? "-", row.client)
        }
        return table
    }
}
