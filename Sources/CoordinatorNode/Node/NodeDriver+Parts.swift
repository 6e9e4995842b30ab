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

extension NodeDriver {
    /// What a driver is made of, gathered on any thread.
    struct Parts: Sendable {
        let recovered: RecoveredNode
        let archive: ArchiveReader
        /// For lists, on other threads.
        let lists: ArchiveReader
        /// For payloads that aren't in memory, on other threads.
        let payloads: ArchiveReader
        let stateWriter: StateWriter
        let logWriter: LogWriter
        let branch: any BranchTransport
        let mailbox: LoopMailbox<ClientRequest>
        let board: StatusBoard
        let configuration: ClusterConfiguration
        let logger: Logger
        let fatal: @Sendable (String) -> Never
        /// The same for the applied state, with a note of rot for the next start.
        let stateFailed: @Sendable (StateStoreError) -> Never
        /// Ends the process: the cluster uses a format that this program doesn't know.
        let outdated: @Sendable (FormatLevel) -> Never
        let onRemoved: @Sendable (LogIndex) -> Void
    }

    /// Puts the driver together on its loop, with its transport and its executor.
    convenience init(_ parts: Parts, on loop: any EventLoop) {
        let configuration = parts.configuration
        let recovered = parts.recovered
        var raft = RaftConfiguration(nodeID: recovered.identity.node, voters: [])
        raft.storageID = recovered.identity.storage
        raft.isFounder = recovered.identity.founding != nil
        raft.heartbeatInterval = configuration.timing.heartbeat.wholeNanoseconds
        let shortest = configuration.timing.electionTimeoutMinimum.wholeNanoseconds
        raft.electionTimeout = shortest...max(shortest, configuration.timing.electionTimeoutMaximum.wholeNanoseconds)
        raft.maximumUncommittedBytes = configuration.limits.maximumUncommitted
        raft.retainedLogBytes = configuration.limits.retainedLog
        let clock = NodeClock.system
        let core = RaftCore(
            configuration: raft, recovered: recovered.log,
            appliedIndex: recovered.lacksState ? nil : recovered.applied.index,
            seed: .random(in: .min ... .max), now: clock.monotonic())
        let fatal = parts.fatal
        let applier = Applier(
            machine: recovered.machine, applied: recovered.applied, archive: parts.archive, writer: parts.stateWriter,
            logger: parts.logger, known: recovered.identity.knows, fatal: parts.stateFailed,
            outdated: parts.outdated)
        // It learns of its peers with the first turn, when the core says who takes part.
        let transport = PeerTransport(
            loop: loop, identity: recovered.identity, members: [:], directory: MemberDirectory([:]),
            seed: .random(in: .min ... .max), logger: parts.logger)
        self.init(
            loop: loop, identity: recovered.identity, learnedStorage: recovered.learnedStorage,
            addresses: recovered.addresses,
            core: core, applier: applier, log: parts.logWriter, transport: transport,
            snapshots: SnapshotKeeper(
                statePath: recovered.statePath, identity: recovered.stateIdentity, known: recovered.identity.knows),
            stateIdentity: recovered.stateIdentity,
            reopenReaders: {
                do throws(StateStoreError) {
                    for reader in [parts.archive, parts.lists, parts.payloads] { try reader.reopen() }
                } catch {
                    parts.stateFailed(error)
                }
            }, stateFailed: parts.stateFailed, outdated: parts.outdated, mailbox: parts.mailbox,
            board: parts.board, settings: DriverSettings(configuration), clock: clock, logger: parts.logger)
        transport.delegate = self
        let logWriter = parts.logWriter
        let bound = NIOLoopBound(self, eventLoop: loop)
        self.onLearned = { storage, node in
            logWriter.recordStorageID(storage, of: node) { result in
                switch result {
                case .success: loop.execute { bound.value.proven(node) }
                case .failure(let error): fatal("\(error)")
                }
            }
        }
        self.onRemoved = parts.onRemoved
        self.membersChanged()
        self.executor = self.makeExecutor(parts, on: loop)
    }

    private func makeExecutor(_ parts: Parts, on loop: any EventLoop) -> Executor {
        let configuration = parts.configuration
        let stateFailed = parts.stateFailed
        return Executor(
            eventLoop: loop, transport: parts.branch,
            configuration: CallScheduleConfiguration(
                backoff: Backoff(
                    baseMilliseconds: configuration.calls.retryBase.wholeMilliseconds,
                    capMilliseconds: configuration.calls.retryCap.wholeMilliseconds),
                callsPerTarget: configuration.limits.callWindow, callsInTotal: configuration.limits.callsInFlight),
            seed: .random(in: .min ... .max), logger: parts.logger,
            payloads: { call, done in
                NIOThreadPool.singleton.submit { _ in
                    do throws(StateStoreError) {
                        done(try parts.payloads.payload(of: call.gid, branch: call.branchID))
                    } catch {
                        switch error {
                        case .sqlite, .rot: stateFailed(error)
                        case _:
                            parts.logger.warning(
                                "A payload can't be read now", metadata: [LogKey.reason: "\(error)"])
                            done(nil)
                        }
                    }
                }
            },
            wallClock: { [unowned self] in self.logTime() },
            propose: { [unowned self] commands in
                guard self.isExecuting else { return }
                self.queue.append(contentsOf: commands.map { ($0, .nobody) })
                self.scheduleTurn()
            })
    }
}

extension LogWriter: DurableLog {}

extension DriverSettings {
    init(_ configuration: ClusterConfiguration) {
        self.leaderWait = TimeAmount(configuration.timing.leaderWait)
        self.maximumWaitingRequests = configuration.limits.maximumWaitingRequests
        self.maximumLiveTransactions = configuration.limits.maximumLiveTransactions
        self.maximumLiveBytes = configuration.limits.maximumLiveBytes
        self.maximumLivePayload = configuration.limits.maximumLivePayload
    }
}

extension Duration {
    /// Whole nanoseconds, from zero on.
    fileprivate var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = self.components
        return UInt64(clamping: seconds) * 1_000_000_000 + UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
