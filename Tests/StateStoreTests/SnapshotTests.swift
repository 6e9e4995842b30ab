// SPDX-License-Identifier: Apache-2.0

import Foundation
import StateStore
import Testing
import Transactions

@Suite("Snapshots of the applied state (Raft paper, section 7)") struct SnapshotTests {
    static let other = StateIdentity(clusterID: Array(1...16), nodeID: "n2", storageID: 77)

    /// A state of n1's, and a copy of it.
    private static func taken(in folder: TemporaryFolder) throws -> (Fixture, StateSnapshot) {
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        let snapshot = try StateSnapshot.take(
            of: database.path, identity: Fixture.identity, to: folder.file("snapshot"))
        return (fixture, snapshot)
    }

    @Test("A copy is the state as of the last checkpoint, whatever is written meanwhile")
    func take() throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        let expected = fixture.expected()
        let snapshot = try StateSnapshot.take(
            of: database.path, identity: Fixture.identity, to: folder.file("snapshot"))
        fixture.submit(.test(9))
        try database.checkpoint(fixture.checkpoint())
        #expect(snapshot.appliedIndex == expected.appliedIndex)
        #expect(snapshot.appliedTerm == 3)
        let sum = try SnapshotFile(reading: snapshot.path).sum()
        #expect(sum.length == snapshot.length && sum.checksum == snapshot.checksum)
        try StateSnapshot.adopt(
            snapshot.path, identity: Self.other, appliedIndex: snapshot.appliedIndex, appliedTerm: 3)
        let adopted = try StateDatabase.open(path: snapshot.path, identity: Self.other)
        #expect(try adopted.load() == expected)
    }

    @Test("A copy of another cluster, of another index, or with a flipped bit is not adopted")
    func refuse() throws {
        let folder = try TemporaryFolder()
        let (_, snapshot) = try Self.taken(in: folder)
        let whole = try Data(contentsOf: URL(filePath: snapshot.path))
        let foreign = StateIdentity(clusterID: Array(2...17), nodeID: "n2", storageID: 77)
        #expect(throws: StateStoreError.self) {
            try StateSnapshot.adopt(
                snapshot.path, identity: foreign, appliedIndex: snapshot.appliedIndex, appliedTerm: 3)
        }
        #expect(throws: StateStoreError.self) {
            try StateSnapshot.adopt(
                snapshot.path, identity: Self.other, appliedIndex: snapshot.appliedIndex + 1, appliedTerm: 3)
        }
        var silent = 0
        for offset in stride(from: 100, to: whole.count, by: 997) {
            var damaged = whole
            damaged[offset] ^= 0x10
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: snapshot.path + suffix) }
            try damaged.write(to: URL(filePath: snapshot.path))
            let sum = try SnapshotFile(reading: snapshot.path).sum()
            // The checksum of the whole file sees every one; the rows' own see those that matter.
            #expect(sum.checksum != snapshot.checksum)
            do {
                try StateSnapshot.adopt(
                    snapshot.path, identity: Self.other, appliedIndex: snapshot.appliedIndex, appliedTerm: 3)
                silent += 1
            } catch {
                continue
            }
        }
        #expect(silent < whole.count / 997, "no flipped bit is seen")
    }

    @Test("An installed copy takes the place of the state, and a marker names it")
    func install() throws {
        let folder = try TemporaryFolder()
        let (fixture, snapshot) = try Self.taken(in: folder)
        let second = try TemporaryFolder()
        let own = try StateDatabase.open(path: second.file("state.db"), identity: Self.other)
        var older = Fixture()
        older.submit(.test(40))
        try own.checkpoint(older.checkpoint())
        let fetched = second.file("snapshot.part")
        try FileManager.default.copyItem(atPath: snapshot.path, toPath: fetched)
        try StateSnapshot.adopt(fetched, identity: Self.other, appliedIndex: snapshot.appliedIndex, appliedTerm: 3)
        let reader = try ArchiveReader(path: second.file("state.db"), identity: Self.other)
        #expect(try reader.lookup(.test(1)) == nil)
        let installed = try StateDatabase.install(fetched, marker: [1, 2, 3], over: own, identity: Self.other)
        #expect(try installed.load() == fixture.expected())
        #expect(try SnapshotMarker.read(folder: second.path) == [1, 2, 3])
        try reader.reopen()
        #expect(try reader.lookup(.test(1)) == fixture.finished[.test(1)])
        #expect(!FileManager.default.fileExists(atPath: fetched))
        try installed.verify()
    }

    @Test("The writer installs in its turn, and goes on with the new file")
    func writer() async throws {
        let folder = try TemporaryFolder()
        let (fixture, snapshot) = try Self.taken(in: folder)
        let second = try TemporaryFolder()
        let fetched = second.file("snapshot.part")
        try FileManager.default.copyItem(atPath: snapshot.path, toPath: fetched)
        try StateSnapshot.adopt(fetched, identity: Self.other, appliedIndex: snapshot.appliedIndex, appliedTerm: 3)
        let writer = StateWriter(try StateDatabase.open(path: second.file("state.db"), identity: Self.other))
        let recovered = await withCheckedContinuation { continuation in
            writer.install(fetched, marker: [9], identity: Self.other) { continuation.resume(returning: $0) }
        }
        #expect(try recovered.get() == fixture.expected())
        let synced = await withCheckedContinuation { continuation in
            writer.sync { continuation.resume(returning: $0) }
        }
        #expect(try synced.get() == snapshot.appliedIndex)
    }

    @Test("A marker whose writing was cut off names nothing", arguments: [0, 3, 10])
    func cutMarker(length: Int) throws {
        let folder = try TemporaryFolder()
        #expect(try SnapshotMarker.read(folder: folder.path) == nil)
        let bytes = [UInt8](repeating: 0x56, count: length)
        try Data(bytes).write(to: URL(filePath: folder.file(SnapshotMarker.name)))
        #expect(try SnapshotMarker.read(folder: folder.path) == nil)
    }
}
