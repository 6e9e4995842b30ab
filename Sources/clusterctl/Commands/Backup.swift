// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient
import Foundation
import RaftStore
import StateStore

/// Copies the state of a running cluster to a file.
struct Backup: ClusterCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the state of the running cluster to a file, while it goes on.",
        discussion: """
            The file holds every transaction that was acknowledged before the command began. It is a SQLite database in which
            each row carries its checksum; all of it is checked before the file gets its name. What happens later is not in
            it: see clusterctl restore --help for what that means. Run it on a node's machine, and keep the file as you keep
            the nodes' folders: payloads and headers of branches stand in it.

            EXAMPLES
              clusterctl backup /backup/verdict-$(date +%F).db
              clusterctl backup --from n2 copy.db
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The file to write. It must not be there yet.")
    var file: String

    @Option(name: .long, help: "The node that makes the copy. Default: the first that answers.")
    var from: String?

    private struct Report: Encodable {
        let file: String
        let bytes: UInt64
        let index: UInt64
        let clusterID: String
        let live: UInt64
        let finished: UInt64
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let source = try self.from.map { name throws(CommandFailure) in
            ClusterContext.address(of: try context.node(name))
        }
        guard !FileManager.default.fileExists(atPath: self.file) else {
            throw CommandFailure(.usage, "\(self.file) is there already; a backup replaces no file")
        }
        let partial = self.file + ".partial"
        defer { try? FileManager.default.removeItem(atPath: partial) }
        let receipt = try await context.withClient { client throws(CommandFailure) in
            try await Self.fetch(with: client, from: source, to: partial)
        }
        let backup = try Self.verify(partial, receipt)
        do throws(StoreError) {
            try Folders.publish(partial, as: self.file)
        } catch {
            throw CommandFailure(.failure, error.description)
        }
        let report = Report(
            file: self.file, bytes: receipt.length, index: backup.appliedIndex,
            clusterID: backup.identity.clusterID.hexadecimal, live: backup.liveCount, finished: backup.archivedCount)
        try self.common.output.result(report) {
            """
            \(self.file) holds the state at entry \(report.index): \(report.finished) finished transactions and \
            \(report.live) others, \(report.bytes) bytes.
            """
        }
    }

    private static func fetch(
        with client: CoordinatorClient, from source: CoordinatorClient.Address?, to path: String
    ) async throws(CommandFailure) -> BackupReceipt {
        do {
            let writer = try BackupFile(path)
            let receipt = try await client.backup(at: source) { try writer.append($0) }
            try writer.sync()
            return receipt
        } catch let error as CoordinatorClientError {
            throw CommandFailure(error)
        } catch {
            throw CommandFailure(.failure, "\(error)")
        }
    }

    /// What came is what the node sent, and all of it can be read.
    private static func verify(_ path: String, _ receipt: BackupReceipt) throws(CommandFailure) -> StateBackup {
        do throws(StateStoreError) {
            let sum = try SnapshotFile(reading: path).sum()
            guard sum.length == receipt.length, sum.checksum == receipt.checksum else {
                throw .rot(path: path, table: "?", row: "?", reason: "it isn't what \(receipt.address) sent")
            }
            let backup = try StateBackup(examining: path)
            guard backup.appliedIndex == receipt.index else {
                throw .rot(
                    path: path, table: "meta", row: "1",
                    reason: "it is the state at \(backup.appliedIndex), announced was \(receipt.index)")
            }
            return backup
        } catch {
            throw CommandFailure(.failure, "the backup can't be used: \(error.description)")
        }
    }
}

/// A file that grows at its end.
private final class BackupFile {
    private let file: SnapshotFile
    private var length: UInt64 = 0

    init(_ path: String) throws(StateStoreError) {
        self.file = try SnapshotFile(creating: path)
    }

    func append(_ bytes: [UInt8]) throws(StateStoreError) {
        try self.file.write(bytes, at: self.length)
        self.length += UInt64(bytes.count)
    }

    func sync() throws(StateStoreError) { try self.file.sync() }
}

extension [UInt8] {
    /// Two digits for each byte.
    var hexadecimal: String { self.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
