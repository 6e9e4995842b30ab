// SPDX-License-Identifier: Apache-2.0

/// Looks for a smaller world that breaks the same invariant as a given one: fewer nodes, fewer kinds of faults, fewer events.
///
/// A world without one of its faults goes another way from there on, so nothing can be cut out of a run; but worlds are
/// cheap. Whatever breaks the same invariant with less is kept, first of this seed, then of others.
package struct Shrinking {
    package private(set) var options: SimulationOptions
    package private(set) var outcome: SimulationOutcome
    /// Worlds that were run.
    package private(set) var worlds = 1
    private let invariant: Invariant

    /// - Returns: nil if the world breaks no invariant.
    package init?(_ options: SimulationOptions) {
        self.options = options
        self.outcome = World(options).run()
        guard let violation = self.outcome.violation else { return nil }
        self.invariant = violation.invariant
    }

    /// - Parameter seeds: how many other seeds are tried.
    package mutating func run(seeds: UInt64 = 300) {
        self.takeNodes()
        self.takeFaults()
        let faults = Set(FaultKind.allCases.filter { self.outcome.faults[$0] > 0 })
        var options = self.options
        options.without = Set(FaultKind.allCases).subtracting(faults)
        for seed in 1...max(seeds, 1) {
            options.seed = self.options.seed &+ seed
            let outcome = self.outcome(of: options)
            guard outcome.statistics.events < self.outcome.statistics.events else { continue }
            self.keep(options, outcome)
        }
        self.takeFaults()
    }

    /// The same world once more, with the text of every event.
    package var trace: [String] {
        var options = self.options
        options.keepsWholeTrace = true
        return World(options).run().trace
    }

    private mutating func takeNodes() {
        for count in [3, 5] where count < self.options.nodeCount ?? .max {
            var options = self.options
            options.nodeCount = count
            if self.keep(options, self.outcome(of: options)) { return }
        }
    }

    /// One kind after the other, until none can go any more.
    private mutating func takeFaults() {
        var isSmaller = true
        while isSmaller {
            isSmaller = false
            for kind in FaultKind.allCases where self.outcome.faults[kind] > 0 {
                var options = self.options
                options.without.insert(kind)
                if self.keep(options, self.outcome(of: options)) { isSmaller = true }
            }
        }
    }

    private mutating func outcome(of options: SimulationOptions) -> SimulationOutcome {
        self.worlds += 1
        return World(options).run()
    }

    @discardableResult
    private mutating func keep(_ options: SimulationOptions, _ outcome: SimulationOutcome) -> Bool {
        guard outcome.violation?.invariant == self.invariant else { return false }
        self.options = options
        self.outcome = outcome
        return true
    }
}
