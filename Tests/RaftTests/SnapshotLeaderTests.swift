// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("Snapshots, the leader (Raft paper, section 7)") struct SnapshotLeaderTests {
    /// Leads term 2 with a log that begins behind 5; n2 has all of it, 11 is committed, n3 hasn't answered yet.
    private static func leader(_ membership: Membership = .three, more: [Entry] = []) -> Fixture {
        let terms = [UInt64](repeating: 1, count: 5 - more.count)
        var fixture = Fixture(
            currentTerm: 1, base: .test(5, term: 1), membership: membership, terms: terms, more: more, applied: 10)
        fixture.elect()
        fixture.acknowledge(11, from: "n2")
        return fixture
    }

    /// As above, and n3 turned out to lack what the log has let go of.
    private static func leaderWithLaggard() -> Fixture {
        var fixture = Self.leader()
        fixture.reject(10, hint: 1, from: "n3")
        return fixture
    }

    @Test("A follower that lacks what was let go of is offered a snapshot instead of being probed for ever (faults 36)")
    func offered() {
        var fixture = Self.leader()
        let asked = fixture.reject(10, hint: 1, from: "n3") + fixture.elapse()
        #expect(asked.count { $0 == .takeSnapshot } == 1)
        let taken = fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        #expect(taken.filter { $0 == .takeSnapshot }.isEmpty)
        let offer = SnapshotOffer.test(11, term: 2)
        for _ in 0..<5 {
            let effects = fixture.elapse()
            #expect(effects.offers(to: "n3") == [offer])
            #expect(effects.appends(to: "n3").isEmpty)
            #expect(effects.offers(to: "n2").isEmpty)
            #expect(!effects.contains(.takeSnapshot))
            fixture.answerInstalling(from: "n3")
            fixture.acknowledge(11, from: "n2")
        }
    }

    @Test("One is asked for at a time, for all that need one") func oneAtATime() {
        var fixture = Fixture(
            currentTerm: 1, base: .test(5, term: 1), membership: .test(["n1", "n2", "n3", "n4"]), terms: [1], applied: 6
        )
        fixture.elect(by: ["n2", "n3"])
        var asked = 0
        for peer: NodeID in ["n3", "n4"] {
            asked += fixture.reject(6, hint: 1, from: peer).count { $0 == .takeSnapshot }
        }
        for _ in 0..<4 { asked += fixture.elapse().count { $0 == .takeSnapshot } }
        #expect(asked == 1)
    }

    @Test("A follower whose log reaches the base needs none") func reachesTheBase() {
        var fixture = Self.leader()
        let effects = fixture.reject(10, hint: 6, from: "n3")
        #expect(!effects.contains(.takeSnapshot))
        #expect(effects.appends(to: "n3").map(\.prevLogIndex) == [5])
        #expect(effects.appends(to: "n3").map(\.prevLogTerm) == [1])
        #expect(effects.appends(to: "n3").flatMap(\.entries).map(\.index) == [6, 7, 8, 9, 10, 11])
    }

    @Test("While there is no snapshot yet, the follower hears that there is a leader, and tells if it has the base")
    func leaderIsHeard() {
        var fixture = Self.leaderWithLaggard()
        let heartbeat = fixture.elapse().appends(to: "n3")
        #expect(heartbeat.map(\.prevLogIndex) == [5])
        #expect(heartbeat.map(\.prevLogTerm) == [1])
        #expect(heartbeat.map(\.leaderCommit) == [5])
        #expect(heartbeat.allSatisfy { $0.entries.isEmpty })
        // That it lacks the base is no news.
        #expect(fixture.reject(5, hint: 1, from: "n3").appends(to: "n3").isEmpty)
        // That it has it is.
        let effects = fixture.acknowledge(5, from: "n3")
        #expect(effects.appends(to: "n3").flatMap(\.entries).map(\.index) == [6, 7, 8, 9, 10, 11])
    }

    @Test("A round of reads goes out with the offer, and its echo counts (thesis 6.4)") func readRound() {
        var fixture = Self.leaderWithLaggard()
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.elapse()
        let asked = fixture.stepAndSave(.read(ReadID(rawValue: 1)))
        let rounds = asked.messages(to: "n3").compactMap { message -> UInt64? in
            if case .installSnapshot(let request) = message { request.readRound } else { nil }
        }
        #expect(rounds == [1])
        #expect(fixture.stepAndSave().offers(to: "n3").isEmpty)
        let reply = AppendEntriesReply(term: 2, outcome: .installing, readRound: 1)
        let effects = fixture.stepAndSave(.received(.appendEntriesReply(reply), from: "n3"))
        #expect(effects.readsReady == [ReadID(rawValue: 1)])
    }

    @Test("A follower that installs keeps its leader in office (thesis 6.2)") func installingIsHeard() {
        var fixture = Self.leaderWithLaggard()
        for _ in 0..<50 {
            fixture.elapse()
            fixture.answerInstalling(from: "n3")
        }
        #expect(fixture.core.summary.role == .leader)
    }

    @Test("Who has installed it gets the entries behind it (figure 13, step 8)") func goesOnBehindIt() {
        var fixture = Self.leaderWithLaggard()
        fixture.propose()
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.elapse()
        let effects = fixture.acknowledge(11, from: "n3")
        #expect(effects.appends(to: "n3").map(\.prevLogIndex) == [11])
        #expect(effects.appends(to: "n3").flatMap(\.entries).map(\.index) == [12])
        #expect(fixture.core.matchIndexes["n3"] == 11)
    }

    @Test("Who has it, but not yet on disk, is offered it again") func notYetOnDisk() {
        var fixture = Self.leaderWithLaggard()
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.acknowledge(0, from: "n3")
        #expect(fixture.elapse().offers(to: "n3") == [.test(11, term: 2)])
    }

    @Test("It carries the membership of its own index, not an older or a newer one (faults 33)") func membership() {
        let four = Membership.test(["n1", "n2", "n3"], learners: ["n4"])
        var fixture = Self.leader(.three, more: [.test(10, term: 1, four)])
        fixture.change(.addLearners([.test("n5")]))
        fixture.reject(10, hint: 1, from: "n3")
        #expect(fixture.core.membership.members.count == 5)
        fixture.stepAndSave(.snapshotTaken(.test(9, term: 1)))
        #expect(fixture.elapse().offers(to: "n3").map(\.membership) == [.three])
        fixture = Self.leader(.three, more: [.test(10, term: 1, four)])
        fixture.change(.addLearners([.test("n5")]))
        fixture.reject(10, hint: 1, from: "n3")
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        #expect(fixture.elapse().offers(to: "n3").map(\.membership) == [four])
    }

    @Test("A joint membership goes with the snapshot whole (section 6)") func jointMembership() {
        let joint = Membership.test(["n1", "n2", "n4"], outgoing: ["n1", "n2", "n3"])
        var fixture = Fixture(
            currentTerm: 1, base: .test(5, term: 1), membership: joint, terms: [1], applied: 6)
        fixture.elect(by: ["n2"])
        fixture.reject(6, hint: 1, from: "n3")
        fixture.stepAndSave(.snapshotTaken(.test(6, term: 1)))
        #expect(fixture.elapse().offers(to: "n3").map(\.membership) == [joint])
    }

    @Test("A snapshot of another log, or below the base, is offered to nobody") func ofAnotherLog() {
        for description in [SnapshotDescription.test(10, term: 2), .test(4, term: 1), .test(40, term: 2)] {
            var fixture = Self.leaderWithLaggard()
            let effects = fixture.stepAndSave(.snapshotTaken(description))
            #expect(effects.offers(to: "n3").isEmpty)
            let later = fixture.elapse()
            #expect(later.offers(to: "n3").isEmpty)
            #expect((effects + later).count { $0 == .takeSnapshot } == 1)
        }
    }

    @Test("Nor does it take the place of one that is good") func badBehindGood() {
        var fixture = Self.leaderWithLaggard()
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.stepAndSave(.snapshotTaken(.test(10, term: 2)))
        #expect(fixture.elapse().offers(to: "n3") == [.test(11, term: 2)])
    }

    @Test("One at the base is good: the log goes on behind it") func atTheBase() {
        var fixture = Self.leaderWithLaggard()
        fixture.stepAndSave(.snapshotTaken(.test(5, term: 1)))
        #expect(fixture.elapse().offers(to: "n3") == [.test(5, term: 1)])
    }

    @Test("The log behind a snapshot that is offered stays (faults 30)") func logBehindItStays() {
        var fixture = Fixture(currentTerm: 1, base: .test(5, term: 1), terms: [UInt64](repeating: 1, count: 10)) {
            $0.retainedLogBytes = 100
        }
        fixture.elect()
        fixture.acknowledge(16, from: "n2")
        fixture.reject(15, hint: 1, from: "n3")
        // While it is taken nothing goes at all.
        fixture.stepAndSave(.compact(through: 16))
        #expect(fixture.core.base.index == 5)
        fixture.stepAndSave(.snapshotTaken(.test(8, term: 1)))
        #expect(fixture.core.base.index == 8)
        #expect(fixture.elapse().offers(to: "n3") == [.test(8, term: 1)])
    }

    @Test("If the log has outgrown the snapshot that is offered, another one is taken (faults 30, 35)") func outgrown()
    {
        var fixture = Fixture(currentTerm: 1, base: .test(5, term: 1), terms: [1], applied: 6) {
            $0.retainedLogBytes = 100
        }
        fixture.elect()
        fixture.acknowledge(7, from: "n2")
        fixture.reject(6, hint: 1, from: "n3")
        fixture.stepAndSave(.snapshotTaken(.test(7, term: 2)))
        // More than a follower that takes entries is waited for: a snapshot needs its time.
        fixture.propose(20)
        fixture.acknowledge(27, from: "n2")
        fixture.stepAndSave(.compact(through: 27))
        #expect(fixture.core.base.index == 7)
        #expect(fixture.elapse().offers(to: "n3") == [.test(7, term: 2)])
        fixture.reject(6, hint: 1, from: "n3")
        fixture.propose(200)
        fixture.acknowledge(227, from: "n2")
        let effects = fixture.stepAndSave(.compact(through: 227)) + fixture.elapse()
        #expect(fixture.core.base.index > 7)
        #expect(effects.count { $0 == .takeSnapshot } == 1)
        fixture.stepAndSave(.snapshotTaken(.test(227, term: 2)))
        #expect(fixture.elapse().offers(to: "n3") == [.test(227, term: 2)])
    }

    @Test("A connection that is new before the follower has answered doesn't make it lack anything (faults 12)")
    func newConnection() {
        var fixture = Self.leader()
        for input in [RaftInput.peerDisconnected("n3", isRefused: false), .peerConnected("n3")] {
            let effects = fixture.stepAndSave(input)
            #expect(!effects.contains(.takeSnapshot))
            #expect(effects.appends(to: "n3").map(\.prevLogIndex) == [10])
        }
        // What does lack something goes on lacking it.
        fixture.reject(10, hint: 1, from: "n3")
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.stepAndSave(.peerConnected("n3"))
        #expect(fixture.elapse().offers(to: "n3") == [.test(11, term: 2)])
    }

    @Test("No snapshot is taken for a follower that doesn't answer, however much goes") func silentFollower() {
        var fixture = Fixture(currentTerm: 1, base: .test(5, term: 1), terms: [1], applied: 6) {
            $0.retainedLogBytes = 100
        }
        fixture.elect()
        fixture.acknowledge(7, from: "n2")
        fixture.reject(6, hint: 1, from: "n3")
        fixture.stepAndSave(.snapshotTaken(.test(7, term: 2)))
        // It is heard no more.
        var asked = 0
        for round in 1...20 as ClosedRange<UInt64> {
            fixture.advance(milliseconds: 60)
            fixture.propose(10)
            fixture.acknowledge(7 + 10 * round, from: "n2")
            let index = 7 + 10 * round
            let effects = fixture.stepAndSave(.compact(through: LogIndex(rawValue: index))) + fixture.elapse()
            guard effects.contains(.takeSnapshot) else { continue }
            asked += 1
            fixture.stepAndSave(.snapshotTaken(.test(index, term: 2)))
        }
        #expect(fixture.core.base.index > 150)
        #expect(asked <= 1)
        // When it comes back it gets a new one.
        let back = fixture.answerInstalling(from: "n3") + fixture.elapse()
        #expect(back.count { $0 == .takeSnapshot } == 1)
    }

    @Test("One that can't be taken is asked for again, but not in a busy loop (faults 34)") func failed() {
        var fixture = Self.leaderWithLaggard()
        #expect(!fixture.stepAndSave(.snapshotFailed).contains(.takeSnapshot))
        #expect(!fixture.stepAndSave().contains(.takeSnapshot))
        fixture.answerInstalling(from: "n3")
        #expect(fixture.elapse().count { $0 == .takeSnapshot } == 1)
        #expect(fixture.elapse().offers(to: "n3").isEmpty)
    }

    @Test("A new leader knows nothing of an older one's snapshot") func newLeader() {
        var fixture = Self.leaderWithLaggard()
        fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)))
        fixture.stepAndSave(.received(AppendEntries.test(term: 3, after: 11, of: 2), from: "n2"))
        let late = fixture.stepAndSave(.snapshotTaken(.test(11, term: 2)), .snapshotFailed)
        #expect(late.isEmpty)
        fixture.elect()
        fixture.acknowledge(12, from: "n2")
        let asked = fixture.reject(11, hint: 1, from: "n3") + fixture.elapse()
        #expect(asked.contains(.takeSnapshot))
    }
}
