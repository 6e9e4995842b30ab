// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import Testing

/// A node's data folder that goes away with its test.
final class StoreFixture {
    let path: String
    static let cluster = ClusterID(high: 0x0123_4567_89AB_CDEF, low: 42)
    static let members = ["n1", "n2", "n3"].map { Member(nodeID: NodeID(rawValue: $0), storageID: .unknown) }
    /// What a fresh log holds.
    static let empty = RecoveredLog(
        hardState: .initial, base: .zero, entries: [],
        membership: Membership(
            voters: members.map { member in
                Member(nodeID: member.nodeID, storageID: member.nodeID == .n1 ? StorageID(rawValue: 7) : .unknown)
            }))
    /// Small, so that tests leave the disk alone.
    static let reserveBytes = 64 << 10

    /// In memory if the machine has such a folder: what syncs are worth is for the drills to find out.
    private static let scratch =
        FileManager.default.isWritableFile(atPath: "/dev/shm")
        ? "/dev/shm" : FileManager.default.temporaryDirectory.path

    /// - Parameter isInitialised: whether there is a log in it. Else there isn't even a folder.
    init(isInitialised: Bool = true) throws {
        self.path = Self.scratch + "/verdict-store-\(UUID().uuidString)"
        if isInitialised { try self.initialise() }
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    func initialise() throws {
        try DataFolder.initialise(
            path: self.path, clusterID: Self.cluster, nodeID: .n1, storageID: StorageID(rawValue: 7),
            members: Self.members, reserveBytes: Self.reserveBytes)
    }

    func open() throws(StoreError) -> sending SQLiteLog {
        try SQLiteLog(folder: self.path, nodeID: .n1, clusterID: Self.cluster, reserveBytes: Self.reserveBytes)
    }

    /// Opens, writes each of these as a transaction, and leaves as the death of the process would.
    func write(_ batches: [Batch]) throws {
        let log = try self.open()
        for batch in batches { try log.write([batch]) }
        log.abandon()
    }

    /// What a start finds after these batches, of which each group was a transaction of its own.
    static func recovered(_ batches: [Batch], groups: [Int]) throws -> RecoveredLog {
        let fixture = try StoreFixture()
        let log = try fixture.open()
        var rest = batches[...]
        for size in groups {
            try log.write(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        log.abandon()
        return try fixture.recovered()
    }

    /// What a start finds.
    func recovered() throws(StoreError) -> RecoveredLog {
        let log = try self.open()
        defer { log.abandon() }
        return log.recovered
    }

    // MARK: Files

    func file(_ name: String) -> String { self.path + "/" + name }

    func bytes(of name: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(filePath: self.file(name)))) }

    func replace(_ name: String, with bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(filePath: self.file(name)))
    }

    /// Every file of the folder with its content.
    func snapshot() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: self.path) where name != "reserve" {
            files[name] = try self.bytes(of: name)
        }
        return files
    }

    func restore(_ files: [String: [UInt8]]) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: self.path) where name != "reserve" {
            try FileManager.default.removeItem(atPath: self.file(name))
        }
        for (name, bytes) in files { try self.replace(name, with: bytes) }
    }

    /// Damages a file: `mask` is laid over the byte.
    func flip(_ name: String, at offset: Int, mask: UInt8) throws {
        var bytes = try self.bytes(of: name)
        bytes[offset] ^= mask
        try self.replace(name, with: bytes)
    }
}

/// Makes batches in order, as a core would.
struct BatchMaker {
    private(set) var sequence: UInt64 = 0
    private(set) var lastIndex: UInt64 = 0
    var state = HardState(currentTerm: Term(rawValue: 1), votedFor: .n1)

    init() {}

    /// Goes on behind what a log holds.
    init(after index: UInt64, state: HardState) {
        self.lastIndex = index
        self.state = state
    }

    /// - Parameter lengths: the payloads' lengths in bytes, one for each entry.
    mutating func append(_ lengths: [Int], truncateFrom: UInt64? = nil) -> Batch {
        self.sequence += 1
        if let truncateFrom { self.lastIndex = truncateFrom - 1 }
        let entries = lengths.map { length in
            self.lastIndex += 1
            let seed = self.lastIndex &* 131 &+ self.state.currentTerm.rawValue
            return Entry(
                index: LogIndex(rawValue: self.lastIndex), term: self.state.currentTerm, kind: .command,
                payload: (0..<length).map { UInt8(truncatingIfNeeded: seed &+ UInt64($0) &* 7) })
        }
        return Batch(
            sequence: self.sequence, hardState: self.state,
            truncateFrom: truncateFrom.map { LogIndex(rawValue: $0) }, entries: entries)
    }
}

extension NodeID {
    static let n1 = NodeID(rawValue: "n1")
    static let n2 = NodeID(rawValue: "n2")
    static let n3 = NodeID(rawValue: "n3")
    static let n9 = NodeID(rawValue: "n9")
}
