// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLite
import StateStore
import Testing
import Transactions

@Suite("Files that aren't this node's own") struct IdentityTests {
    static let strangers: [StateIdentity] = [
        StateIdentity(clusterID: Array(2...17), nodeID: "n1", storageID: 0xfedc_ba98_7654_3210),
        StateIdentity(clusterID: Array(1...16), nodeID: "n2", storageID: 0xfedc_ba98_7654_3210),
        StateIdentity(clusterID: Array(1...16), nodeID: "n1", storageID: 0xfedc_ba98_7654_3211),
    ]

    @Test(
        "A file of another cluster, node or life of the folder is refused and left as it is (bug 15)",
        arguments: strangers)
    func stranger(identity: StateIdentity) throws {
        let folder = try TemporaryFolder.filled()
        let before = try folder.read()
        let expected = StateStoreError.wrongIdentity(
            path: folder.file(), expected: identity, found: Fixture.identity)
        #expect(throws: expected) { try StateDatabase.open(path: folder.file(), identity: identity) }
        #expect(throws: expected) { try ArchiveReader(path: folder.file(), identity: identity) }
        #expect(try folder.read() == before)
        #expect(expected.description.contains("node n1 of cluster 0102030405060708090a0b0c0d0e0f10"))
        #expect(expected.description.contains("storage fedcba9876543210"))
        #expect(try StateDatabase.open(folder).archivedCount == 3)
    }

    @Test("Another format is refused by its number")
    func format() throws {
        let folder = try TemporaryFolder.filled()
        try folder.edit { database in try database.execute("UPDATE meta SET format = 99") }
        let expected = StateStoreError.unsupportedFormat(
            path: folder.file(), found: 99, supported: StateRecovery.format)
        #expect(throws: expected) { try StateDatabase.open(folder) }
        #expect(throws: expected) { try ArchiveReader(path: folder.file(), identity: Fixture.identity) }
    }

    @Test("A file that is no database, or another program's, is refused and left as it is")
    func noDatabase() throws {
        let folder = try TemporaryFolder()
        let noise = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
        try folder.write(noise)
        do throws(StateStoreError) {
            _ = try StateDatabase.open(folder)
            Issue.record("noise was opened")
        } catch {
            guard case .rot(path: folder.file(), _, _, _) = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(try folder.read() == noise)
        let other = try TemporaryFolder()
        try other.edit { database in try database.execute("CREATE TABLE other (a)") }
        let before = try other.read()
        #expect(throws: StateStoreError.self) { try StateDatabase.open(other) }
        #expect(try other.read() == before)
    }

    @Test("A missing folder, a folder in the file's place: the error names the path")
    func cannotOpen() throws {
        let folder = try TemporaryFolder()
        for path in [folder.file("none/state.db"), folder.path] {
            do throws(StateStoreError) {
                _ = try StateDatabase.open(path: path, identity: Fixture.identity)
                Issue.record("\(path) was opened")
            } catch {
                guard case .cannotOpen(path: path, _) = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
        #expect(throws: StateStoreError.self) {
            try ArchiveReader(path: folder.file("none.db"), identity: Fixture.identity)
        }
        #expect(!FileManager.default.fileExists(atPath: folder.file("none.db")), "a reader creates no file")
    }
}

extension TemporaryFolder {
    /// Changes the closed database behind the store's back.
    func edit(_ body: (borrowing Database) throws -> Void) throws {
        let database = try Database(path: self.file())
        try body(database)
    }
}
