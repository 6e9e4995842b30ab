// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorNode
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

#if PlantedBugs
    #error("verdictd is never built with planted bugs")
#endif

/// Runs one node until it is told to stop.
@main
struct Verdictd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verdictd",
        abstract: "Run one coordinator node of a Verdict cluster.",
        discussion: """
            Runs in the foreground, writes its log to standard error as one JSON object a line, and stops on SIGTERM or \
            SIGINT. The data folder must have been initialised: see 'clusterctl init'. Most people start nodes with \
            'clusterctl start'.

            Exit codes: 0 stopped as told, 64 a wrong flag or configuration, 70 the node can't start, 74 the disk failed.

            Example: verdictd --config cluster.conf --node n1
            """,
        version: Version.current)

    @Option(help: "The cluster's configuration file; VERDICT_CONFIG, or else cluster.conf.")
    var config: String?

    @Option(help: "Which node of the configuration to run.")
    var node: String

    @Option(
        help: ArgumentHelp("Override a key of the file, for example timing.heartbeat=50ms.", valueName: "key=value"))
    var set: [String] = []

    @Option(
        help: "What to log: trace, debug, info, notice, warning, error or critical.",
        transform: { text in
            guard let level = Logger.Level(rawValue: text) else {
                throw ValidationError("there is no log level '\(text)'")
            }
            return level
        })
    var logLevel = Logger.Level.info

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let level = self.logLevel
        LoggingSystem.bootstrap { label in JSONLogHandler(label: label, logLevel: level) }
        let logger = Logger(label: "verdictd")
        let environment = Self.environment()
        let configuration: ClusterConfiguration
        do {
            configuration = try ClusterConfiguration.load(
                path: ClusterConfiguration.path(flag: self.config, environment: environment), environment: environment,
                flags: self.set)
        } catch {
            logger.critical("The configuration is wrong", metadata: ["reason": "\(error)"])
            throw ExitCode(64)
        }
        do {
            let node = try CoordinatorNode(
                self.node, in: configuration, version: Version.current, logger: logger,
                endings: NodeEndings(
                    fatal: Self.end(74, "The disk failed: this process ends", logger),
                    outdated: Self.end(70, "This program is too old for its cluster", logger),
                    // The same way out as for whoever asks the process to stop.
                    onRemoved: { kill(getpid(), SIGTERM) }))
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [
                        .init(
                            service: node, successTerminationBehavior: .gracefullyShutdownGroup,
                            failureTerminationBehavior: .cancelGroup)
                    ],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: Self.quiet(logger)))
            try await group.run()
        } catch let error as NodeError {
            logger.critical("The node can't start", metadata: ["reason": "\(error)"])
            throw ExitCode(error.isUsage ? 64 : error.isDamage ? 74 : 70)
        } catch {
            logger.critical("The node can't run", metadata: ["reason": "\(error)"])
            throw ExitCode(70)
        }
    }

    /// After an error of the disk, and behind an entry that can't be understood, nothing may be written, acknowledged or
    /// answered any more, so nothing is closed either.
    private static func end(_ code: Int32, _ what: Logger.Message, _ logger: Logger) -> @Sendable (String) -> Never {
        { reason in
            logger.critical(what, metadata: ["reason": "\(reason)"])
            _exit(code)
        }
    }

    /// The service group's own words are below what an operator wants.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    private static func environment() -> [String: String] {
        var environment: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { environment[String(parts[0])] = String(parts[1]) }
            next += 1
        }
        return environment
    }
}
