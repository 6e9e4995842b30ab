// SPDX-License-Identifier: Apache-2.0

#if NextFormat
    import Bytes
    import Testing
    import Transactions

    /// This build knows one kind of command more than the product does (bad input 39: a new kind of entry reaches an old node).
    @Suite("Formats: nobody uses what not everybody knows") struct FormatTests {
        private static func batch(_ commands: Command..., time: UInt64 = 5_000) -> CommandBatch {
            CommandBatch(logTime: LogTime(rawValue: time), commands: commands)
        }

        /// Applies an entry as a program does that knows formats up to `known`.
        private static func apply(_ payload: [UInt8], to machine: inout TransactionMachine, known: FormatLevel) {
            let index = machine.appliedIndex + 1
            guard let batch = try? CommandBatch(decoding: payload, known: known) else {
                return machine.advance(to: index)
            }
            _ = machine.apply(batch, at: index, archive: MemoryArchive())
        }

        @Test("A program can't read a command of a format that it doesn't know, alone or in a batch")
        func unknownCommand() throws {
            let remark = Command.remark("hello")
            #expect(try Command(decoding: remark.encoded(), known: .next) == remark)
            #expect(throws: ByteError.invalidValue(offset: 1, field: "command")) {
                try Command(decoding: remark.encoded())
            }
            let mixed = Self.batch(.saga("a"), remark)
            #expect(try CommandBatch(decoding: mixed.encoded(), known: .next) == mixed)
            #expect(throws: ByteError.self) { try CommandBatch(decoding: mixed.encoded()) }
            #expect(mixed.format == .next && Self.batch(.saga("a"), .raiseFormat(.next)).format == .first)
        }

        @Test("Before the format is raised, old and new programs come to the same state over a new command")
        func skipped() {
            var old = TransactionMachine()
            var new = TransactionMachine()
            #expect(!new.admits(.remark("too early")) && new.admits(.saga("a")))
            let payloads = [
                Self.batch(.saga("a", gid: .test("one")), time: 1_000).encoded(),
                // Nothing of the batch may take effect, not even its time.
                Self.batch(.remark("too early"), .saga("a", gid: .test("two")), time: 9_000).encoded(),
                Self.batch(.saga("a", gid: .test("three")), time: 2_000).encoded(),
            ]
            for payload in payloads {
                Self.apply(payload, to: &old, known: .newest)
                Self.apply(payload, to: &new, known: .next)
                #expect(old.digest() == new.digest())
            }
            #expect(new.transaction(.test("two")) == nil && new.logTime.rawValue == 2_000 && new.notes.audit.isEmpty)
        }

        @Test("Raised, the format is in the state and its history, for good; then the new command counts")
        func raised() {
            var fixture = Fixture()
            #expect(fixture.machine.format == .first)
            #expect(fixture.apply(one: .raiseFormat(.first)) == .alreadyDone)
            #expect(fixture.apply(one: .raiseFormat(.next)) == .accepted(isNew: true))
            #expect(fixture.machine.format == .next && fixture.machine.admits(.remark("now")))
            #expect(fixture.apply(one: .raiseFormat(.next)) == .alreadyDone)
            #expect(fixture.apply(one: .raiseFormat(.first)) == .alreadyDone)
            #expect(fixture.apply(one: .remark("now")) == .accepted(isNew: true))
            #expect(fixture.machine.notes.audit.map(\.kind) == [.formatRaised, .remark])
            #expect(fixture.machine.notes.audit.map(\.detail) == ["from 1 to 2", "now"])
            #expect(fixture.machine.takeChanges().notes == fixture.machine.notes)
            #expect(Self.batch(.remark("x"), .raiseFormat(.next)).raisedFormat == .next)
            #expect(Self.batch(.remark("x")).raisedFormat == nil)
        }

        @Test("Notes of the first format are encoded as ever; of a later one any program can tell the format")
        func notes() throws {
            #expect(ClusterNotes().encoded().first == 1)
            #expect(try ClusterNotes.format(of: ClusterNotes().encoded()) == .first)
            let later = ClusterNotes(format: .next)
            #expect(try ClusterNotes(decoding: later.encoded()) == later)
            #expect(try ClusterNotes.format(of: later.encoded()) == .next)
            // What a program of some far format may write, and what nobody writes.
            #expect(try ClusterNotes.format(of: [7, 9, 0, 0, 0, 1, 2, 3]).rawValue == 9)
            for bytes: [UInt8] in [[], [0, 2, 0, 0, 0], [2, 1, 0, 0, 0], [2, 0, 0, 0, 0], [2, 2, 0, 0]] {
                #expect(throws: ByteError.self) { try ClusterNotes.format(of: bytes) }
            }
        }
    }
#endif
