// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import CoordinatorClient
import Foundation

/// The cluster that a command is about: its configuration, and which of its nodes run on this machine.
struct ClusterContext: Sendable {
    let configuration: ClusterConfiguration
    /// The file's absolute path.
    let path: String
    /// What stood behind `--set`, for processes that are started.
    let settings: [String]
    let environment: [String: String]
    let machine: Machine

    init(_ options: CommonOptions) throws(CommandFailure) {
        let environment = ProcessInfo.processInfo.environment
        let path = ClusterConfiguration.path(flag: options.config, environment: environment)
        do throws(ConfigurationProblems) {
            self.configuration = try ClusterConfiguration.load(
                path: path, environment: environment, flags: options.settings)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
        self.path = FilePath.join(FileManager.default.currentDirectoryPath, path)
        self.settings = options.settings
        self.environment = environment
        self.machine = .current()
    }

    /// The nodes that run on this machine, in the order of the file.
    var localNodes: [ClusterConfiguration.Node] { self.configuration.localNodes(on: self.machine) }

    /// How many nodes make a majority.
    var majority: Int { self.configuration.nodes.count / 2 + 1 }

    /// The nodes of this machine that a command is about: all, or the one that is named.
    func localNodes(named id: String?) throws(CommandFailure) -> [ClusterConfiguration.Node] {
        guard let id else {
            let local = self.localNodes
            guard !local.isEmpty else {
                throw CommandFailure(.usage, "no node of \(self.path) has an address of this machine")
            }
            return local
        }
        let node = try self.node(id)
        guard self.configuration.isLocal(node, on: self.machine) else {
            throw CommandFailure(.usage, "node \(id) runs on \(node.peer.host), which is not this machine")
        }
        return [node]
    }

    func node(_ id: String) throws(CommandFailure) -> ClusterConfiguration.Node {
        guard let node = self.configuration.node(id) else {
            let names = self.configuration.nodes.map(\.id).joined(separator: ", ")
            throw CommandFailure(.usage, "there is no node \(id) in \(self.path); it has \(names)")
        }
        return node
    }

    static func address(of node: ClusterConfiguration.Node) -> CoordinatorClient.Address {
        CoordinatorClient.Address(host: node.client.host.description, port: node.client.port)
    }

    /// Runs with a client of these nodes (all by default), and closes it.
    func withClient<Result: Sendable>(
        of nodes: [ClusterConfiguration.Node]? = nil, attemptTimeout: Duration? = nil,
        _ body: (CoordinatorClient) async throws(CommandFailure) -> Result
    ) async throws(CommandFailure) -> Result {
        try await self.withClient(
            at: (nodes ?? self.configuration.nodes).map(Self.address), attemptTimeout: attemptTimeout, body)
    }

    /// Runs with a client of these addresses, and closes it.
    func withClient<Result: Sendable>(
        at addresses: [CoordinatorClient.Address], attemptTimeout: Duration?,
        _ body: (CoordinatorClient) async throws(CommandFailure) -> Result
    ) async throws(CommandFailure) -> Result {
        var settings = CoordinatorClient.Configuration()
        if let attemptTimeout { settings.attemptTimeout = attemptTimeout }
        let client = CoordinatorClient(addresses: addresses, configuration: settings)
        do throws(CommandFailure) {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }
}
