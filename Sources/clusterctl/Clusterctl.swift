// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import Foundation

/// The command line of a Verdict cluster.
@main
struct Clusterctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clusterctl",
        abstract: "Starts, stops and looks at a Verdict cluster, and submits global transactions to it.",
        discussion: """
            Every command reads cluster.conf (or the file that --config or VERDICT_CONFIG names).

            EXAMPLES
              clusterctl start                 start all nodes of this machine, wait for a leader
              clusterctl status                who leads, who follows, who lags
              clusterctl submit-tx transfer.json
              clusterctl tx show GID
              clusterctl stop

            EXIT CODES
              0   done; for submit-tx: committed, or recorded with --no-wait
              3   the transaction was aborted
              4   the outcome is not known
              64  the command, its input or the configuration is wrong
              69  no cluster: no node answers, or none leads
              70  anything else
            """,
        version: Version.current,
        subcommands: [
            Init.self, Start.self, Stop.self, Restart.self, Status.self, KillLeader.self, TransferLeader.self,
            Members.self, SubmitTx.self, Tx.self, Log.self, Doctor.self, Backup.self, Restore.self, Recover.self,
            Audit.self, LiftRestoreMark.self, Bench.self,
        ])

    /// Runs the command that the arguments name. A thrown error ends the process with one of `ExitStatus`, never with 1.
    static func main() async {
        var isJSON = CommandLine.arguments.contains("--json")
        do {
            var command = try Self.parseAsRoot()
            isJSON = (command as? any ClusterCommand)?.common.json ?? false
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Output(isJSON: isJSON).failure(failure)
            Self.exit(withError: ExitCode(failure.status.rawValue))
        } catch {
            let code = Self.exitCode(for: error)
            guard code == .failure else { Self.exit(withError: error) }
            Output(isJSON: isJSON).failure(CommandFailure(.failure, Self.message(for: error)))
            Self.exit(withError: ExitCode(ExitStatus.failure.rawValue))
        }
    }
}

/// A command that works on the cluster of a configuration file.
protocol ClusterCommand: AsyncParsableCommand {
    var common: CommonOptions { get }
}
