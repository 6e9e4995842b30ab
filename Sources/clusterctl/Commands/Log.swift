// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import Raft
import RaftStore

/// Reads the logs of stopped nodes.
struct Log: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show or check the log of a stopped node of this machine.",
        discussion: """
            EXAMPLES
              clusterctl log show --node n1
              clusterctl log verify
            """,
        subcommands: [LogShow.self, LogVerify.self])
}

/// Prints entries in clear.
struct LogShow: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print the entries of a stopped node's log in clear.",
        discussion: """
            Nothing is changed. With --json each entry is one line. An entry that stands in a log need not be committed: only
            the leader knows that.

            EXAMPLES
              clusterctl log show --node n1
              clusterctl log show --node n1 --from 1200 --to 1210 --payloads
              clusterctl log show --node n1 --json | grep order-4711
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Whose log.")
    var node: String

    @Option(name: .long, help: "The first index to show.")
    var from: UInt64 = 1

    @Option(name: .long, help: "The last index to show. Default: the log's last.")
    var to: UInt64?

    @Flag(name: .long, help: "Show what the participants are sent: headers and payloads.")
    var payloads = false

    func validate() throws {
        guard let to = self.to, to < self.from else { return }
        throw ValidationError("--to \(to) is before --from \(self.from).")
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let node = try context.localNodes(named: self.node)[0]
        let reader: OfflineLogReader
        do throws(StoreError) {
            reader = try OfflineLogReader(path: node.data)
        } catch {
            throw CommandFailure(.failure, LogVerification.sentence(error, node: node.id))
        }
        let from = LogIndex(rawValue: self.from)
        let to = LogIndex(rawValue: max(self.to ?? .max, self.from))
        let output = self.common.output
        var table = EntryReport.table
        for entry in reader.entries(in: from...to) {
            let report = EntryReport(entry, showingPayloads: self.payloads)
            if output.isJSON { try output.json(report) } else { report.add(to: &table) }
        }
        output.line(table.text)
        let first = reader.base.index.next()
        output.note("Node \(node.id) holds the entries \(first) to \(reader.lastIndex).")
    }
}

/// Checks logs.
struct LogVerify: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every frame, row, entry and command of the logs of stopped nodes.",
        discussion: """
            The same rules as at a node's start. Damage is named with its file and row or frame; such a node must not start
            from it. Ends with 70 if a log is damaged or can't be read.

            EXAMPLES
              clusterctl log verify
              clusterctl log verify --node n2 --json
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Check this node's log alone.")
    var node: String?

    private struct Report: Encodable {
        let nodes: [LogVerification]
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let nodes = try context.localNodes(named: self.node)
        let results = nodes.map { LogVerification(node: $0.id, data: $0.data) }
        try self.common.output.result(Report(nodes: results)) { results.map(\.text).joined(separator: "\n") }
        guard results.contains(where: { !$0.isOK }) else { return }
        throw ExitCode(ExitStatus.failure.rawValue)
    }
}
