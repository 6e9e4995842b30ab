// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import Simulation

/// Runs the simulation from the command line.
@main
enum Simulate {
    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        if words.contains("--help") {
            print(Arguments.usage)
            return
        }
        let arguments: Arguments
        do {
            arguments = try Arguments(words)
        } catch {
            self.complain("\(error.message) (simulate --help shows all options)")
            exit(64)
        }
        if arguments.listsPlanted {
            if Arguments.plantedNames.isEmpty { self.complain("no planted bugs; build with VERDICT_PLANTED_BUGS=1") }
            for name in Arguments.plantedNames { print(name) }
            exit(Arguments.plantedNames.isEmpty ? 1 : 0)
        }
        SeedsUnderWay.reportOnTrap()
        if let seed = arguments.seed {
            exit(arguments.shrinks ? self.shrink(seed, arguments) : self.runOne(seed, arguments))
        }
        do {
            exit(try await self.runRange(arguments))
        } catch {
            self.complain(error.message)
            exit(1)
        }
    }

    // MARK: One seed

    private static func runOne(_ seed: UInt64, _ arguments: Arguments) -> Int32 {
        SeedsUnderWay.note(seed, job: 0)
        let outcome = World(arguments.options(seed: seed)).run()
        if arguments.showsTrace { for line in outcome.trace { print(line) } }
        if outcome.violation != nil {
            self.report(outcome, arguments)
        } else {
            print("seed \(seed), \(outcome.nodeCount) nodes: every invariant held")
        }
        print("hash \(self.text(hash: outcome.hash)), \(self.text(outcome.statistics))")
        var totals = RunTotals(from: seed)
        totals.add(outcome)
        self.printEnd(totals)
        return (outcome.violation != nil) == arguments.expectsViolation ? 0 : 1
    }

    private static func shrink(_ seed: UInt64, _ arguments: Arguments) -> Int32 {
        SeedsUnderWay.note(seed, job: 0)
        guard var shrinking = Shrinking(arguments.options(seed: seed)) else {
            self.complain("seed \(seed) breaks no invariant: there is nothing to shrink")
            return 1
        }
        let before = shrinking.outcome
        shrinking.run()
        let outcome = shrinking.outcome
        for line in shrinking.trace { print(line) }
        print("seed \(outcome.seed), \(outcome.nodeCount) nodes, \(self.faults(outcome))")
        if let violation = outcome.violation { print("broken: \(violation)") }
        print("replay: \(arguments.replay(shrinking.options)) --trace")
        print(
            "\(outcome.statistics.events) events of \(before.statistics.events) (seed \(seed), \(before.nodeCount) nodes, "
                + "\(self.faults(before))), found in \(shrinking.worlds) worlds")
        return 0
    }

    private static func faults(_ outcome: SimulationOutcome) -> String {
        let kinds = FaultKind.allCases.filter { outcome.faults[$0] > 0 }
        return kinds.isEmpty ? "no fault" : kinds.map { "\($0)" }.joined(separator: " ")
    }

    // MARK: Many seeds

    private static func runRange(_ arguments: Arguments) async throws(TotalsFile.Problem) -> Int32 {
        let file = arguments.totalsPath.map(TotalsFile.init)
        let end = arguments.first + arguments.seeds
        var totals = try file?.read() ?? RunTotals(from: arguments.first)
        guard totals.next >= arguments.first, totals.next <= end else {
            throw TotalsFile.Problem(
                message: "\(arguments.totalsPath ?? "") goes on at seed \(totals.next), outside of the seeds asked for")
        }
        let clock = ContinuousClock()
        let started = clock.now
        let firstNow = totals.next
        let isOverBudget = { clock.now - started > .seconds(arguments.budgetSeconds ?? .max >> 2) }
        while totals.next < end, !isOverBudget(), !(arguments.expectsViolation && !totals.failedSeeds.isEmpty) {
            // A round is what is lost when the run is stopped.
            let round = totals.next..<min(end, totals.next + UInt64(arguments.jobs) * 25)
            let outcomes = await self.run(round, arguments)
            for outcome in outcomes {
                totals.add(outcome)
                if arguments.showsHashes { print("seed \(outcome.seed) hash \(self.text(hash: outcome.hash))") }
                if outcome.violation != nil { self.report(outcome, arguments) }
            }
            totals.next = round.upperBound
            try file?.write(totals)
        }
        self.printSpeed(seeds: totals.next - firstNow, in: clock.now - started, arguments)
        return self.judge(totals, arguments)
    }

    /// Runs the seeds of a round, several at a time.
    /// - Returns: what they showed, in the order of the seeds.
    private static func run(_ seeds: Range<UInt64>, _ arguments: Arguments) async -> [SimulationOutcome] {
        await withTaskGroup(of: [SimulationOutcome].self) { group in
            for job in 0..<arguments.jobs {
                group.addTask { @concurrent in
                    var outcomes: [SimulationOutcome] = []
                    for seed in seeds where Int(seed % UInt64(arguments.jobs)) == job {
                        SeedsUnderWay.note(seed, job: job)
                        outcomes.append(SeedRun.run(arguments.options(seed: seed)))
                    }
                    SeedsUnderWay.clear(job: job)
                    return outcomes
                }
            }
            var all: [SimulationOutcome] = []
            for await outcomes in group { all += outcomes }
            return all.sorted { $0.seed < $1.seed }
        }
    }

    /// Below this many seeds a rare fault may rightly be missing.
    private static let seedsForEveryFault: UInt64 = 200

    private static func judge(_ totals: RunTotals, _ arguments: Arguments) -> Int32 {
        for kind in FaultKind.allCases { print("  \(kind.label): \(totals.faults[kind])") }
        print(self.text(totals.statistics))
        print(
            "hash over all seeds \(self.text(hash: totals.hash.value)); every \(SeedRun.repeatedEvery)th seed ran twice "
                + "and had to give the same events")
        var isAsExpected = totals.failedSeeds.isEmpty != arguments.expectsViolation
        if arguments.expectsViolation {
            if !isAsExpected { self.complain("no invariant was broken, but one should have been") }
        } else {
            if totals.done >= self.seedsForEveryFault {
                for kind in totals.faults.missing {
                    self.complain("\(kind.label) never took effect in \(totals.done) seeds")
                    isAsExpected = false
                }
            }
            if totals.done * 2 < arguments.seeds {
                self.complain("only \(totals.done) of \(arguments.seeds) seeds were run within the time")
                isAsExpected = false
            }
        }
        self.printEnd(totals)
        return isAsExpected ? 0 : 1
    }

    // MARK: Output

    /// Everything that somebody needs who wants to see the failure again.
    private static func report(_ outcome: SimulationOutcome, _ arguments: Arguments) {
        guard let violation = outcome.violation else { return }
        let commit = ProcessInfo.processInfo.environment["VERDICT_COMMIT"] ?? "unknown (set VERDICT_COMMIT)"
        print("seed \(outcome.seed), \(outcome.nodeCount) nodes, commit \(commit)")
        print("broken: \(violation)")
        print("replay: \(arguments.replay(seed: outcome.seed))")
        guard !arguments.showsTrace else { return }
        print("the last events:")
        for line in outcome.trace { print("  \(line)") }
    }

    private static func printSpeed(seeds: UInt64, in duration: Duration, _ arguments: Arguments) {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        let rate = Int((Double(seeds) / max(seconds, 0.001)).rounded())
        print("\(seeds) seeds of \(arguments.seconds) simulated seconds in \(Int(seconds)) s: \(rate) a second")
    }

    private static func text(hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func text(_ statistics: SimulationOutcome.Statistics) -> String {
        "\(statistics.events) events, \(statistics.elections) elections, \(statistics.committed) entries committed, "
            + "\(statistics.writesAcknowledged) writes acknowledged, \(statistics.readsAnswered) reads answered, "
            + "\(statistics.transactionsAcknowledged) commands of transactions acknowledged, "
            + "\(statistics.transactionsEnded) transactions ended, \(statistics.outcomesTold) outcomes told, "
            + "\(statistics.snapshots) snapshots taken and \(statistics.installs) installed, "
            + "\(statistics.transfers) hand-overs asked for"
    }

    private static func printEnd(_ totals: RunTotals) {
        print("\(totals.passed) passed, \(totals.failedSeeds.count) failed")
    }

    private static func complain(_ message: String) {
        let bytes = Array("simulate: \(message)\n".utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}
