// SPDX-License-Identifier: Apache-2.0

import Testing
import Transactions

@Suite("Whatever the order of calls, answers, deadlines and leaders") struct InterleavingTests {
    @Test(
        "No branch hears two outcomes, and what took effect is what was decided (I6, I7, I9, I10, I13)",
        arguments: 0..<300)
    func oneOutcome(seed: UInt64) throws {
        var world = ModelWorld(seed: seed, transactions: 10)
        world.run(steps: 500)
        world.heal()
        for number in 0..<10 {
            let gid = Gid.test("t-\(number)")
            let transaction = try #require(world.fixture.transaction(gid))
            #expect(transaction.state.isFinished, "\(gid) doesn't end")
            let decision = try #require(transaction.decision)
            #expect(world.told[gid] == decision)
            for branch in transaction.branches {
                Self.check(Seat(gid: gid, branchID: branch.id), decision, world)
            }
            // Steps are undone in the reverse of their order.
            let undone = world.participants.compensated[gid, default: []]
            #expect(undone == undone.sorted(by: >))
        }
    }

    private static func check(_ seat: Seat, _ decision: Decision, _ world: ModelWorld) {
        let participants = world.participants
        switch decision {
        case .commit:
            #expect(!participants.heard(.cancel, seat) && !participants.heard(.compensate, seat))
            #expect(participants.inForce.contains(seat), "\(seat) isn't in force though it was committed")
        case .abort:
            #expect(!participants.heard(.confirm, seat))
            #expect(!participants.inForce.contains(seat), "\(seat) is in force though it was aborted")
        }
        #expect(!participants.reserved.contains(seat), "\(seat) is still reserved")
        // A step that was never to be called isn't undone: there is nothing to undo, and nobody to ask.
        #expect(!participants.heard(.compensate, seat) || world.everActing.contains(seat))
    }

    @Test("Over all seeds both outcomes happen, for each protocol")
    func coverage() {
        var outcomes: Set<String> = []
        for seed in UInt64(0)..<20 {
            var world = ModelWorld(seed: seed, transactions: 10)
            world.run(steps: 500)
            world.heal()
            for (gid, decision) in world.told {
                guard let transaction = world.fixture.transaction(gid) else { continue }
                let origin =
                    transaction.origin == .begun ? "begun" : transaction.isConcurrent ? "concurrent" : "whole"
                outcomes.insert("\(transaction.kind.name) \(origin) \(decision.outcomeName)")
            }
        }
        #expect(
            outcomes.sorted() == [
                "saga begun aborted", "saga begun committed", "saga concurrent aborted", "saga concurrent committed",
                "saga whole aborted", "saga whole committed",
                "tcc begun aborted", "tcc begun committed", "tcc whole aborted", "tcc whole committed",
            ])
    }
}
