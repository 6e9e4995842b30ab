// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Testing

/// A participant in memory: runs what the rules say and keeps what took effect.
private struct Branch: Hashable {
    private(set) var rows: [BarrierRow] = []
    /// Operations whose effect was run and succeeded, in order.
    private(set) var effects: [BranchOperation] = []
    /// How often an effect was run, refusals included.
    private(set) var runs = 0

    /// - Parameter isRefused: what the effect answers if it is run.
    mutating func call(_ operation: BranchOperation, isRefused: Bool = false) throws -> BranchVerdict {
        switch try BarrierRules.decide(operation, rows: self.rows) {
        case .answer(let verdict, let recorded):
            self.rows += recorded
            return verdict
        case .run(let recordsFailure):
            self.runs += 1
            let verdict: BranchVerdict = isRefused ? .failure(reason: "no") : .success
            if verdict == .success { self.effects.append(operation) }
            if verdict == .success || recordsFailure {
                self.rows.append(BarrierRow(operation: operation, verdict: verdict, origin: .ran))
            }
            return verdict
        }
    }
}

@Suite("The barrier's rules") struct BarrierRulesTests {
    static let undos: [(first: BranchOperation, undo: BranchOperation)] = [(.try, .cancel), (.action, .compensate)]

    @Test("A duplicate has no effect and gets the first answer", arguments: BranchOperation.allCases)
    func duplicate(operation: BranchOperation) throws {
        var branch = Branch()
        switch operation {
        case .confirm, .cancel: _ = try branch.call(.try)
        case .compensate: _ = try branch.call(.action)
        case .try, .action: break
        }
        let first = try branch.call(operation)
        let before = branch
        let second = try branch.call(operation, isRefused: true)
        #expect(first == .success)
        #expect(second == .success)
        #expect(branch == before)
    }

    @Test("A refusal of a first operation is final", arguments: BarrierRulesTests.undos)
    func refusalIsFinal(first: BranchOperation, undo: BranchOperation) throws {
        var branch = Branch()
        let refusal = try branch.call(first, isRefused: true)
        let repeated = try branch.call(first)
        let undone = try branch.call(undo)
        #expect(refusal == .failure(reason: "no"))
        #expect(repeated == refusal)
        #expect(undone == .success)
        #expect(branch.effects == [])
        #expect(branch.runs == 1)
    }

    @Test("Undoing what never came has no effect, and blocks it", arguments: BarrierRulesTests.undos)
    func undoFirst(first: BranchOperation, undo: BranchOperation) throws {
        var branch = Branch()
        let undone = try branch.call(undo)
        let late = try branch.call(first)
        let again = try branch.call(undo)
        #expect(undone == .success)
        #expect(late != .success)
        #expect(again == .success)
        #expect(branch.runs == 0)
        #expect(branch.rows.map(\.origin) == [.blocked, .empty])
    }

    @Test("What was done is undone once", arguments: BarrierRulesTests.undos)
    func undoAfter(first: BranchOperation, undo: BranchOperation) throws {
        var branch = Branch()
        _ = try branch.call(first)
        _ = try branch.call(undo)
        let late = try branch.call(first)
        _ = try branch.call(undo)
        #expect(late == .success)
        #expect(branch.effects == [first, undo])
        #expect(branch.runs == 2)
    }

    @Test(
        "A refused confirm, cancel or compensate is run again until it succeeds",
        arguments: [(BranchOperation.try, BranchOperation.confirm), (.try, .cancel), (.action, .compensate)])
    func refusalIsNotFinal(first: BranchOperation, second: BranchOperation) throws {
        var branch = Branch()
        _ = try branch.call(first)
        let refused = try branch.call(second, isRefused: true)
        let repeated = try branch.call(second)
        #expect(refused == .failure(reason: "no"))
        #expect(repeated == .success)
        #expect(branch.effects == [first, second])
    }

    @Test func confirmAndCancelExcludeEachOther() throws {
        var confirmed = Branch()
        _ = try confirmed.call(.try)
        _ = try confirmed.call(.confirm)
        let afterConfirm = confirmed
        #expect(throws: BarrierContradiction.self) { try confirmed.call(.cancel) }
        #expect(confirmed == afterConfirm)

        var cancelled = Branch()
        _ = try cancelled.call(.try)
        _ = try cancelled.call(.cancel)
        let afterCancel = cancelled
        #expect(throws: BarrierContradiction.self) { try cancelled.call(.confirm) }
        #expect(cancelled == afterCancel)
    }

    @Test func confirmNeedsATryThatSucceeded() throws {
        var branch = Branch()
        #expect(throws: BarrierContradiction.self) { try branch.call(.confirm) }
        _ = try branch.call(.try, isRefused: true)
        #expect(throws: BarrierContradiction.self) { try branch.call(.confirm) }
        #expect(branch.effects == [])
    }

    @Test func aBranchIsOfOneProtocol() throws {
        var branch = Branch()
        _ = try branch.call(.action)
        #expect(throws: BarrierContradiction.self) { try branch.call(.cancel) }
        #expect(throws: BarrierContradiction.self) { try branch.call(.try) }
    }

    /// Every order of up to five calls, each of which may be refused if it is run.
    @Test(
        "No order of calls does harm",
        arguments: [[BranchOperation.try, .confirm, .cancel], [.action, .compensate]])
    func everyOrder(operations: [BranchOperation]) {
        let first = operations[0]
        var checked = 0
        func extend(_ branch: Branch, _ answers: [BranchOperation: BranchVerdict], depth: Int) {
            checked += 1
            let effects = branch.effects
            // Each takes effect at most once, nothing but the first comes first, and at most one end follows it.
            #expect(Set(effects).count == effects.count)
            #expect(effects.isEmpty || effects[0] == first)
            #expect(effects.count <= 2)
            guard depth < 5 else { return }
            for operation in operations {
                for isRefused in [false, true] {
                    var next = branch
                    guard let verdict = try? next.call(operation, isRefused: isRefused) else {
                        #expect(next == branch)
                        continue
                    }
                    // A success stays one; the first operation's refusal stays one.
                    if let known = answers[operation], known == .success || operation == first {
                        #expect(verdict == known)
                        #expect(next == branch)
                    }
                    extend(next, answers.merging([operation: verdict]) { $1 }, depth: depth + 1)
                }
            }
        }
        extend(Branch(), [:], depth: 0)
        #expect(checked > 1000)
    }
}

@Suite("Which branch call a request is") struct BranchContextTests {
    private static let headers = [
        "Verdict-Gid": ["order-1"], "Verdict-Branch": ["debit"], "Verdict-Operation": ["compensate"],
    ]

    @Test func headersNameTheCall() throws {
        let call = try BranchContext { Self.headers[$0] ?? [] }
        #expect(call == BranchContext(gid: "order-1", branch: "debit", operation: .compensate))
    }

    @Test(
        "A header that is missing or wrong is named",
        arguments: [
            ("Verdict-Gid", [], "is missing"),
            ("Verdict-Gid", [""], "1 to 128 bytes"),
            ("Verdict-Gid", [String(repeating: "g", count: 129)], "1 to 128 bytes"),
            ("Verdict-Gid", ["a b"], "1 to 128 bytes"),
            ("Verdict-Gid", ["a", "b"], "different values"),
            ("Verdict-Branch", [], "is missing"),
            ("Verdict-Branch", [String(repeating: "b", count: 65)], "1 to 64 bytes"),
            ("Verdict-Branch", ["é"], "1 to 64 bytes"),
            ("Verdict-Operation", [], "is missing"),
            ("Verdict-Operation", ["prepare"], "is none of action"),
        ] as [(String, [String], String)])
    func wrongHeader(name: String, values: [String], detail: String) throws {
        let error = #expect(throws: BranchContextError.self) {
            try BranchContext { $0 == name ? values : Self.headers[$0] ?? [] }
        }
        #expect(error?.header == name)
        let description = error?.description ?? ""
        #expect(description.contains(detail))
    }

    @Test func aHeaderGivenTwiceWithOneValueIsFine() throws {
        let call = try BranchContext { name in (Self.headers[name] ?? []) + (Self.headers[name] ?? []) }
        #expect(call.gid == "order-1")
    }
}
