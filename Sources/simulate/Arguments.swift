// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// What the command line asks for.
struct Arguments {
    /// One seed, shown in detail; nil runs the range.
    var seed: UInt64?
    var first: UInt64 = 1
    var seeds: UInt64 = 100
    var jobs = 1
    var nodeCount: Int?
    var seconds: UInt64 = 20
    var totalsPath: String?
    /// Real seconds after which no new seed is begun; nil: all are run.
    var budgetSeconds: UInt64?
    var without: Set<FaultKind> = []
    var expectsViolation = false
    var shrinks = false
    var showsTrace = false
    var showsHashes = false
    var listsPlanted = false
    #if PlantedBugs
        var plantedBugs: Set<PlantedBug> = []
    #endif

    /// A command line that can't be understood, in words.
    struct Problem: Error {
        let message: String
    }

    static let usage = """
        Usage: simulate --seed N [--trace | --shrink] [options]
               simulate --seeds M [--first N] [--jobs J] [--totals FILE] [--budget S] [options]

        Runs clusters of the production Raft core in worlds full of faults and checks the invariants after every event.

          --seed N            run this seed alone
          --trace             with --seed: print every event
          --shrink            with --seed: look for a smaller world that breaks the same invariant, and print its events
          --hashes            print the hash of every seed's events: the same for the same seed and the same code
          --seeds M           how many seeds (default 100)
          --first N           the first of them (default 1)
          --jobs J            seeds that run at the same time (default 1)
          --totals FILE       keep the totals there, and go on from them next time
          --budget S          begin no new seed after S seconds; fails if fewer than half of the seeds were run
          --nodes 3|5|7|any   size of the cluster (default any: the seed chooses)
          --without A,B       worlds without these faults: \(FaultKind.allCases.map { "\($0)" }.joined(separator: " "))
          --seconds S         simulated seconds of each seed, at least 6 (default 20); the last 5 are the healing
          --planted NAME      plant a known bug (only in a build with VERDICT_PLANTED_BUGS=1)
          --list-planted      print the names of the known bugs that this build can plant
          --expect-violation  exit with 0 only if an invariant was broken; stops at the first one
          --help              this text

        Exit codes: 0 as expected, 1 not, 64 the command line is wrong.
        """

    init(_ words: [String]) throws(Problem) {
        var rest = words[...]
        while let flag = rest.popFirst() {
            switch flag {
            case "--seed": self.seed = try Self.number(flag, &rest, atLeast: 0)
            case "--first": self.first = try Self.number(flag, &rest, atLeast: 0)
            case "--seeds": self.seeds = try Self.number(flag, &rest, atLeast: 1)
            case "--jobs": self.jobs = Int(try Self.number(flag, &rest, atLeast: 1, atMost: 1024))
            case "--seconds":
                self.seconds = try Self.number(flag, &rest, atLeast: SimulationOptions.shortestRun, atMost: 86_400)
            case "--budget": self.budgetSeconds = try Self.number(flag, &rest, atLeast: 1)
            case "--totals": self.totalsPath = try Self.value(flag, &rest)
            case "--nodes": self.nodeCount = try Self.size(flag, &rest)
            case "--without": self.without = try Self.kinds(flag, &rest)
            case "--shrink": self.shrinks = true
            case "--expect-violation": self.expectsViolation = true
            case "--hashes": self.showsHashes = true
            case "--list-planted": self.listsPlanted = true
            case "--trace": self.showsTrace = true
            case "--planted": try self.plant(Self.value(flag, &rest))
            case _: throw Problem(message: "unknown option '\(flag)'")
            }
        }
        if self.showsTrace || self.shrinks, self.seed == nil {
            throw Problem(message: "\(self.shrinks ? "--shrink" : "--trace") needs --seed")
        }
        guard self.first.addingReportingOverflow(self.seeds).overflow == false else {
            throw Problem(message: "--first \(self.first) --seeds \(self.seeds) goes beyond the last seed")
        }
    }

    func options(seed: UInt64) -> SimulationOptions {
        var options = SimulationOptions(seed: seed)
        options.nodeCount = self.nodeCount
        options.seconds = self.seconds
        options.without = self.without
        options.keepsWholeTrace = self.showsTrace
        #if PlantedBugs
            options.plantedBugs = self.plantedBugs
        #endif
        return options
    }

    /// The options that replay a seed of this run.
    func replay(seed: UInt64) -> String { self.replay(self.options(seed: seed)) }

    func replay(_ options: SimulationOptions) -> String {
        var words = ["simulate", "--seed", "\(options.seed)"]
        if let nodeCount = options.nodeCount { words += ["--nodes", "\(nodeCount)"] }
        if options.seconds != SimulationOptions(seed: 0).seconds { words += ["--seconds", "\(options.seconds)"] }
        if !options.without.isEmpty {
            words += ["--without", options.without.map { "\($0)" }.sorted().joined(separator: ",")]
        }
        #if PlantedBugs
            for bug in self.plantedBugs.sorted(by: { $0.rawValue < $1.rawValue }) {
                words += ["--planted", "\(bug)"]
            }
        #endif
        return words.joined(separator: " ")
    }

    private mutating func plant(_ name: String) throws(Problem) {
        #if PlantedBugs
            guard let bug = PlantedBug.allCases.first(where: { $0.rawValue == name || "\($0)" == name }) else {
                let names = Self.plantedNames.joined(separator: ", ")
                throw Problem(message: "no planted bug is called '\(name)'; there are: \(names)")
            }
            self.plantedBugs.insert(bug)
        #else
            throw Problem(
                message: "--planted \(name): this build has no planted bugs; build with VERDICT_PLANTED_BUGS=1")
        #endif
    }

    /// The names of the bugs that this build can plant and must find.
    static var plantedNames: [String] {
        #if PlantedBugs
            PlantedBug.allCases.filter { !PlantedBug.missed.contains($0) }.map { "\($0)" }
        #else
            []
        #endif
    }

    private static func value(_ flag: String, _ rest: inout ArraySlice<String>) throws(Problem) -> String {
        guard let value = rest.popFirst() else { throw Problem(message: "\(flag) needs a value") }
        return value
    }

    private static func number(
        _ flag: String, _ rest: inout ArraySlice<String>, atLeast least: UInt64, atMost most: UInt64 = .max
    ) throws(Problem) -> UInt64 {
        let value = try self.value(flag, &rest)
        guard let number = UInt64(value), number >= least, number <= most else {
            let limit = most == .max ? "a number of at least \(least)" : "a number from \(least) to \(most)"
            throw Problem(message: "\(flag) needs \(limit), not '\(value)'")
        }
        return number
    }

    private static func size(_ flag: String, _ rest: inout ArraySlice<String>) throws(Problem) -> Int? {
        switch try self.value(flag, &rest) {
        case "3": return 3
        case "5": return 5
        case "7": return 7
        case "any": return nil
        case let other: throw Problem(message: "\(flag) needs 3, 5, 7 or any, not '\(other)'")
        }
    }

    private static func kinds(_ flag: String, _ rest: inout ArraySlice<String>) throws(Problem) -> Set<FaultKind> {
        var kinds: Set<FaultKind> = []
        for name in try self.value(flag, &rest).split(separator: ",") {
            guard let kind = FaultKind.allCases.first(where: { "\($0)" == name }) else {
                throw Problem(message: "\(flag): no fault is called '\(name)'")
            }
            kinds.insert(kind)
        }
        return kinds
    }
}
