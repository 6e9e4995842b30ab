// SPDX-License-Identifier: Apache-2.0

/// The links between nodes: which way is cut or clogged, and when a message arrives, if at all.
///
/// A link is harsher than a TCP connection: it loses, repeats and reorders single messages, and what was under way when
/// a connection broke may still arrive.
struct Network: Sendable {
    struct Link: Sendable {
        /// How many partitions cut this direction now.
        var cuts = 0
        /// Until then nothing arrives; then all of it at once.
        var cloggedUntil: UInt64 = 0
        /// Without reordering nothing overtakes what was sent before.
        var lastArrival: UInt64 = 0
    }

    let size: Int
    /// The basic delay of a message.
    let latency: ClosedRange<UInt64>
    private var links: [Link]
    private var random: SeededRandom

    init(size: Int, random: SeededRandom) {
        self.size = size
        self.random = random
        let shortest = self.random.within(50_000...500_000)
        self.latency = shortest...(shortest * self.random.within(2...6))
        self.links = [Link](repeating: Link(), count: size * size)
    }

    subscript(from: Int, to: Int) -> Link {
        get { self.links[from * self.size + to] }
        set { self.links[from * self.size + to] = newValue }
    }

    /// When a message sent now arrives: never, once, or twice.
    mutating func route(from: Int, to: Int, now: UInt64, plan: FaultPlan, counts: inout FaultCounts) -> Arrivals {
        var arrivals = Arrivals()
        guard self[from, to].cuts == 0 else { return arrivals }
        if self.random.chance(perMillion: plan.lossRate) {
            counts[.loss] += 1
            return arrivals
        }
        arrivals.first = self.arrival(from: from, to: to, now: now, plan: plan, counts: &counts)
        if self.random.chance(perMillion: plan.duplicateRate) {
            counts[.duplicate] += 1
            arrivals.second = self.arrival(from: from, to: to, now: now, plan: plan, counts: &counts)
        }
        return arrivals
    }

    struct Arrivals {
        var first: UInt64?
        var second: UInt64?
    }

    /// Ends every trouble of every link.
    mutating func heal() {
        for index in self.links.indices { self.links[index] = Link() }
    }

    private mutating func arrival(
        from: Int, to: Int, now: UInt64, plan: FaultPlan, counts: inout FaultCounts
    ) -> UInt64 {
        var time = now + self.random.within(self.latency)
        if self.random.chance(perMillion: plan.delayRate) {
            counts[.delay] += 1
            time += self.random.within(1_000_000...max(plan.delayLimit, 1_000_000))
        }
        time = max(time, self[from, to].cloggedUntil)
        if self.random.chance(perMillion: plan.reorderRate) {
            // Sets it back without holding up what is sent later.
            counts[.reorder] += 1
            return time + self.random.within(100_000...20_000_000)
        }
        time = max(time, self[from, to].lastArrival)
        self[from, to].lastArrival = time
        return time
    }
}
