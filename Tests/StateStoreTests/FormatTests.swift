// SPDX-License-Identifier: Apache-2.0

#if NextFormat
    import Bytes
    import StateStore
    import Testing
    import Transactions

    @Suite("State of a cluster whose format a program doesn't know (bad input)") struct FormatTests {
        /// A state file in which the format has been raised.
        private static func raised() throws -> (folder: TemporaryFolder, fixture: Fixture) {
            let folder = try TemporaryFolder()
            var fixture = Fixture.filled()
            fixture.apply(.raiseFormat(.next))
            let database = try StateDatabase.open(path: folder.file(), identity: Fixture.identity, known: .next)
            try database.checkpoint(fixture.checkpoint())
            _ = try database.sync()
            return (folder, fixture)
        }

        @Test("A program that knows the format goes on from it") func known() throws {
            let (folder, fixture) = try Self.raised()
            let database = try StateDatabase.open(path: folder.file(), identity: Fixture.identity, known: .next)
            try database.verify()
            #expect(TransactionMachine(try database.load()).format == .next)
            #expect(try database.load().notes == fixture.machine.notes)
        }

        @Test("One that doesn't refuses it, says which version it needs, and changes nothing") func unknown() throws {
            let (folder, _) = try Self.raised()
            let before = try folder.read("state.db")
            let database = try StateDatabase.open(path: folder.file(), identity: Fixture.identity)
            let expected = StateStoreError.newerFormat(path: folder.file(), used: .next, known: .newest)
            #expect(throws: expected) { try database.load() }
            #expect(throws: expected) { try database.verify() }
            #expect("\(expected)".contains("uses format 2, and this program knows formats up to 1"))
            #expect(try folder.read("state.db") == before)
        }

        @Test("Rows that only the newer program can read aren't taken for rot") func rows() throws {
            let identity = Fixture.identity
            var meta = StateRecovery.MetaRow(identity: identity)
            meta.liveCount = 1
            meta.notes = ClusterNotes(format: .next).encoded()
            meta.checksum = meta.expectedChecksum
            var row = StateRecovery.LiveRow(gid: "one", body: [99, 1, 2, 3], checksum: 0)
            row.checksum = row.expectedChecksum
            #expect(throws: StateStoreError.newerFormat(path: "state.db", used: .next, known: .newest)) {
                var rows = [row]
                _ = try StateRecovery(path: "state.db", identity: identity).recover(meta: meta) { rows.popLast() }
            }
        }

        @Test("A backup and a snapshot of it are refused in the same way") func copies() throws {
            let (folder, fixture) = try Self.raised()
            let copy = folder.file("copy.db")
            _ = try StateSnapshot.take(of: folder.file(), identity: Fixture.identity, to: copy)
            let expected = StateStoreError.newerFormat(path: copy, used: .next, known: .newest)
            #expect(throws: expected) { try StateBackup(examining: copy) }
            let index = fixture.machine.appliedIndex
            #expect(throws: expected) {
                try StateSnapshot.adopt(copy, identity: Fixture.identity, appliedIndex: index, appliedTerm: 3)
            }
            try StateSnapshot.adopt(copy, identity: Fixture.identity, known: .next, appliedIndex: index, appliedTerm: 3)
        }
    }
#endif
