// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Glibc
import Raft
import RaftStore
import StateStore

/// What is wrong with the data folder of a node that isn't running, by the rules of its start. Nothing is changed.
package struct FolderExamination: Sendable {
    package private(set) var findings: [Finding] = []
    private let node: String
    private let data: String

    /// - Parameter clusterID: which cluster the folder should be of, 32 hexadecimal digits; `nil`: any.
    package init(node: String, data: String, clusterID: String? = nil) {
        self.node = node
        self.data = data
        do throws(StoreError) {
            try self.examine(clusterID)
        } catch {
            self.findings.append(self.finding(error))
        }
    }

    private mutating func examine(_ clusterID: String?) throws(StoreError) {
        switch try DataFolder.inspect(path: self.data) {
        case .missing, .empty:
            return self.add(.note("folder", "\(self.data) holds no node yet", Self.beginning(self.node)))
        case .unfinished:
            return self.add(
                .note("folder", "\(self.data) was being initialised when that was cut off", Self.beginning(self.node)))
        case .foreign(let names):
            return self.add(
                .problem(
                    "folder", "\(self.data) holds something else: \(names.prefix(5).joined(separator: ", "))",
                    "move that elsewhere, or let data = of [node \(self.node)] name another folder"))
        case .initialised(let identity, _, _):
            if let expected = clusterID, identity.clusterID.hex != expected {
                self.add(
                    .problem(
                        "folder", "\(self.data) is of cluster \(identity.clusterID.hex), the file names \(expected)",
                        "correct id = in the file, or move the folder away"))
            }
        }
        if let index = DataFolder.removedAt(path: self.data) {
            return self.add(
                .problem(
                    "folder", "\(self.node) was removed from the cluster at entry \(index); it doesn't start again",
                    "delete the folder or keep it elsewhere; clusterctl members add \(self.node) makes a new one"))
        }
        let reader = try OfflineLogReader(path: self.data)
        guard reader.identity.nodeID.rawValue == self.node else {
            return self.add(
                .problem(
                    "folder", "\(self.data) is that of \(reader.identity.name), not of node \(self.node)",
                    "never exchange folders: correct data = in the file"))
        }
        self.examineLog(reader)
        self.examineState(reader)
        self.examineDisk()
    }

    // MARK: The log

    private mutating func examineLog(_ reader: OfflineLogReader) {
        let first = reader.base.index.next()
        let range = reader.lastIndex >= first ? "entries \(first) to \(reader.lastIndex)" : "no entries"
        for entry in reader.recovered.entries {
            guard let problem = EntryReport(entry).problem else { continue }
            return self.add(
                .problem(
                    "log", "entry \(entry.index) can't be read: \(problem)",
                    "start the node with the version of the program that wrote it"))
        }
        if reader.hardState.isRepairing {
            return self.add(
                .problem(
                    "log", "\(range) are left of it: others were lost to rot, and it hasn't all of them back",
                    Self.selfRepair(self.node)))
        }
        self.add(
            .ok("log", "\(range), term \(reader.hardState.currentTerm), every row and frame as it was written"))
    }

    // MARK: The applied state

    private mutating func examineState(_ reader: OfflineLogReader) {
        let path = FilePath.join(self.data, "state.db")
        guard access(path, F_OK) == 0 else {
            return self.add(
                reader.base == .zero
                    ? .note("state", "there is no applied state yet; the log holds all that makes it")
                    : .note("state", "the applied state is missing", Self.refill))
        }
        let identity = StateIdentity(
            clusterID: reader.identity.clusterID.bytes, nodeID: reader.identity.nodeID.rawValue,
            storageID: reader.identity.storageID.rawValue)
        do {
            let position = try StateDatabase.examine(path: path, identity: identity)
            let applied = LogPosition(index: LogIndex(rawValue: position.index), term: Term(rawValue: position.term))
            switch reader.recovered.fit(of: applied, marker: try SnapshotMarker.read(folder: self.data)) {
            case .tooOld:
                self.add(
                    .note(
                        "state", "it stands at entry \(applied.index), and the log begins behind \(reader.base.index)",
                        Self.refill))
            case .foreign where reader.hardState.isRepairing:
                self.add(
                    .note("state", "it stands at entry \(applied.index), which the log has lost to rot", Self.refill))
            case .foreign:
                self.add(
                    .problem(
                        "state",
                        "it stands at entry \(applied.index) of term \(applied.term), which isn't in the log",
                        "one of the two was lost or exchanged: \(Self.replacement(self.node))"))
            case .held, .installing:
                self.add(.ok("state", "applied through entry \(applied.index), every page and row as it was written"))
            }
        } catch {
            switch error {
            case .rot:
                self.add(.note("state", error.description, Self.refill))
            case .unsupportedFormat:
                self.add(.problem("state", error.description, Self.newerProgram))
            case _:
                self.add(.problem("state", error.description, "see that the file can be read, and look again"))
            }
        }
    }

    // MARK: The disk

    /// Less free room than this is worth a word: a checkpoint and some seconds of log.
    private static let scarce: UInt64 = 256 << 20

    private mutating func examineDisk() {
        var status = statvfs()
        guard statvfs(self.data, &status) == 0 else { return }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        let text = "\(free >> 20) MiB are free"
        self.add(
            free == 0
                ? .problem("disk", "the disk is full", "make room; the node then goes on by itself")
                : free < Self.scarce
                    ? .note("disk", text, "make room: a full disk takes no entries") : .ok("disk", text))
    }

    // MARK: What to do

    private func finding(_ error: StoreError) -> Finding {
        switch error {
        case .locked(_, let pid):
            .note("folder", "a process\(pid == 0 ? "" : ", \(pid),") holds the folder, and alone reads it")
        case .rot(let rot, _) where rot.leavesHardState:
            .problem("log", error.description, Self.selfRepair(self.node))
        case .rot, .corrupt:
            .problem("log", error.description, "with a majority of the others alive: \(Self.replacement(self.node))")
        case .unsupportedFormat:
            .problem("log", error.description, Self.newerProgram)
        case .notInitialised:
            .note("folder", error.description, Self.beginning(self.node))
        case .diskFull:
            .problem("disk", error.description, "make room; the node then goes on by itself")
        case .notEmpty, .foreign, .invalidBatch, .sqlite, .io, .closed:
            .problem("folder", error.description, "see that its files can be read by this user, and look again")
        }
    }

    private mutating func add(_ finding: Finding) { self.findings.append(finding) }

    private static let refill = "nothing to do: the node fills it anew, from its log or by a snapshot of the leader's"
    private static let newerProgram = "start the node with the newer version of the program"

    private static func beginning(_ node: String) -> String {
        "a new cluster: clusterctl start; a member whose disk was lost: \(Self.replacement(node)); a new node: clusterctl "
            + "members add \(node)"
    }

    private static func selfRepair(_ node: String) -> String {
        "start it, with a majority of at least two others alive: it keeps the damaged file, fetches what is lost from them, "
            + "and has no vote until then. A cluster of fewer than three: \(Self.replacement(node))"
    }

    private static func replacement(_ node: String) -> String { "clusterctl members replace \(node)" }
}
