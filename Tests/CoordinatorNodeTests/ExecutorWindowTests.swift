// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Raft
import Testing
import Transactions

@Suite("Windows, fairness and changes of leader") struct CallWindowTests {
    @Test("Thousands of due calls keep to the windows, and all of them are made")
    func windows() throws {
        var script = ScheduleScript(.init(callsPerTarget: 20, callsInTotal: 50))
        for number in 0..<3_000 {
            let gid = try Due.gid("g\(number)")
            script.due([try Due.call(gid, url: "http://bank\(number % 5):80/debit")], of: gid)
        }
        #expect(script.inFlight.count == 50)
        var answered = 0
        while script.answer(.success) { answered += 1 }
        #expect(answered == 3_000 && script.started.count == 3_000)
        #expect(script.mostInFlight == 50)
        #expect(script.mostInFlightOfTarget.count == 5)
    }

    @Test("Targets take turns: the one with many calls waiting doesn't delay the one with few")
    func targetsTakeTurns() throws {
        var script = ScheduleScript(.init(callsPerTarget: 10, callsInTotal: 10))
        for number in 0..<1_000 {
            let gid = try Due.gid("many\(number)")
            script.due([try Due.call(gid, url: "http://busy/x")], of: gid)
        }
        let gid = try Due.gid("few")
        script.due([try Due.call(gid, url: "http://quiet/x")], of: gid)
        script.answer(.success)
        script.answer(.success)
        #expect(script.started.contains { $0.call.gid == gid })
    }

    @Test("A target that never answers keeps its own window busy and nobody else's")
    func poisonTarget() throws {
        var script = ScheduleScript(.init(callsPerTarget: 4, callsInTotal: 100))
        for number in 0..<500 {
            let gid = try Due.gid("poison\(number)")
            script.due([try Due.call(gid, url: "http://poison/x")], of: gid)
        }
        for number in 0..<500 {
            let gid = try Due.gid("good\(number)")
            script.due([try Due.call(gid, url: "http://good/x")], of: gid)
            let isAnswered = script.answer(.success) { $0.gid == gid }
            #expect(isAnswered, "call \(number) of the good target had to wait")
        }
    }

    @Test("Targets that never answer get ever smaller windows, so that many of them leave room for a living one")
    func manyPoisonTargets() throws {
        var script = ScheduleScript(.init(callsPerTarget: 8, callsInTotal: 100))
        for number in 0..<4_000 {
            let gid = try Due.gid("poison\(number)")
            script.due([try Due.call(gid, url: "http://poison\(number % 40)/x")], of: gid)
        }
        #expect(script.inFlight.count == 100)
        // Every call of a dead target ends by its time limit, and is made again.
        while script.answer(.unreachable) {}
        script.advance(byMilliseconds: 10_000)
        #expect(script.started.count == 4_040 && script.inFlight.count == 40)
        let gid = try Due.gid("good")
        script.due([try Due.call(gid, url: "http://good/x")], of: gid)
        let isAnswered = script.answer(.success) { $0.gid == gid }
        #expect(isAnswered)
    }

    @Test("A target that answers again has its whole window back after a few answers")
    func windowGrowsAgain() throws {
        var script = ScheduleScript(.init(callsPerTarget: 16))
        for number in 0..<200 {
            let gid = try Due.gid("g\(number)")
            script.due([try Due.call(gid)], of: gid)
        }
        for _ in 0..<60 { script.answer(.unreachable) }
        #expect(script.inFlight.count == 2)
        for _ in 0..<3 { script.answer(.success) }
        #expect(script.inFlight.count == 16)
    }

    @Test("A poison path of a target leaves half of the target's window to calls that have not failed")
    func poisonPath() throws {
        var script = ScheduleScript(.init(callsPerTarget: 4, callsInTotal: 100))
        for number in 0..<100 {
            let gid = try Due.gid("poison\(number)")
            script.due([try Due.call(gid, url: "http://bank/poison")], of: gid)
        }
        // Each has failed once; from now on the path hangs.
        while script.started.count < 100 { script.answer(.unreachable) }
        while script.answer(.unreachable) {}
        script.advance(byMilliseconds: 10_000)
        #expect(script.inFlight.count == 1)
        for number in 0..<100 {
            let gid = try Due.gid("good\(number)")
            script.due([try Due.call(gid, url: "http://bank/good")], of: gid)
            let isAnswered = script.answer(.success) { $0.gid == gid }
            #expect(isAnswered, "call \(number) of the good path had to wait")
        }
    }

    @Test("Repeated calls get their turn although new ones keep coming")
    func noStarvation() throws {
        var script = ScheduleScript(.init(callsPerTarget: 1))
        let old = try Due.gid("old")
        script.due([try Due.call(old)], of: old)
        script.answer(.unreachable)
        for number in 0..<10 {
            let gid = try Due.gid("new\(number)")
            script.due([try Due.call(gid)], of: gid)
        }
        script.advance(byMilliseconds: 1_000)
        for _ in 0..<3 { script.answer(.success) }
        #expect(script.started.contains { $0.call.gid == old && $0.attempt == 2 })
    }

    @Test("Hosts that differ in port are targets of their own; user, path and query make no difference")
    func authority() {
        #expect(CallAuthority.of("http://bank:8080/a/b?c#d") == "bank:8080")
        #expect(CallAuthority.of("http://bank") == "bank")
        #expect(CallAuthority.of("http://bank?x=http://other/") == "bank")
        #expect(CallAuthority.of("http://user@bank:1/") == "bank:1")
        #expect(CallAuthority.of("http://[::1]:9/x") == "[::1]:9")
        #expect(CallAuthority.of("bank/x") == "bank")
        #expect(CallAuthority.of("").isEmpty)
        #expect(CallAuthority.of("http://").isEmpty)
    }

    @Test("Without leadership nothing is begun and nothing proposed")
    func notLeading() throws {
        var script = ScheduleScript(isLeading: false)
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        #expect(script.started.isEmpty && script.schedule.count == 0)
        script.step(.leadershipGained)
        script.due([try Due.call(gid)], of: gid)
        script.step(.leadershipLost)
        script.answer(.success)
        script.advance(byMilliseconds: 60_000)
        #expect(script.started.count == 1 && script.proposed.isEmpty)
        #expect(script.schedule.count == 0 && script.schedule.targetCount == 0)
    }

    @Test("A new leader calls at once, within the windows, however often the last one tried; then its back-off goes on")
    func failover() throws {
        var script = ScheduleScript(.init(callsPerTarget: 10, callsInTotal: 100))
        for number in 0..<500 {
            let gid = try Due.gid("g\(number)")
            script.due([try Due.call(gid, priorAttempts: number < 250 ? 64 : 0)], of: gid)
        }
        #expect(script.inFlight.count == 10)
        #expect(script.started.contains { $0.attempt == 65 })
        let first = try Due.gid("g0")
        let isCalled = script.answer(.unreachable) { $0.gid == first }
        #expect(isCalled)
        while script.answer(.success) {}
        #expect(script.started.count == 500)
        // 65 attempts are far beyond the cap: the next comes after half of it at the earliest.
        script.advance(byMilliseconds: 4_999)
        #expect(script.started.count == 500)
        script.advance(byMilliseconds: 5_001)
        #expect(script.started.count == 501 && script.started.last?.attempt == 66)
    }

    @Test(
        "A leader that comes back neither repeats a call while its last term's is in flight, nor takes that one's answer"
    )
    func leaderAgain() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        script.step(.leadershipLost)
        script.step(.leadershipGained)
        script.due([try Due.call(gid, priorAttempts: 3)], of: gid)
        #expect(script.started.count == 1)
        script.answer(.failure(detail: "an old leader calls"))
        #expect(script.proposed.isEmpty && script.started.map(\.attempt) == [1, 4])
        script.answer(.success)
        #expect(script.proposed.count == 1)
    }

    @Test("Random scripts: windows and the single attempt hold, and in the end every call is answered")
    func random() throws {
        for seed in UInt64(1)...200 {
            var random = SplitMix64(seed: seed)
            var script = ScheduleScript(.init(callsPerTarget: 3, callsInTotal: 7), seed: seed)
            var due: [Gid: [BranchCall]] = [:]
            for step in 0..<200 {
                switch random.next() % 6 {
                case 0, 1:
                    let gid = try Due.gid("g\(random.next() % 20)")
                    due[gid] = try (0..<(random.next() % 4)).map { branch in
                        try Due.call(gid, branch: "\(branch)", url: "http://bank\((branch + UInt64(step)) % 3)/x")
                    }
                    script.due(due[gid] ?? [], of: gid)
                case 2: script.answer(.unreachable)
                case 3: script.answer(.success)
                case 4: script.advance(byMilliseconds: random.next() % 3_000)
                default:
                    guard random.next() % 10 == 0 else { continue }
                    script.step(.leadershipLost)
                    script.step(.leadershipGained)
                    for (gid, calls) in due { script.due(calls, of: gid) }
                }
            }
            // The world heals: every attempt succeeds, and the machine forgets what it hears of.
            for _ in 0..<50 {
                while script.answer(.success) {}
                for command in script.proposed {
                    guard case .branchResult(let result) = command else { continue }
                    due[result.gid]?.removeAll { $0.branchID == result.branchID }
                    script.due(due[result.gid] ?? [], of: result.gid)
                }
                script.proposed.removeAll()
                script.advance(byMilliseconds: 10_000)
            }
            let left = due.values.map(\.count).reduce(0, +)
            #expect(left == 0, "seed \(seed)")
            #expect(script.schedule.count == 0 && script.schedule.targetCount == 0, "seed \(seed)")
        }
    }
}
