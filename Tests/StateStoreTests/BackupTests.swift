// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLite
import StateStore
import Testing
import Transactions

@Suite("Backups, and what is made of them") struct BackupTests {
    private static let other = StateIdentity(clusterID: Array(2...17), nodeID: "m1", storageID: 99)

    /// A backup of `Fixture.filled()`, in a folder of its own.
    private static func backup() throws -> (folder: TemporaryFolder, path: String, fixture: Fixture) {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        let path = folder.file("backup.db")
        _ = try StateSnapshot.take(of: folder.file(), identity: Fixture.identity, to: path)
        return (folder, path, fixture)
    }

    @Test("A backup says whose state it is and how much is in it, and reading it leaves nothing behind")
    func examined() throws {
        let (folder, path, fixture) = try Self.backup()
        let before = try folder.read("backup.db")
        let backup = try StateBackup(examining: path)
        #expect(backup.identity == Fixture.identity)
        #expect(backup.appliedIndex == fixture.machine.appliedIndex && backup.appliedTerm == 3)
        #expect(backup.archivedCount == UInt64(fixture.finished.count))
        #expect(backup.liveCount == UInt64(fixture.machine.liveCount))
        #expect(backup.notes == ClusterNotes())
        #expect(try folder.read("backup.db") == before)
        #expect(folder.length("backup.db-wal") == 0 && folder.length("backup.db-shm") == 0)
    }

    @Test("Restored, it is the same state under another name, with the mark")
    func restored() throws {
        let (folder, path, fixture) = try Self.backup()
        let backup = try StateBackup(examining: path)
        let target = folder.file("restored.db")
        try backup.restore(to: target, as: Self.other, .restored)
        let state = try StateDatabase.open(path: target, identity: Self.other).load()
        #expect(state.live == fixture.expected().live && state.sum == fixture.expected().sum)
        #expect(state.appliedIndex == backup.appliedIndex)
        #expect(
            state.notes.mark
                == RestoreMark(
                    source: Fixture.identity.clusterID, index: backup.appliedIndex, certain: backup.appliedIndex))
        #expect(state.notes.audit.map(\.kind) == [.restored])
        #expect(TransactionMachine(state).notes == state.notes)
        // Every machine that restores the same file comes to the same state.
        try backup.restore(to: folder.file("again.db"), as: Fixture.identity, .restored)
        let again = try StateDatabase.open(path: folder.file("again.db"), identity: Fixture.identity).load()
        #expect(again == state)
    }

    @Test("Notes that change stand in the next checkpoint, and stay when the later ones have none")
    func notes() throws {
        let (folder, path, _) = try Self.backup()
        let target = folder.file("restored.db")
        try StateBackup(examining: path).restore(to: target, as: Self.other, .recovered)
        let database = try StateDatabase.open(path: target, identity: Self.other)
        var machine = TransactionMachine(try database.load())
        func checkpoint() throws {
            try database.checkpoint(
                StateCheckpoint(
                    machine.takeChanges(), appliedIndex: machine.appliedIndex, appliedTerm: 4, logTime: machine.logTime)
            )
        }
        machine.advance(to: machine.appliedIndex + 1)
        try checkpoint()
        #expect(try database.load().notes.mark != nil)
        let batch = CommandBatch(
            logTime: machine.logTime, commands: [.liftMark(MarkLift(actor: "Ada", reason: "compared"))])
        _ = machine.apply(batch, at: machine.appliedIndex + 1, archive: EmptyArchive())
        try checkpoint()
        machine.advance(to: machine.appliedIndex + 1)
        try checkpoint()
        let notes = try database.load().notes
        #expect(notes == machine.notes && notes.mark == nil)
        #expect(notes.audit.map(\.kind) == [.recovered, .markLifted])
    }

    @Test("A flipped bit anywhere in a row, a cut file, a file that is no backup: named, and nothing is made of it")
    func damaged() throws {
        let (folder, path, _) = try Self.backup()
        let good = try folder.read("backup.db")
        let damages: [(name: String, bytes: [UInt8])] = [
            ("half", Array(good.prefix(good.count / 2))), ("empty", []), ("text", Array("no database at all".utf8)),
            ("header", [0] + good.dropFirst()),
        ]
        for damage in damages {
            try folder.write(damage.bytes, to: "backup.db")
            #expect(throws: StateStoreError.self, "\(damage.name)") { try StateBackup(examining: path) }
        }
        #expect(throws: StateStoreError.self) { try StateBackup(examining: folder.file("nowhere.db")) }
        #expect(folder.length("nowhere.db") == 0)
        try folder.write(good, to: "backup.db")
        _ = try StateBackup(examining: path)
        var flips = 0
        // Every 101st byte: rows, keys and the tree's own bytes; free space in a page is nobody's.
        for position in stride(from: 100, to: good.count, by: 101) where good[position] != 0 {
            var bytes = good
            bytes[position] ^= 0x10
            try folder.write(bytes, to: "backup.db")
            if (try? StateBackup(examining: path)) == nil { flips += 1 }
        }
        #expect(flips > 10)
    }

    @Test("A file of another format is named by its number")
    func format() throws {
        let (folder, path, _) = try Self.backup()
        do {
            let database = try Database(path: path, access: .readWrite)
            try database.execute("UPDATE meta SET format = 2")
        }
        #expect(folder.length("backup.db") > 0)
        #expect(throws: StateStoreError.unsupportedFormat(path: path, found: 2, supported: StateRecovery.format)) {
            try StateBackup(examining: path)
        }
    }
}
