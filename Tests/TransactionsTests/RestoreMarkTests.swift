// SPDX-License-Identifier: Apache-2.0

import Bytes
import Testing
import Transactions

@Suite("What a restore leaves open (bad input: a gid that the backup can't know)") struct RestoreMarkTests {
    private static let source = [UInt8](repeating: 7, count: 16)

    /// A state with a saga under way, an open transaction and one that is being undone, backed up and restored.
    /// - Parameter doubtful: entries at the end that may never have been a majority's.
    private static func restored(doubtful: UInt64 = 0, _ prepare: (inout Fixture) -> Void = { _ in }) -> Fixture {
        var fixture = Fixture()
        fixture.apply(.saga("a"), .begin(.tcc, gid: .test("open")), .saga("a", "b", gid: .test("undone")))
        fixture.answer("a", .action, .failure, gid: .test("undone"))
        fixture.apply(.saga("a", gid: .test("done")))
        fixture.answer("a", .action, .success, gid: .test("done"))
        fixture.archiveAndEvict()
        prepare(&fixture)
        fixture.archiveAndEvict()
        var machine = fixture.machine
        let changes = machine.takeChanges()
        fixture.machine = TransactionMachine(
            restoring: machine.allLive.compactMap { machine.transaction($0) }, logTime: machine.logTime,
            appliedIndex: machine.appliedIndex, sum: changes.sum,
            notes: ClusterNotes().restored(
                .restored, from: Self.source, at: machine.appliedIndex, certain: machine.appliedIndex - doubtful,
                earlier: nil, time: machine.logTime))
        return fixture
    }

    private static let lift = Command.liftMark(MarkLift(actor: "Ada", reason: "books compared"))

    @Test("An unknown gid is forgotten, whatever is asked about it, and gets no new transaction")
    func forgotten() {
        var fixture = Self.restored()
        let gid = Gid.test("who")
        let commands: [Command] = [
            .saga("a", gid: gid), .begin(.tcc, gid: gid), .commit(gid), .abort(gid, reason: nil),
            .registerBranch(gid, .begunTCC("a")), .deadlineReached(gid),
        ]
        for command in commands { #expect(fixture.apply(one: command) == .rejected(.forgotten)) }
        #expect(fixture.transaction(gid) == nil)
    }

    @Test("A gid that was drawn for the request gets its transaction, which goes its way")
    func fresh() {
        var fixture = Self.restored()
        let gid = Gid.test("fresh")
        let submission = Submission(
            gid: gid, kind: .saga, timeoutMilliseconds: 10_000, branches: [.saga("a")], isGidFresh: true)
        #expect(fixture.apply(one: .submit(submission)) == .accepted(isNew: true))
        // The same again finds it, as ever.
        #expect(fixture.apply(one: .submit(submission)) == .accepted(isNew: false))
        #expect(fixture.due(gid) == ["a action"])
        fixture.answer("a", .action, .success, gid: gid)
        #expect(fixture.state(gid) == .committed)
        let beginning = Beginning(gid: .test("fresh-2"), kind: .tcc, timeoutMilliseconds: 10_000, isGidFresh: true)
        #expect(fixture.apply(one: .begin(beginning)) == .accepted(isNew: true))
        #expect(fixture.apply(one: .abort(.test("fresh-2"), reason: nil)) == .accepted(isNew: true))
    }

    @Test("What was undecided is held: no call is due, no deadline ends it, nobody decides it")
    func held() throws {
        var fixture = Self.restored()
        for gid in [Gid.test, .test("open")] {
            let before = try #require(fixture.transaction(gid))
            #expect(fixture.machine.isHeld(before))
            #expect(fixture.due(gid).isEmpty)
            fixture.clock = 1_000_000
            for command in [Command.deadlineReached(gid), .commit(gid), .abort(gid, reason: nil)] {
                #expect(fixture.apply(one: command) == .rejected(.held))
            }
            #expect(fixture.answer("a", .action, .success, gid: gid) == .rejected(.held))
            #expect(fixture.transaction(gid) == before)
        }
        #expect(fixture.machine.deadlines.isEmpty)
    }

    @Test("What was decided is carried out, and told")
    func decided() {
        var fixture = Self.restored()
        #expect(fixture.due(.test("undone")) == ["a compensate"])
        #expect(fixture.apply(one: .abort(.test("undone"), reason: nil)) == .alreadyDone)
        fixture.answer("a", .compensate, .success, gid: .test("undone"))
        #expect(fixture.state(.test("undone")) == .aborted)
        #expect(fixture.state(.test("done")) == .committed)
        #expect(fixture.apply(one: .abort(.test("done"), reason: nil)) == .rejected(.alreadyDecided(.commit)))
    }

    @Test("Submitted again, a held one doesn't show how it stands; other content is named")
    func repeated() {
        var fixture = Self.restored()
        #expect(fixture.apply(one: .saga("a")) == .rejected(.held))
        #expect(fixture.apply(one: .begin(.tcc, gid: .test("open"))) == .rejected(.held))
        #expect(fixture.apply(one: .saga("b")) == .rejected(.contentConflict(path: "/branches/0/id")))
        #expect(fixture.apply(one: .saga("a", "b", gid: .test("undone"))) == .accepted(isNew: false))
    }

    private static func release(_ gid: Gid) -> Command {
        .release(Release(gid: gid, actor: "Ada", reason: "both banks have booked it"))
    }

    @Test("One is released: it alone goes on, with all of its time, and its history says who and why")
    func released() throws {
        var fixture = Self.restored()
        fixture.clock = 1_000_000
        #expect(fixture.apply(one: Self.release(.test)) == .accepted(isNew: true))
        #expect(fixture.effects == [.deadlineSet(.test, LogTime(rawValue: 1_010_000)), .callsDue(.test)])
        #expect(fixture.apply(one: Self.release(.test)) == .alreadyDone)
        #expect(fixture.due() == ["a action"])
        #expect(fixture.due(.test("open")).isEmpty)
        #expect(fixture.transaction(.test)?.history.last?.detail == "Ada: both banks have booked it")
        fixture.answer("a", .action, .success)
        #expect(fixture.state(.test) == .committed)
        // Aborted by who knows that it was.
        #expect(fixture.apply(one: Self.release(.test("open"))) == .accepted(isNew: true))
        #expect(fixture.apply(one: .abort(.test("open"), reason: nil)) == .accepted(isNew: true))
        #expect(fixture.apply(one: Self.release(.test("who"))) == .rejected(.forgotten))
        #expect(fixture.apply(one: Self.release(.test("done"))) == .alreadyDone)
        // What comes from the disk says so too.
        let open = try #require(fixture.transaction(.test("open")))
        #expect(try GlobalTransaction(decoding: open.encoded()) == open)
        // The lift leaves alone what goes on already.
        fixture.clock = 2_000_000
        #expect(fixture.apply(one: Self.lift) == .accepted(isNew: true) && fixture.effects.isEmpty)
    }

    @Test("What entries decided that may never have been a majority's is held, finished or not")
    func doubtful() {
        var fixture = Self.restored(doubtful: 3) { fixture in
            fixture.apply(.saga("a", gid: .test("late")), .saga("a", gid: .test("late-2")))
            fixture.answer("a", .action, .success, gid: .test("late"))
            fixture.apply(.saga("a", "b", gid: .test("later")))
            fixture.answer("a", .action, .failure, gid: .test("late-2"))
        }
        // The last three: "late" decided and finished, "later" accepted, "late-2" decided and finished.
        for gid in [Gid.test("late"), .test("late-2"), .test("later")] {
            #expect(fixture.transaction(gid).map(fixture.machine.isHeld) == true, "\(gid)")
            #expect(fixture.apply(one: .abort(gid, reason: nil)) == .rejected(.held))
            #expect(fixture.due(gid).isEmpty)
        }
        #expect(fixture.apply(one: .commit(.test("done"))) == .alreadyDone)
        #expect(fixture.due(.test("undone")) == ["a compensate"])
        #expect(fixture.apply(one: Self.release(.test("late"))) == .rejected(.held))
        #expect(fixture.apply(one: Self.release(.test("later"))) == .accepted(isNew: true))
        #expect(fixture.due(.test("later")) == ["a action"])
        fixture.apply(Self.lift)
        #expect(fixture.apply(one: .abort(.test("late-2"), reason: nil)) == .alreadyDone)
    }

    @Test("What was being carried out in doubt stands still until it is released, then goes on as recorded")
    func doubtfulDecision() {
        var fixture = Self.restored(doubtful: 1) { fixture in
            fixture.apply(.saga("a", "b", gid: .test("late")))
            fixture.answer("a", .action, .success, gid: .test("late"))
            fixture.answer("b", .action, .failure, gid: .test("late"))
        }
        let gid = Gid.test("late")
        #expect(fixture.state(gid) == .aborting && fixture.due(gid).isEmpty)
        #expect(fixture.answer("b", .compensate, .success, gid: gid) == .rejected(.held))
        #expect(fixture.apply(one: Self.release(gid)) == .accepted(isNew: true))
        #expect(fixture.effects == [.callsDue(gid)])
        #expect(fixture.due(gid) == ["b compensate"])
    }

    @Test(
        "What one restore has left in doubt stays so through the next; what was decided between them doesn't become so")
    func nested() throws {
        func restore(_ notes: ClusterNotes, at index: UInt64, certain: UInt64) -> ClusterNotes {
            notes.restored(
                .recovered, from: Self.source, at: index, certain: certain, earlier: notes.mark, time: .zero)
        }
        let twice = restore(restore(ClusterNotes(), at: 20, certain: 10), at: 40, certain: 35)
        let mark = try #require(twice.mark)
        #expect(mark.certain == 35 && mark.earlier == [RestoreMark.Doubt(after: 10, through: 20)])
        #expect(try ClusterNotes(decoding: twice.encoded()) == twice)
        var fixture = Fixture()
        for index in 1...38 {
            let gid = Gid.test("t-\(index)")
            fixture.apply(.saga("a", gid: gid), .abort(gid, reason: nil))
        }
        for (index, isHeld) in [(5, false), (11, true), (20, true), (21, false), (35, false), (36, true)] {
            #expect(mark.holds(try #require(fixture.transaction(.test("t-\(index)")))) == isHeld, "\(index)")
        }
        let certain = restore(restore(ClusterNotes(), at: 20, certain: 20), at: 40, certain: 40)
        #expect(certain.mark?.earlier.isEmpty == true)
    }

    @Test("Lifted once: what was held goes on at once, unknown is unknown again, and the audit says who and why")
    func lifted() {
        var fixture = Self.restored()
        fixture.clock = 1_000_000
        #expect(fixture.apply(one: Self.lift) == .accepted(isNew: true))
        #expect(
            fixture.effects == [
                .deadlineSet(.test, LogTime(rawValue: 1_010_000)), .callsDue(.test),
                .deadlineSet(.test("open"), LogTime(rawValue: 1_010_000)), .callsDue(.test("open")),
            ])
        // All of its time again: it stood long behind its first deadline.
        #expect(fixture.apply(one: .deadlineReached(.test)) == .rejected(.deadlineNotReached))
        #expect(fixture.machine.deadlines.map(\.deadline) == [1_010_000, 1_010_000].map(LogTime.init(rawValue:)))
        #expect(fixture.due() == ["a action"])
        #expect(fixture.apply(one: .commit(.test("who"))) == .rejected(.unknownTransaction))
        #expect(fixture.apply(one: .saga("a", gid: .test("who"))) == .accepted(isNew: true))
        #expect(fixture.apply(one: Self.lift) == .alreadyDone)
        let audit = fixture.machine.notes.audit
        #expect(audit.map(\.kind) == [.restored, .markLifted])
        #expect(audit.last?.actor == "Ada" && audit.last?.detail == "books compared")
        #expect(audit.first?.detail.contains("07070707") == true)
    }

    @Test("Notes are in the digest, go to the disk once when they change, and come back")
    func persisted() throws {
        var fixture = Self.restored()
        #expect(fixture.machine.takeChanges().notes == nil)
        var other = fixture
        let before = fixture.machine.digested()
        fixture.apply(Self.lift)
        other.apply(.commit(.test("who")))
        #expect(fixture.machine.digested() != before)
        #expect(fixture.machine.digested() != other.machine.digested())
        let notes = try #require(fixture.machine.takeChanges().notes)
        #expect(fixture.machine.takeChanges().notes == nil)
        #expect(notes == fixture.machine.notes)
        #expect(try ClusterNotes(decoding: notes.encoded()) == notes)
        let marked = other.machine.notes
        #expect(try ClusterNotes(decoding: marked.encoded()) == marked && marked.mark?.source == Self.source)
        #expect(throws: ByteError.self) { try ClusterNotes(decoding: Array(marked.encoded().dropLast())) }
        #expect(throws: ByteError.self) { try ClusterNotes(decoding: marked.encoded() + [0]) }
    }

    @Test("The audit keeps the latest records, and long words are cut")
    func bounds() {
        var notes = ClusterNotes()
        for index in 1...(UInt64(Limits.auditRecords) + 5) {
            notes = notes.restored(.recovered, from: Self.source, at: index, certain: index, earlier: nil, time: .zero)
        }
        #expect(notes.audit.count == Limits.auditRecords)
        #expect(notes.audit.first?.index == 6)
        let record = AuditRecord(
            kind: .markLifted, time: .zero, index: 1, actor: String(repeating: "a", count: 1_000), detail: "")
        #expect(record.actor.utf8.count == Limits.textLength)
    }

    @Test("Its commands survive the way through the log")
    func codec() throws {
        let submission = Submission(
            gid: .test, kind: .saga, timeoutMilliseconds: 10, branches: [.saga("a")], isGidFresh: true)
        let beginning = Beginning(gid: .test, kind: .tcc, timeoutMilliseconds: 10, isGidFresh: true)
        for command in [
            Self.lift, Self.release(.test), .submit(submission), .begin(beginning), .saga("a"), .begin(.tcc),
        ] {
            #expect(try Command(decoding: command.encoded()) == command)
        }
        for result in [CommandResult.rejected(.forgotten), .rejected(.held)] {
            #expect(try CommandResult(decoding: result.encoded()) == result)
        }
    }
}
