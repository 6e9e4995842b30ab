// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Raft
import Testing
import Transactions

@Suite("What is called when") struct CallScheduleTests {
    @Test("A due call starts at once, and its result is proposed with the number of attempts")
    func success() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        let due = try Due.call(gid)
        script.due([due], of: gid)
        #expect(script.started.map(\.attempt) == [1])
        script.answer(.success)
        #expect(
            script.proposed == [
                .branchResult(
                    BranchResult(
                        gid: gid, branchID: due.branchID, operation: .action, verdict: .success, attempts: 1))
            ])
        script.due([], of: gid)
        #expect(script.schedule.count == 0 && script.schedule.targetCount == 0)
    }

    @Test("A participant's no to an action or a try is a failure; to a confirm, cancel or compensate it is tried again")
    func refusal() throws {
        for operation in Operation.allCases {
            var script = ScheduleScript()
            let gid = try Due.gid("g1")
            script.due([try Due.call(gid, operation)], of: gid)
            script.answer(.failure(detail: "no money"))
            guard case .some(let proposed) = script.proposed.first else {
                Issue.record("nothing proposed for \(operation)")
                continue
            }
            if operation.isRefusable {
                guard case .branchResult(let result) = proposed else { Issue.record("\(proposed)"); continue }
                #expect(result.verdict == .failure && result.detail == "no money")
                #expect(script.armed.map { $0 >= 1_000_000_000 } ?? true)
            } else {
                guard case .attemptsFailed(let failed) = proposed else { Issue.record("\(proposed)"); continue }
                #expect(failed.attempts == 1 && failed.lastError == "refused after the decision: no money")
                script.advance(byMilliseconds: 100)
                #expect(script.started.count == 2)
            }
        }
    }

    @Test("A call that stays unanswered is made again after growing delays, without end")
    func retries() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        for _ in 0..<1_000 {
            let isAnswered = script.answer(.unreachable)
            #expect(isAnswered)
            script.advance(byMilliseconds: 10_000)
        }
        #expect(script.started.count == 1_001 && script.started.last?.attempt == 1_001)
        // Half the base at least after the first, the cap at most after the thousandth.
        let gaps = zip(script.started, script.started.dropFirst()).map { $1.at - $0.at }
        #expect(gaps.allSatisfy { $0 >= 50 })
        #expect(script.reports.count == 1_000)
    }

    @Test("Failed attempts are proposed at the first, second, fourth, eighth …, and worry an operator at 5, 10, 20 …")
    func failedAttemptsAreSummarised() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        for _ in 0..<40 {
            script.answer(.unreachable)
            script.advance(byMilliseconds: 10_000)
        }
        let attempts = script.proposed.map { command -> UInt32 in
            guard case .attemptsFailed(let failed) = command else { return 0 }
            return failed.attempts
        }
        #expect(attempts == [1, 2, 4, 8, 16, 32])
        #expect(script.reports.filter(\.isWorrying).map(\.attempts) == [5, 10, 20, 40])
    }

    @Test("A call is never made twice at the same time, however often the machine names it")
    func neverTwice() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        let calls = try ["1", "2", "3"].map { try Due.call(gid, branch: $0) }
        for _ in 0..<3 { script.due(calls, of: gid) }
        #expect(script.started.count == 3)
        // Backing off: named again, it keeps its delay.
        script.answer(.unreachable)
        script.due(calls, of: gid)
        #expect(script.started.count == 3)
        // Reported but not yet applied: named again because another branch's result came first.
        script.answer(.success)
        script.due(calls, of: gid)
        #expect(script.started.count == 3)
        script.advance(byMilliseconds: 100)
        #expect(script.started.count == 4)
    }

    @Test("A call that the machine no longer names is dropped, whether it waits for its turn or for its next attempt")
    func stale() throws {
        var script = ScheduleScript(.init(callsPerTarget: 1))
        let gid = try Due.gid("g1")
        let first = try Due.call(gid, branch: "1")
        let second = try Due.call(gid, branch: "2")
        script.due([first, second], of: gid)
        script.answer(.unreachable)
        // The second one started in the meantime; the first backs off.
        #expect(script.started.map(\.call.branchID.rawValue) == ["1", "2"])
        script.due([second], of: gid)
        script.advance(byMilliseconds: 20_000)
        #expect(script.started.count == 2)
        #expect(script.schedule.count == 1)
    }

    @Test("A call in flight that is no longer due comes to its end: its result is proposed, but it isn't repeated")
    func staleInFlight() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid, branch: "1"), try Due.call(gid, branch: "2")], of: gid)
        script.due([], of: gid)
        script.answer(.success)
        script.answer(.unreachable)
        #expect(script.proposed.count == 1)
        script.advance(byMilliseconds: 60_000)
        #expect(script.started.count == 2 && script.proposed.count == 1)
        #expect(script.schedule.count == 0 && script.schedule.targetCount == 0)
    }

    @Test("A finished transaction's calls are dropped")
    func finished() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        script.answer(.unreachable)
        script.step(.finished(gid))
        script.advance(byMilliseconds: 60_000)
        #expect(script.started.count == 1 && script.schedule.count == 0)
    }

    @Test("The next step of a saga starts when the machine names it, and the step before is forgotten")
    func sequentialSaga() throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        for branch in ["1", "2", "3"] {
            script.due([try Due.call(gid, branch: branch)], of: gid)
            #expect(script.started.last?.call.branchID.rawValue == branch)
            script.answer(.success)
            #expect(script.schedule.count == 1)
        }
        script.step(.finished(gid))
        #expect(script.schedule.count == 0 && script.proposed.count == 3)
    }

    @Test("A result that is not applied in time is proposed again, and only then")
    func proposedAgain() throws {
        var script = ScheduleScript(.init(proposeAgainMilliseconds: 5_000))
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        script.answer(.success)
        script.advance(byMilliseconds: 4_999)
        #expect(script.proposed.count == 1)
        script.advance(byMilliseconds: 1)
        #expect(script.proposed.count == 2 && script.proposed.first == script.proposed.last)
        script.due([], of: gid)
        script.advance(byMilliseconds: 60_000)
        #expect(script.proposed.count == 2)
    }

    @Test(
        "Retry-After delays the next attempt, but not beyond the cap", arguments: [(2_000, 2_000), (600_000, 10_000)])
    func retryAfter(asked: UInt64, waited: UInt64) throws {
        var script = ScheduleScript()
        let gid = try Due.gid("g1")
        script.due([try Due.call(gid)], of: gid)
        script.answer(
            .unknown(UnknownAnswer(kind: .status(503), detail: "status 503", retryAfterMilliseconds: asked)))
        script.advance(byMilliseconds: waited - 1)
        #expect(script.started.count == 1)
        script.advance(byMilliseconds: 1)
        #expect(script.started.count == 2)
    }

    @Test("The same inputs with the same seed give the same effects")
    func replay() throws {
        func trace(seed: UInt64) throws -> [UInt64] {
            var script = ScheduleScript(seed: seed)
            let gid = try Due.gid("g1")
            script.due([try Due.call(gid)], of: gid)
            for _ in 0..<20 {
                script.answer(.unreachable)
                script.advance(byMilliseconds: 10_000)
            }
            return script.started.map(\.at)
        }
        let first = try trace(seed: 7)
        let again = try trace(seed: 7)
        let other = try trace(seed: 8)
        #expect(first == again)
        #expect(first != other)
    }
}
