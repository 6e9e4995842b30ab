// SPDX-License-Identifier: Apache-2.0

/// One target's calls: those that are ready, and how many are in flight.
///
/// First attempts and repeated ones wait in lines of their own and take turns, and at most half of the window goes to
/// repeated ones: so a path of the target that hangs or fails for ever doesn't keep the others waiting.
struct TargetWindow: Sendable {
    /// Host and port as the URL writes them.
    let authority: String
    /// Calls that name this target, in whatever phase; at zero the window is given up.
    var members = 0
    /// Whether the target stands in the schedule's line of targets that could start a call.
    var isQueued = false

    private var first = FirstInFirstOut<CallID>()
    private var repeated = FirstInFirstOut<CallID>()
    private var inFlight = 0
    private var repeatedInFlight = 0
    private var isRepeatedsTurn = false

    init(authority: String) {
        self.authority = authority
    }

    mutating func append(_ id: CallID, isRepeated: Bool) {
        if isRepeated { self.repeated.append(id) } else { self.first.append(id) }
    }

    /// Takes out the call that is to start next; `nil` if none waits or the window is full.
    ///
    /// A call that was dropped while it waited is still in line: the caller skips it.
    mutating func popNext(limit: Int) -> CallID? {
        guard self.inFlight < limit else { return nil }
        let mayRepeat = !self.repeated.isEmpty && self.repeatedInFlight < max(1, limit / 2)
        if mayRepeat, self.isRepeatedsTurn || self.first.isEmpty {
            self.isRepeatedsTurn = false
            return self.repeated.popFirst()
        }
        self.isRepeatedsTurn = true
        return self.first.popFirst()
    }

    mutating func started(isRepeated: Bool) {
        self.inFlight += 1
        if isRepeated { self.repeatedInFlight += 1 }
    }

    mutating func ended(isRepeated: Bool) {
        self.inFlight -= 1
        if isRepeated { self.repeatedInFlight -= 1 }
    }
}
