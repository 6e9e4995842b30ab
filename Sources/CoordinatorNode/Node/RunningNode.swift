// SPDX-License-Identifier: Apache-2.0

import Bytes
import ClusterConfiguration
import Logging
import NIOCore
import NIOPosix
import PeerTransport
import Raft
import RaftStore
import StateStore
import Transactions

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The parts of a node that runs, and the order in which they come and go.
struct RunningNode: Sendable {
    private let loop: any EventLoop
    private let driver: NIOLoopBound<NodeDriver>
    private let driverSlot: NIOLoopBoundBox<NodeDriver?>
    private let branch: HTTPBranch
    private let http: HTTPService<NativeAPI>
    private let logWriter: LogWriter
    private let stateWriter: StateWriter
    private let scrub: ArchiveScrub
    private let pidFile: PidFile
    private let drainGrace: TimeAmount
    private let logger: Logger

    /// Puts the parts together, listens for the peers, and lets the driver begin.
    static func start(
        node: ClusterConfiguration.Node, configuration: ClusterConfiguration, loop: any EventLoop,
        edge: any EventLoopGroup, version: String, known: FormatLevel, logger: Logger, endings: NodeEndings
    ) async throws -> RunningNode {
        let log = try RecoveredNode.openLog(of: node, in: configuration)
        if let loss = log.loss {
            logger.error(
                """
                The log is rotten: what stood behind the harm is fetched from the other nodes, and until all of it is back \
                this node has no vote. The damaged file is kept
                """,
                metadata: [
                    LogKey.path: "\(loss.kept)", LogKey.index: "\(loss.through)", LogKey.reason: "\(loss.description)",
                ])
        }
        var found = try RecoveredNode(log: log, of: node, in: configuration, known: known)
        let state = try found.recoverState(logger: logger)
        try found.finishInstall(in: log, logger: logger)
        let recovered = found
        let (statePath, stateIdentity) = (recovered.statePath, recovered.stateIdentity)
        let stateFailed: @Sendable (StateStoreError) -> Never = { error in
            // Without the note the next start would only find the rot again. Whoever can't write it is stopped anyway.
            if case .rot = error { try? RotNote.write(error, statePath: statePath) }
            endings.fatal("\(error)")
        }
        let archive: ArchiveReader
        let lists: ArchiveReader
        let payloads: ArchiveReader
        do {
            archive = try ArchiveReader(path: statePath, identity: stateIdentity, onFailure: stateFailed)
            lists = try ArchiveReader(path: statePath, identity: stateIdentity, onFailure: stateFailed)
            payloads = try ArchiveReader(path: statePath, identity: stateIdentity, onFailure: stateFailed)
        } catch {
            throw NodeError.state(error)
        }
        // Only now, since the folder's lock says that no other process runs on it.
        let pidFile = try PidFile(folder: node.data)
        logger.info(
            "Recovered",
            metadata: [
                LogKey.cluster: "\(recovered.identity.cluster.hexadecimal)", LogKey.path: "\(node.data)",
                LogKey.term: "\(recovered.log.hardState.currentTerm)", LogKey.index: "\(recovered.log.lastIndex)",
                LogKey.applied: "\(recovered.applied.index)", LogKey.live: "\(recovered.machine.liveCount)",
            ])
        // The loop learns of the driver only after the disk's threads, which speak to it, are there.
        let driverSlot = NIOLoopBoundBox<NodeDriver?>.makeEmptyBox(valueType: NodeDriver.self, eventLoop: loop)
        let logWriter = try LogWriter(
            log, settings: LogWriter.Settings(walBound: node.walCheckpoint),
            onPersisted: { sequence in loop.execute { driverSlot.value?.persisted(through: sequence) } },
            onFull: { isFull in loop.execute { driverSlot.value?.diskFull(isFull) } },
            onFatal: { endings.fatal("\($0)") })
        let stateWriter = StateWriter(state)
        let targets = configuration.targets(on: .current())
        let branch = HTTPBranch(
            eventLoop: loop,
            configuration: HTTPBranchConfiguration(
                clusterID: recovered.identity.cluster.hexadecimal, callTimeout: TimeAmount(configuration.calls.timeout),
                maximumAnswerBytes: configuration.calls.maximumAnswer,
                idleConnections: configuration.limits.callsInFlight),
            allow: targets)
        let board = StatusBoard(
            fixed: .starting(
                cluster: recovered.identity.cluster, node: node.id, processID: getpid(), now: .now, version: version))
        let mailbox = LoopMailbox<ClientRequest> { loop.execute { driverSlot.value?.scheduleTurn() } }

        let parts = NodeDriver.Parts(
            recovered: recovered, archive: archive, lists: lists, payloads: payloads, stateWriter: stateWriter,
            logWriter: logWriter,
            branch: branch,
            mailbox: mailbox, board: board, configuration: configuration, logger: logger,
            fatal: endings.fatal, stateFailed: stateFailed,
            outdated: { used in endings.outdated("\(NodeError.outdated(uses: used, knows: known))") },
            onRemoved: { index in
                // A file is written: not on the loop.
                NIOThreadPool.singleton.submit { _ in
                    do {
                        try DataFolder.noteRemoved(path: node.data, at: index.rawValue)
                    } catch {
                        logger.error("The removal can't be noted", metadata: [LogKey.reason: "\(error)"])
                    }
                    endings.onRemoved()
                }
            })
        let (driver, listening) = try await loop.submit {
            let driver = NodeDriver(parts, on: loop)
            driverSlot.value = driver
            let listening = driver.transport.start(host: node.peer.host.connectable, port: node.peer.port)
            return (NIOLoopBound(driver, eventLoop: loop), listening)
        }.get()
        do {
            try await listening.get()
        } catch {
            await branch.shutDown()
            logWriter.close()
            pidFile.remove()
            throw error
        }
        try await loop.submit { driver.value.start() }.get()
        let scrub = ArchiveScrub(
            path: statePath, identity: stateIdentity,
            onPass: { rows in
                logger.info("The archive was read and is whole", metadata: [LogKey.rows: "\(rows)"])
            },
            onRot: { stateFailed($0) })
        scrub.start()

        let coordinator = NodeCoordinator(mailbox: mailbox, board: board, archive: lists)
        var limits = APILimits()
        limits.bodyBytes = configuration.limits.maximumBody
        limits.connections = configuration.limits.maximumConnections
        limits.requests = configuration.limits.maximumWaitingRequests
        let api = NativeAPI(
            coordinator: coordinator,
            gids: GidGenerator(now: { LogTime.now.rawValue }, random: SystemRandomNumberGenerator()),
            targets: targets, limits: limits, logger: logger)
        let http = HTTPService(
            responder: api, host: node.client.host.connectable, port: node.client.port, limits: limits,
            eventLoopGroup: edge, logger: logger
        ) { port in
            logger.info("Listening for clients", metadata: [LogKey.address: "\(node.client.host):\(port)"])
        }
        return RunningNode(
            loop: loop, driver: driver, driverSlot: driverSlot, branch: branch, http: http, logWriter: logWriter,
            stateWriter: stateWriter, scrub: scrub,
            pidFile: pidFile, drainGrace: TimeAmount(configuration.timing.stopGrace), logger: logger)
    }

    /// Serves clients until the process is asked to stop.
    func serve() async throws { try await self.http.run() }

    /// Takes nothing new from clients; what is under way may end.
    func drain() {
        let driver = self.driver
        self.loop.execute { driver.value.drain() }
    }

    /// Lets what is under way end, for a bounded time; then everything goes, the log last.
    func stop() async {
        let driver = self.driver
        let grace = self.drainGrace
        do {
            // The others needn't wait for an election.
            try await self.loop.flatSubmit { driver.value.handOverBeforeStop() }.get()
            try await self.loop.flatSubmit { driver.value.drained(within: grace) }.get()
            try await self.loop.flatSubmit { driver.value.stop() }.get()
            await self.branch.shutDown()
        } catch {
            self.logger.error("Stopping went wrong", metadata: [LogKey.reason: "\(error)"])
        }
        self.scrub.stop()
        // While the state's disk has no room the sync would wait; the log replays what the state lacks.
        if self.stateWriter.failure == nil {
            await withCheckedContinuation { continuation in
                self.stateWriter.sync { _ in continuation.resume() }
            }
        }
        self.logWriter.close()
        let slot = self.driverSlot
        self.loop.execute { slot.value = nil }
        self.pidFile.remove()
    }
}

extension NodeStatus {
    /// What never changes in one life of the process.
    fileprivate static func starting(
        cluster: ClusterID, node: String, processID: Int32, now: LogTime, version: String
    ) -> NodeStatus {
        NodeStatus(
            clusterID: cluster.hexadecimal, node: node, processID: processID, role: .follower, term: 0, leader: nil,
            commitIndex: 0, appliedIndex: 0, lastIndex: 0, durableIndex: 0, liveTransactions: 0, since: now.rawValue,
            startedAt: now.rawValue, version: version)
    }
}
