// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Why a measurement can't be made.
struct BenchError: Error { let text: String }

/// Times of one round's commits, in nanoseconds.
struct Round {
    private var commits: [UInt64] = []

    mutating func add(_ nanoseconds: UInt64) { self.commits.append(nanoseconds) }

    /// Commits a second.
    var rate: Double { Double(self.commits.count) * 1e9 / Double(self.commits.reduce(0, +)) }
    /// The middle commit, in microseconds.
    var median: Double { Double(self.commits.sorted()[self.commits.count / 2]) / 1000 }
}

func nanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// Appends to a file and syncs it: what the store is held against.
final class RawFile {
    private let descriptor: Int32
    private var offset = 0

    init(path: String) throws(BenchError) {
        self.descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard self.descriptor >= 0 else { throw BenchError(text: "\(path) can't be created (errno \(errno))") }
    }

    deinit { close(self.descriptor) }

    func append(_ row: [UInt8]) throws(BenchError) {
        let written = row.withUnsafeBytes { pwrite(self.descriptor, $0.baseAddress, $0.count, off_t(self.offset)) }
        guard written == row.count, fdatasync(self.descriptor) == 0 else {
            throw BenchError(text: "a plain append or its sync failed (errno \(errno))")
        }
        self.offset += row.count
    }
}

/// The log store, fed as its writer's thread feeds it: each batch a transaction, a checkpoint at the bound.
final class StoreFile {
    private let log: SQLiteLog
    private let walBound: Int

    init(path: String, walBound: Int) throws(StoreError) {
        let node = NodeID(rawValue: "n1")
        try DataFolder.initialise(
            path: path, clusterID: ClusterID(high: 1, low: 1), nodeID: node,
            members: [Member(nodeID: node, storageID: .unknown)])
        self.log = try SQLiteLog(folder: path, nodeID: node)
        self.walBound = walBound
    }

    func append(_ batch: Batch) throws(StoreError) {
        try self.log.write([batch])
        if self.log.uncheckpointedBytes >= self.walBound { try self.log.checkpoint() }
    }
}

/// Makes batches of 256-byte entries that follow each other.
struct BatchSource {
    private var lastIndex: UInt64 = 0
    private var sequence: UInt64 = 0
    private static let payload = (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 167 >> 2) }
    private static let hardState = HardState(currentTerm: Term(rawValue: 1), votedFor: NodeID(rawValue: "n1"))

    mutating func batch(of count: Int) -> Batch {
        self.sequence += 1
        let entries = (0..<count).map { _ in
            self.lastIndex += 1
            return Entry(
                index: LogIndex(rawValue: self.lastIndex), term: Term(rawValue: 1), kind: .command,
                payload: Self.payload)
        }
        return Batch(sequence: self.sequence, hardState: Self.hardState, truncateFrom: nil, entries: entries)
    }
}
