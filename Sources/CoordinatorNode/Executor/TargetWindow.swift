// SPDX-License-Identifier: Apache-2.0

/// One target's calls: those that are ready, and how many are in flight.
///
/// First attempts and repeated ones wait in lines of their own and take turns, and at most half of the window goes to
/// repeated ones: so a path of the target that hangs or fails for ever doesn't keep the others waiting. A target that
/// doesn't answer at all gets a smaller window, down to two, so that many dead targets leave the window of all targets to
/// those that live; with each answer its window doubles again.
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
    /// How often the window has been halved.
    private var halvings = 0
    private var unansweredInARow = 0

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
        let limit = self.window(limit: limit)
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

    /// - Parameter isAnswered: whether anything came back from the target.
    mutating func ended(isRepeated: Bool, isAnswered: Bool, limit: Int) {
        self.inFlight -= 1
        if isRepeated { self.repeatedInFlight -= 1 }
        if isAnswered {
            self.unansweredInARow = 0
            self.halvings = max(0, self.halvings - 1)
            return
        }
        self.unansweredInARow += 1
        let window = self.window(limit: limit)
        guard window > Self.smallest, self.unansweredInARow >= window else { return }
        self.unansweredInARow = 0
        self.halvings += 1
    }

    /// Room for a first attempt beside a repeated one.
    private static let smallest = 2

    private func window(limit: Int) -> Int {
        max(min(Self.smallest, limit), limit >> self.halvings)
    }
}
