// SPDX-License-Identifier: Apache-2.0

import Raft
package import RaftStore

/// What a walk over the log of a stopped node found.
package struct LogVerification: Sendable, Encodable {
    package let node: String
    package let data: String
    package let isOK: Bool
    /// What is wrong, with file and row or frame.
    package private(set) var problem: String?
    package private(set) var clusterID: String?
    package private(set) var currentTerm: UInt64?
    package private(set) var votedFor: String?
    package private(set) var firstIndex: UInt64?
    package private(set) var lastIndex: UInt64?
    package private(set) var rows: Int?
    package private(set) var walFrames: Int?
    package private(set) var walTransactions: Int?

    private enum CodingKeys: String, CodingKey {
        case node, data, problem, clusterID, currentTerm, votedFor, firstIndex, lastIndex, rows, walFrames
        case walTransactions
        case isOK = "ok"
    }

    /// Reads everything: the WAL frame by frame, every row, every entry, every command.
    package init(node: String, data: String) {
        self.node = node
        self.data = data
        do throws(StoreError) {
            let reader = try OfflineLogReader(path: data)
            let problem = Self.problem(of: reader, node: node)
            self.isOK = problem == nil
            self.problem = problem
            self.clusterID = reader.identity.clusterID.hex
            self.currentTerm = reader.hardState.currentTerm.rawValue
            self.votedFor = reader.hardState.votedFor?.rawValue
            self.firstIndex = reader.base.index.next().rawValue
            self.lastIndex = reader.lastIndex.rawValue
            self.rows = reader.rowCount
            self.walFrames = reader.wal.committedFrames
            self.walTransactions = reader.wal.committedTransactions
        } catch {
            self.isOK = false
            self.problem = Self.sentence(error, node: node)
        }
    }

    private static func problem(of reader: OfflineLogReader, node: String) -> String? {
        guard reader.identity.nodeID.rawValue == node else {
            return "the folder is that of \(reader.identity.name), not of node \(node)"
        }
        for entry in reader.recovered.entries {
            guard let problem = EntryReport(entry).problem else { continue }
            return "entry \(entry.index.rawValue): \(problem)"
        }
        guard !reader.hardState.isRepairing else {
            return "it has lost entries behind \(reader.lastIndex) to rot, and hasn't got all of them back yet"
        }
        return nil
    }

    /// A lock means that the node runs: that is no damage, and the reader can do something about it.
    package static func sentence(_ error: StoreError, node: String) -> String {
        guard case .locked(_, let pid) = error else { return error.description }
        let process = pid == 0 ? "" : " as process \(pid)"
        return """
            node \(node) is running\(process) and keeps its log to itself; stop it first (clusterctl stop --node \(node))
            """
    }

    package var text: String {
        guard self.isOK else { return "\(self.node): \(self.problem ?? "")" }
        let first = self.firstIndex ?? 0
        let last = self.lastIndex ?? 0
        let entries = last >= first ? "entries \(first) to \(last) in \(self.rows ?? 0) rows" : "no entries"
        return """
            \(self.node): OK, \(entries), term \(self.currentTerm ?? 0), \(self.walFrames ?? 0) frames in the WAL \
            (\(self.data))
            """
    }
}
