// SPDX-License-Identifier: Apache-2.0

/// What must hold. The numbers are those of Docs/faults.md.
package enum Invariant: String, CaseIterable, Hashable, Sendable {
    case oneLeaderPerTerm = "I1 one leader per term"
    case logMatching = "I2 log matching"
    case committedStays = "I3 a committed entry never changes or vanishes"
    case sameStateHash = "I4 same state hash at the same applied index"
    case promisesSurvive = "I5 term, vote and acknowledged log head never go back over a restart"
    case outcomeStays = "I6 an outcome told to anyone is the only outcome ever told"
    case oneEndForBranches = "I7 no branch hears both commit and rollback"
    case submitSurvives = "I8 an acknowledged submit survives"
    case effectsMatch = "I9, I10 what took effect is what was decided"
    case everythingEnds = "I13 after healing everything ends"
    case freshReads = "I15 a linearizable read is never stale"
    case baseMembers = "I16 a base names the members that the committed entries name"
    case knownFormats = "I17 no member meets an entry of a format that it doesn't know"
    /// What harmed a stored row must be found before the node takes part.
    case rotIsSeen = "rot is seen at the next start"
    /// What the core promises to its driver: one batch a turn and that first, numbered without a gap, indexes that fit.
    case driverContract = "the core keeps its contract with the driver"
    /// What is sent is what arrives.
    case codecRoundTrip = "a message survives encoding and decoding"
    /// A seed gives the same events in every run.
    case sameSeedSameRun = "same seed, same run"
    /// After everything has healed, the cluster works again within a bound.
    case liveness = "liveness after healing"
}

/// A broken invariant, with what was seen.
package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    package let invariant: Invariant
    package let message: String

    package init(_ invariant: Invariant, _ message: String) {
        self.invariant = invariant
        self.message = message
    }

    package var description: String { "\(self.invariant.rawValue): \(self.message)" }
}
