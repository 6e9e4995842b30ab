// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorClient

/// Where changes of the members are asked for, and waited for.
struct MembersDesk: Sendable {
    let context: ClusterContext
    let output: Output
    let patience: Duration
    /// A node that serves beside those of the file.
    private let join: CoordinatorClient.Address?

    /// A change takes two entries on a majority's disks, and up to 10 s in a cluster that is busy or in trouble.
    private static let attemptTimeout = Duration.seconds(12)

    init(_ options: CommonOptions, _ cluster: MembersOptions) throws(CommandFailure) {
        self.context = try ClusterContext(options)
        self.output = options.output
        self.patience = cluster.timeout.duration
        if let text = cluster.join {
            guard let endpoint = Endpoint(text) else {
                throw CommandFailure(.usage, "--join takes host:port, not '\(text)'")
            }
            self.join = CoordinatorClient.Address(host: endpoint.host.description, port: endpoint.port)
        } else {
            self.join = nil
        }
    }

    /// Runs with a client of the whole cluster but one node, which may not serve yet or any more.
    func withClient<Result: Sendable>(
        without node: String? = nil, _ body: (CoordinatorClient) async throws(CommandFailure) -> Result
    ) async throws(CommandFailure) -> Result {
        let others = self.context.configuration.nodes.filter { $0.id != node }.map(ClusterContext.address)
        let addresses = (self.join.map { [$0] } ?? []) + others
        guard !addresses.isEmpty else {
            throw CommandFailure(
                .usage, "\(self.context.path) names no other node of the cluster: say with --join where one serves")
        }
        return try await self.context.withClient(at: addresses, attemptTimeout: Self.attemptTimeout, body)
    }

    func members(_ client: CoordinatorClient) async throws(CommandFailure) -> ClusterMembers {
        do throws(CoordinatorClientError) {
            return try await client.members()
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Makes a change. What isn't possible yet is tried again until the patience ends; what may have been made already is
    /// looked for.
    /// - Parameter isDone: whether the members are as they should be.
    func change(
        _ change: MembersChange, _ client: CoordinatorClient, until isDone: (ClusterMembers) -> Bool
    ) async throws(CommandFailure) -> ClusterMembers {
        let deadline = ContinuousClock.now + self.patience
        while true {
            let failure: CoordinatorClientError
            do throws(CoordinatorClientError) {
                let members = try await client.changeMembers(change, patience: self.patience)
                if isDone(members) { return members }
                break
            } catch {
                failure = error
            }
            let isOpen = failure.code == .outcomeUnknown || failure.problem?.code == "not-possible"
            guard isOpen else { throw CommandFailure(failure) }
            if let members = try? await client.members(), members.settled, isDone(members) { return members }
            guard ContinuousClock.now < deadline else { throw CommandFailure(failure) }
            try? await Task.sleep(for: .milliseconds(50))
        }
        throw CommandFailure(
            .failure, "the change was made, and taken back by somebody else; see clusterctl members list")
    }

    func promote(_ node: String, _ client: CoordinatorClient) async throws(CommandFailure) -> ClusterMembers {
        let members = try await self.members(client)
        guard let member = members.member(node) else { throw Self.noMember(node, members) }
        guard member.standing != "voter" else { return members }
        return try await self.change(.change(promote: [node], remove: []), client) {
            $0.member(node)?.standing == "voter"
        }
    }

    func remove(_ node: String, _ client: CoordinatorClient) async throws(CommandFailure) -> ClusterMembers {
        let members = try await self.members(client)
        guard members.member(node) != nil else { throw Self.noMember(node, members) }
        return try await self.change(.change(promote: [], remove: [node]), client) { $0.member(node) == nil }
    }

    /// A removed node's process on this machine ends by itself once it hears of it.
    func waitForEnd(of node: ClusterConfiguration.Node) async {
        guard self.context.configuration.isLocal(node, on: self.context.machine) else { return }
        let deadline = ContinuousClock.now + .seconds(15)
        while let pid = self.context.process(of: node).pid {
            guard ContinuousClock.now < deadline else {
                return self.output.note(
                    "Node \(node.id) still runs as process \(pid); clusterctl stop --node \(node.id) ends it.")
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    func show(_ members: ClusterMembers) throws {
        try self.output.result(members) {
            var table = Table(.text("NODE"), .text("STANDING"), .text("STORAGE"), .text("PEERS"), .text("CLIENTS"))
            for member in members.members {
                table.add(
                    member.id, member.standing, member.storageID ?? "-", member.peerAddress, member.clientAddress)
            }
            let change = members.settled ? "" : " A change is under way."
            return "Node \(members.leader) leads in term \(members.term).\(change)\n\n\(table.text)"
        }
    }

    private static func noMember(_ node: String, _ members: ClusterMembers) -> CommandFailure {
        let names = members.members.map(\.id).joined(separator: ", ")
        return CommandFailure(.usage, "\(node) is no member of the cluster; it has \(names)")
    }
}

extension ClusterMembers {
    func member(_ id: String) -> Member? { self.members.first { $0.id == id } }
}
