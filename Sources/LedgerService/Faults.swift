// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
import Foundation
import Locks

/// What happens to one call.
package struct FaultPlan: Hashable, Sendable {
    package var failure: FaultSettings.Failure?
    package var delay: Duration?
    package var death: FaultSettings.Death?
}

/// Draws a plan for each branch call.
package final class Faults: Sendable {
    private struct State {
        var settings: FaultSettings
        var random: SplitMix64
    }

    private let state: Locked<State>

    package init(_ settings: FaultSettings) {
        self.state = Locked(State(settings: settings, random: SplitMix64(seed: settings.seed)))
    }

    /// The settings as they are now: what counts down has counted.
    package var settings: FaultSettings { self.state.withLock { $0.settings } }

    /// Takes new settings in place of all old ones.
    package func set(_ settings: FaultSettings) {
        self.state.withLock { $0 = State(settings: settings, random: SplitMix64(seed: settings.seed)) }
    }

    package func next(_ operation: BranchOperation) -> FaultPlan {
        self.state.withLock { state in
            let settings = state.settings
            var plan = FaultPlan()
            guard !settings.isQuiet, settings.operations?.contains(operation) ?? true else { return plan }
            // Always two numbers a call, so that one rate doesn't change what the other one hits.
            let draws = (0..<2).map { _ in Double.random(in: 0..<1, using: &state.random) }
            if settings.failNext > 0 || draws[0] < settings.failRate { plan.failure = settings.failWith }
            if settings.delayMilliseconds > 0, draws[1] < settings.delayRate {
                plan.delay = .milliseconds(settings.delayMilliseconds)
            }
            if settings.dieOn == 1 { plan.death = settings.dieAt }
            state.settings.failNext = max(0, settings.failNext - 1)
            state.settings.dieOn = max(0, settings.dieOn - 1)
            return plan
        }
    }
}

/// Ends this process as a crash would: nothing is flushed, closed or answered.
func crash() {
    kill(getpid(), SIGKILL)
}

/// A small generator whose whole state is its seed (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
