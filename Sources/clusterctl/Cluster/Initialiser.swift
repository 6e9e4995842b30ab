// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Raft
import RaftStore
import StateStore
import Transactions

/// Makes the data folders of a cluster's nodes on this machine.
///
/// The folder of a node holds its votes: one that is made anew forgets them. So nothing is written unless every folder that
/// is to be made is missing or empty.
struct Initialiser: Sendable {
    struct Made: Hashable, Sendable, Encodable {
        let node: String
        let data: String
    }

    struct Report: Hashable, Sendable, Encodable {
        let clusterID: String
        let nodes: [Made]
    }

    let context: ClusterContext
    let nodes: [ClusterConfiguration.Node]

    init(_ context: ClusterContext) throws(CommandFailure) {
        self.context = context
        self.nodes = try context.localNodes(named: nil)
    }

    /// Checks everything first, then writes.
    /// - Parameter backup: what the nodes begin with; nil: nothing.
    func run(from backup: StateBackup? = nil) throws(CommandFailure) -> Report {
        let clusterID = try self.clusterID()
        if let backup, backup.identity.clusterID == clusterID.bytes {
            throw CommandFailure(
                .usage,
                """
                the backup is of cluster \(clusterID.hex), the one that id = in \(self.context.path) names; what begins from a \
                backup is another cluster, whose nodes must never meet the old ones: draw a new id with \
                "openssl rand -hex 16", and write the same on each machine
                """)
        }
        try self.checkFolders()
        // Nodes of this machine learn each other's storage ids now, those of other machines when they connect.
        let storageIDs = Dictionary(uniqueKeysWithValues: self.nodes.map { ($0.id, StorageID.random()) })
        let members = self.context.configuration.nodes.map { node in
            Member(nodeID: NodeID(rawValue: node.id), storageID: storageIDs[node.id] ?? .unknown)
        }
        for node in self.nodes {
            do throws(StoreError) {
                try Folders.makeParents(of: node.data)
                try DataFolder.initialise(
                    path: node.data, clusterID: clusterID, nodeID: NodeID(rawValue: node.id),
                    storageID: storageIDs[node.id] ?? .random(), members: members, base: backup?.position ?? .zero,
                    founding: backup?.digest ?? 0
                ) { identity throws(StoreError) in
                    try backup?.restore(to: node.data, as: identity, .restored)
                }
            } catch {
                throw CommandFailure(.failure, "node \(node.id) can't be initialised: \(error.description)")
            }
        }
        return Report(clusterID: clusterID.hex, nodes: self.nodes.map { Made(node: $0.id, data: $0.data) })
    }

    private func clusterID() throws(CommandFailure) -> ClusterID {
        if let id = self.context.configuration.cluster.id { return ClusterID(high: id.high, low: id.low) }
        let elsewhere = self.context.configuration.nodes.filter { !self.nodes.contains($0) }
        guard elsewhere.isEmpty else {
            let names = elsewhere.map(\.id).joined(separator: ", ")
            throw CommandFailure(
                .usage,
                """
                some nodes run on other machines (\(names)), so the id of the cluster must stand in the file, the same on \
                each: draw one with "openssl rand -hex 16" and write it as id = … in [cluster]
                """)
        }
        var generator = SystemRandomNumberGenerator()
        let drawn = ClusterIdentifier.random(using: &generator)
        return ClusterID(high: drawn.high, low: drawn.low)
    }

    private func checkFolders() throws(CommandFailure) {
        var problems: [String] = []
        var missing: [String] = []
        for node in self.nodes {
            // A process that has only just begun hasn't locked its folder, and looking into it might keep it from doing so.
            if let pid = self.context.process(of: node).pid {
                problems.append("\(node.data) is initialised already: node \(node.id) runs on it as process \(pid)")
                continue
            }
            if ClusterRecovery.isCutOff(node) {
                problems.append(
                    "a recovery of \(node.id) was cut off; finish it: clusterctl recover --force-new-cluster \(node.id)"
                )
                continue
            }
            do throws(StoreError) {
                switch try DataFolder.inspect(path: node.data) {
                case .missing, .empty, .unfinished: missing.append(node.id)
                case .foreign(let names):
                    let shown = names.prefix(5).joined(separator: ", ")
                    problems.append("\(node.data), the data folder of \(node.id), holds something else: \(shown)")
                case .initialised(let identity, _, let pid):
                    let process = pid.map { $0 == 0 ? " and is running" : " and runs as process \($0)" } ?? ""
                    problems.append("\(node.data) is initialised already: it is \(identity.name)\(process)")
                }
            } catch {
                problems.append("\(node.data), the data folder of \(node.id): \(error.description)")
            }
        }
        guard problems.isEmpty else {
            var lines = ["nothing was written:"] + problems.map { "  " + $0 }
            if !missing.isEmpty {
                lines.append(
                    """
                      \(missing.joined(separator: ", ")) could be initialised, but all nodes of a machine begin together; \
                    if the others hold nothing that counts, remove their folders first
                    """)
            }
            throw CommandFailure(.failure, lines.joined(separator: "\n"))
        }
    }
}
