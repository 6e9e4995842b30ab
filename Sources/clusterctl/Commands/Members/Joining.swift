// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient
import Glibc
import Raft
import RaftStore

extension Members {
    struct Add: ClusterCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a node of this machine join: its folder, its process, its place in the log, its vote.",
            discussion: """
                Makes the node's data folder, starts it, has the cluster send it the log, and makes it a voter once it has
                caught up. The file needs a [node …] section of it. What was cut off is taken up where it stopped.

                EXAMPLES
                  clusterctl members add n4
                  clusterctl members add n4 --join 10.0.0.1:7401
                  clusterctl members add n4 --learner
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var cluster: MembersOptions
        @Argument(help: "The node.") var node: String
        @Flag(name: .long, help: "Leave it without a vote.") var learner = false

        func run() async throws {
            let desk = try MembersDesk(self.common, self.cluster)
            let joining = try Joining(self.node, desk)
            try desk.show(
                try await desk.withClient(without: self.node) { client throws(CommandFailure) in
                    try await joining.run(client, isVoter: !self.learner)
                })
        }
    }

    struct Replace: ClusterCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a member whose disk was lost or is damaged join anew, under a new storage id.",
            discussion: """
                What it promised on the lost disk is not to be believed any more: so it is removed first, and comes back as a
                learner and then as a voter. What is left of its folder is kept beside it, under another name.

                EXAMPLES
                  clusterctl members replace n3
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var cluster: MembersOptions
        @Argument(help: "The member.") var node: String

        func run() async throws {
            let desk = try MembersDesk(self.common, self.cluster)
            let joining = try Joining(self.node, desk)
            try desk.show(
                try await desk.withClient(without: self.node) { client throws(CommandFailure) in
                    try await joining.replace(client)
                })
        }
    }
}

/// A node of this machine on its way into a cluster. Every step looks first whether it was made already.
struct Joining: Sendable {
    private let node: ClusterConfiguration.Node
    private let desk: MembersDesk

    init(_ id: String, _ desk: MembersDesk) throws(CommandFailure) {
        self.desk = desk
        self.node = try desk.context.localNodes(named: id)[0]
    }

    func run(_ client: CoordinatorClient, isVoter: Bool) async throws(CommandFailure) -> ClusterMembers {
        let clusterID = try await self.clusterID(client)
        let before = try await self.desk.members(client)
        let storageID = try await self.desk.context.exclusively(self.desk.output) { () throws(CommandFailure) in
            try self.folder(clusterID, before)
        }
        try await self.start(clusterID)
        var members = before
        if before.member(self.node.id) == nil {
            try await self.checkFormat(client)
            members = try await self.desk.change(
                .add(
                    id: self.node.id, storageID: storageID.hexadecimal, peerAddress: "\(self.node.peer)",
                    clientAddress: "\(self.node.client)"), client
            ) { $0.member(self.node.id) != nil }
            self.desk.output.line("Node \(self.node.id) gets the log, without a vote.")
        }
        return isVoter ? try await self.desk.promote(self.node.id, client) : members
    }

    func replace(_ client: CoordinatorClient) async throws(CommandFailure) -> ClusterMembers {
        let id = self.node.id
        if let pid = self.desk.context.process(of: self.node).pid {
            throw CommandFailure(
                .usage, "node \(id) runs as process \(pid): it isn't lost (clusterctl stop --node \(id) stops it)")
        }
        let members = try await self.desk.members(client)
        if let member = members.member(id) {
            // The folder of a replacement that was cut off: it has joined already.
            guard member.standing == "voter" || member.storageID != self.storageIDOnDisk?.hexadecimal else {
                return try await self.run(client, isVoter: true)
            }
            _ = try await self.desk.remove(id, client)
            self.desk.output.line("Node \(id) with data folder \(member.storageID ?? "(unknown)") is removed.")
            try await self.desk.context.exclusively(self.desk.output) { () throws(CommandFailure) in
                try self.putAside(storageID: member.storageID ?? "unknown")
            }
        }
        return try await self.run(client, isVoter: true)
    }

    // MARK: The folder

    private var storageIDOnDisk: StorageID? {
        guard case .initialised(let identity, _, _)? = try? DataFolder.inspect(path: self.node.data) else { return nil }
        return identity.storageID
    }

    /// Makes the node's folder, or finds the one that an earlier attempt made.
    private func folder(_ clusterID: ClusterID, _ members: ClusterMembers) throws(CommandFailure) -> StorageID {
        let known = members.member(self.node.id)
        let state: DataFolder.State
        do throws(StoreError) {
            state = try DataFolder.inspect(path: self.node.data)
        } catch {
            throw CommandFailure(
                .failure, "\(self.node.data), the data folder of \(self.node.id): \(error.description)")
        }
        switch state {
        case .initialised(let identity, _, let pid):
            guard !self.wasRemoved(isMember: known != nil, isRunning: pid != nil) else {
                throw CommandFailure(
                    .usage,
                    """
                    \(self.node.data) is of a node that was removed from the cluster; delete it or move it away, and add \
                    \(self.node.id) again
                    """)
            }
            let isOwn = identity.clusterID == clusterID && identity.nodeID.rawValue == self.node.id
            guard isOwn, known == nil || known?.storageID == identity.storageID.hexadecimal else {
                throw CommandFailure(
                    .usage,
                    """
                    \(self.node.data) holds \(identity.name) with storage id \(identity.storageID.hexadecimal)\
                    \(known.map { ", but the member has \($0.storageID ?? "none that is known")" } ?? "")
                    """)
            }
            return identity.storageID
        case .foreign(let names):
            throw CommandFailure(
                .usage, "\(self.node.data) holds something else: \(names.prefix(5).joined(separator: ", "))")
        case .missing, .empty, .unfinished:
            guard known == nil else {
                throw CommandFailure(
                    .usage,
                    """
                    \(self.node.id) is a member already, and its data folder \(self.node.data) is gone: clusterctl members \
                    replace \(self.node.id)
                    """)
            }
            return try self.makeFolder(clusterID, members)
        }
    }

    /// Whether the folder is of an earlier life as a member. A node that was down when it was removed hasn't noted that; but
    /// its log holds what only a member gets.
    private func wasRemoved(isMember: Bool, isRunning: Bool) -> Bool {
        if DataFolder.removedAt(path: self.node.data) != nil { return true }
        guard !isMember, !isRunning, let reader = try? OfflineLogReader(path: self.node.data) else { return false }
        return reader.lastIndex > .zero || reader.members.contains { $0.nodeID.rawValue == self.node.id }
    }

    private func makeFolder(_ clusterID: ClusterID, _ members: ClusterMembers) throws(CommandFailure) -> StorageID {
        let storageID = StorageID.random()
        do throws(StoreError) {
            try Folders.makeParents(of: self.node.data)
            try DataFolder.initialise(
                path: self.node.data, clusterID: clusterID, nodeID: NodeID(rawValue: self.node.id),
                storageID: storageID,
                members: members.members.map { member in
                    Member(
                        nodeID: NodeID(rawValue: member.id),
                        storageID: member.storageID.flatMap { UInt64($0, radix: 16) }.map(StorageID.init) ?? .unknown,
                        peerAddress: member.peerAddress, clientAddress: member.clientAddress)
                }, isJoining: true)
        } catch {
            throw CommandFailure(.failure, "node \(self.node.id) can't be initialised: \(error.description)")
        }
        return storageID
    }

    private func putAside(storageID: String) throws(CommandFailure) {
        let data = self.node.data
        guard access(data, F_OK) == 0 else { return }
        let aside = "\(data).lost-\(storageID)"
        guard rename(data, aside) == 0 else {
            throw CommandFailure(
                .failure, "\(data) can't be renamed to \(aside): \(String(cString: strerror(errno)))")
        }
        self.desk.output.line("What is left of its folder is \(aside) now.")
    }

    // MARK: The process

    /// Whoever doesn't know what the cluster uses would end as soon as it is a member.
    private func checkFormat(_ client: CoordinatorClient) async throws(CommandFailure) {
        let known: Int?
        var used: Int?
        do throws(CoordinatorClientError) {
            known = try await client.node(at: ClusterContext.address(of: self.node)).knownFormat
            for node in self.desk.context.configuration.nodes where node.id != self.node.id {
                // One node that answers and isn't behind is enough; the others are asked in case it is.
                guard let status = try? await client.node(at: ClusterContext.address(of: node), patience: .zero)
                else { continue }
                used = max(used ?? 0, status.format ?? 0)
            }
        } catch {
            throw CommandFailure(error)
        }
        guard let known, let used, known < used else { return }
        throw CommandFailure(
            .failure,
            """
            the cluster uses format \(used), and node \(self.node.id) runs a program that knows formats up to \(known): \
            install the version that the others run, stop the node, and add it again
            """)
    }

    private func clusterID(_ client: CoordinatorClient) async throws(CommandFailure) -> ClusterID {
        let text: String
        do throws(CoordinatorClientError) {
            text = try await client.cluster().clusterID
        } catch {
            throw CommandFailure(error)
        }
        guard let id = ClusterIdentifier(text: text) else {
            throw CommandFailure(.failure, "the cluster gives an id that can't be read: '\(text)'")
        }
        let found = ClusterID(high: id.high, low: id.low)
        if let own = self.desk.context.configuration.cluster.id, ClusterID(high: own.high, low: own.low) != found {
            throw CommandFailure(
                .usage,
                "the file names cluster \(ClusterID(high: own.high, low: own.low).hex), but \(found.hex) answers")
        }
        return found
    }

    /// Starts the node unless it runs, and waits until it answers.
    private func start(_ clusterID: ClusterID) async throws(CommandFailure) {
        let node = self.node
        let context = self.desk.context
        guard context.process(of: node).pid == nil else { return }
        let starter = NodeStarter(context: context, clusterID: clusterID.hex)
        let begun = try await context.exclusively(self.desk.output) { () throws(CommandFailure) in
            try starter.start([node])
        }
        if let failed = begun.failed.first { throw CommandFailure(.failure, failed.problem) }
        try await starter.waitForAnswers(of: begun.started, atMost: self.desk.patience)
        for one in begun.started {
            self.desk.output.line("Started node \(node.id) as process \(one.child.pid).")
        }
    }
}

extension StorageID {
    /// 16 hexadecimal digits, as the API writes it.
    fileprivate var hexadecimal: String {
        let digits = String(self.rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
