// SPDX-License-Identifier: Apache-2.0

package import Bytes
package import ClusterConfiguration
package import Logging
import NIOCore
import NIOPosix
import PeerTransport
import Raft
import RaftStore
import ServiceLifecycle
import StateStore
import Transactions

/// One node of the cluster: its disk, its peers, its clients and its calls to participants, wired together.
///
/// One event loop carries the driver, the peers and the executor; another group carries clients' requests and branch
/// calls; the log and the applied state each have a thread of their own. Threads are crossed once a batch.
package struct CoordinatorNode: Service {
    private let configuration: ClusterConfiguration
    private let node: ClusterConfiguration.Node
    private let logger: Logger
    private let version: String
    private let known: FormatLevel
    private let endings: NodeEndings

    /// - Parameters:
    ///   - name: which node of the configuration this is.
    ///   - known: the newest format that it knows.
    package init(
        _ name: String, in configuration: ClusterConfiguration, version: String, known: FormatLevel = .newest,
        logger: Logger, endings: NodeEndings
    ) throws(NodeError) {
        guard let node = configuration.node(name) else {
            throw .unknownNode(name, known: configuration.nodes.map(\.id))
        }
        self.node = node
        self.configuration = configuration
        self.version = version
        var logger = logger
        logger[metadataKey: LogKey.node] = "\(name)"
        self.logger = logger
        self.known = known
        self.endings = endings
    }

    /// Runs until the process is asked to stop: then takes nothing more, lets what is under way end, puts applied state on
    /// the disk, closes its connections, and returns.
    ///
    /// - Throws: `NodeError`, `TransportError` or `HTTPServiceError` if the node can't start.
    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let edge = MultiThreadedEventLoopGroup(numberOfThreads: max(1, min(4, System.coreCount / 2)))
        let running = try await RunningNode.start(
            node: self.node, configuration: self.configuration, loop: group.next(), edge: edge,
            version: self.version, known: self.known, logger: self.logger, endings: self.endings)
        do {
            try await withGracefulShutdownHandler {
                try await running.serve()
            } onGracefulShutdown: {
                running.drain()
            }
        } catch {
            await running.stop()
            throw error
        }
        await running.stop()
        try await edge.shutdownGracefully()
        try await group.shutdownGracefully()
        self.logger.info("Stopped")
    }
}
