// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import LedgerService
import NIOHTTP1
import Testing

@Suite("Faults that were asked for") struct FaultTests {
    @Test(
        "The next calls fail as told, and then it works",
        arguments: [
            ("500", 500, "told-to-fail"), ("500-after-commit", 500, "told-to-fail"), ("409", 409, "refused"),
        ])
    func failNext(kind: String, status: Int, code: String) async throws {
        try await withBank { bank, _ in
            try await bank.setFaults(#"{"fail_next":2,"fail_with":"\#(kind)"}"#)
            for number in 0..<2 {
                let failed = try await bank.call("/saga/debit", gid: "g\(number)")
                #expect(failed.status == status)
                #expect(failed["code"] == .string(code))
            }
            let after = try await bank.call("/saga/debit", gid: "after")
            #expect(after.status == 200)
        }
    }

    @Test("A call that failed is repeated: its effect is there once, or never if it was refused")
    func repeatedAfterFailure() async throws {
        try await withBank { bank, _ in
            for (kind, status, balance) in [
                ("500", 200, Int64(900)), ("500-after-commit", 200, 800), ("409", 409, 800),
            ] {
                try await bank.setFaults(#"{"fail_next":1,"fail_with":"\#(kind)"}"#)
                _ = try await bank.call("/saga/debit", gid: kind)
                let repeated = try await bank.call("/saga/debit", gid: kind)
                let after = try await bank.account("a0")
                #expect(repeated.status == status)
                #expect(after == [balance, 0])
            }
        }
    }

    @Test("A refused compensate is done when it is repeated")
    func refusedCompensate() async throws {
        try await withBank { bank, _ in
            _ = try await bank.call("/saga/debit")
            try await bank.setFaults(#"{"fail_next":1,"fail_with":"409"}"#)
            let refused = try await bank.call("/saga/debit/compensate")
            let repeated = try await bank.call("/saga/debit/compensate")
            let after = try await bank.account("a0")
            #expect(refused.status == 409)
            #expect(repeated.status == 200)
            #expect(after == [1000, 0])
        }
    }

    @Test(
        "Garbage, or no answer: the effect is there, and the repeated call says so", arguments: ["garbage", "hang-up"])
    func noAnswer(kind: String) async throws {
        try await withBank { bank, _ in
            try await bank.setFaults(#"{"fail_next":1,"fail_with":"\#(kind)"}"#)
            await #expect(throws: (any Error).self) { try await bank.call("/saga/debit") }
            let repeated = try await bank.call("/saga/debit")
            let after = try await bank.account("a0")
            #expect(repeated.status == 200)
            #expect(after == [900, 0])
        }
    }

    @Test func onlyTheNamedOperationsAreHit() async throws {
        try await withBank { bank, _ in
            try await bank.setFaults(#"{"fail_rate":1,"fail_with":"500","operations":["confirm"]}"#)
            let tried = try await bank.call("/tcc/debit/try")
            let failed = try await bank.call("/tcc/debit/confirm")
            let cancelled = try await bank.call("/tcc/debit/cancel")
            #expect(tried.status == 200)
            #expect(failed.status == 500)
            #expect(cancelled.status == 200)
        }
    }

    @Test func whatIsLeftIsShownAndNewSettingsReplaceOldOnes() async throws {
        try await withBank { bank, _ in
            try await bank.setFaults(#"{"fail_next":3,"delay_ms":1}"#)
            _ = try await bank.call("/saga/debit")
            let left = try await bank.send(.GET, "/faults")
            try await bank.setFaults("{}")
            let quiet = try await bank.send(.GET, "/faults")
            #expect(left["fail_next"] == .integer(2))
            #expect(left["delay_ms"] == .integer(1))
            #expect(quiet["fail_next"] == .integer(0))
            #expect(quiet["delay_ms"] == .integer(0))
        }
    }

    @Test("The same seed fails the same calls")
    func seeded() {
        func plans(seed: UInt64) -> [FaultPlan] {
            var settings = FaultSettings()
            settings.failRate = 0.5
            settings.delayMilliseconds = 5
            settings.delayRate = 0.5
            settings.seed = seed
            let faults = Faults(settings)
            return (0..<100).map { _ in faults.next(.try) }
        }
        #expect(plans(seed: 7) == plans(seed: 7))
        #expect(plans(seed: 7) != plans(seed: 8))
        #expect(Set(plans(seed: 7)).count == 4)
    }

    @Test("A death is planned for the n-th call alone")
    func death() throws {
        let faults = Faults(try FaultSettings(json: #"{"die_on":2,"die_at":"before-commit","operations":["confirm"]}"#))
        let plans = [BranchOperation.confirm, .try, .confirm, .confirm].map { faults.next($0).death }
        #expect(plans == [nil, nil, .beforeCommit, nil])
    }

    @Test("A stop waits for the calls that run")
    func gracefulStop() async throws {
        try await withBank { bank, server in
            try await bank.setFaults(#"{"fail_next":1,"fail_with":"409","delay_ms":200}"#)
            async let slow = bank.call("/saga/debit")
            try await eventually("the call is under way") {
                try await bank.send(.GET, "/faults")["fail_next"] == .integer(0)
            }
            await server.stop()
            let answer = try await slow
            #expect(answer.status == 409)
        }
    }
}
