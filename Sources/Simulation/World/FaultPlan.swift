// SPDX-License-Identifier: Apache-2.0

/// Which faults a seed's world has, and how hard they hit: a random part of them at random rates, so that over many seeds
/// each fault also meets a world that is otherwise quiet (swarm testing; Groce and others, 2012).
///
/// Times are nanoseconds; probabilities are per million messages, syncs or calls.
struct FaultPlan: Sendable {
    private(set) var enabled: Set<FaultKind> = []
    private(set) var lossRate: UInt64 = 0
    private(set) var duplicateRate: UInt64 = 0
    private(set) var reorderRate: UInt64 = 0
    private(set) var delayRate: UInt64 = 0
    /// The longest extra delay of a message.
    private(set) var delayLimit: UInt64 = 0
    private(set) var inputOutputErrorRate: UInt64 = 0
    private(set) var participantTimeoutRate: UInt64 = 0
    private(set) var participantErrorRate: UInt64 = 0
    private(set) var lateAnswerRate: UInt64 = 0
    private(set) var participantDuplicateRate: UInt64 = 0
    private(set) var contradictionRate: UInt64 = 0
    /// Mean time between two faults of a kind that comes by the clock.
    private var meanIntervals = [UInt64](repeating: 0, count: FaultKind.allCases.count)
    /// Faults follow each other so quickly that the cluster hardly comes to rest.
    private(set) var isStorm = false
    /// A crash aims at a moment at which the disk has work to lose, instead of at any moment.
    private(set) var aimsAtDisk = false

    /// Kinds that come by the clock; the others are drawn for each message or sync.
    static let timed: [FaultKind] = [
        .clog, .symmetricPartition, .oneWayPartition, .partialPartition, .connectionReset, .crash, .powerLoss, .pause,
        .clockJump, .diskFull, .bitFlip, .slowDisk, .participantUnreachable,
    ]

    /// No faults at all.
    static let calm = FaultPlan()

    private init() {}

    init(random: inout SeededRandom) {
        // Whether versions mix is drawn later, by `mixingVersions`.
        for kind in FaultKind.allCases where kind != .mixedVersions && random.chance(perMillion: 400_000) {
            self.enabled.insert(kind)
        }
        // Small rates are as interesting as large ones, so the magnitude is drawn before the value.
        func rate(_ random: inout SeededRandom, upTo limit: UInt64) -> UInt64 {
            random.within(limit / 100...limit) >> random.below(UInt64(6))
        }
        if self.enabled.contains(.loss) { self.lossRate = rate(&random, upTo: 250_000) }
        if self.enabled.contains(.duplicate) { self.duplicateRate = rate(&random, upTo: 250_000) }
        if self.enabled.contains(.reorder) { self.reorderRate = rate(&random, upTo: 300_000) }
        if self.enabled.contains(.delay) {
            self.delayRate = rate(&random, upTo: 200_000)
            self.delayLimit = random.within(5_000_000...400_000_000)
        }
        if self.enabled.contains(.inputOutputError) { self.inputOutputErrorRate = rate(&random, upTo: 20_000) }
        if self.enabled.contains(.participantTimeout) { self.participantTimeoutRate = rate(&random, upTo: 400_000) }
        if self.enabled.contains(.participantError) { self.participantErrorRate = rate(&random, upTo: 400_000) }
        if self.enabled.contains(.lateAnswer) { self.lateAnswerRate = rate(&random, upTo: 300_000) }
        if self.enabled.contains(.participantDuplicate) { self.participantDuplicateRate = rate(&random, upTo: 400_000) }
        if self.enabled.contains(.contradictoryAnswer) { self.contradictionRate = rate(&random, upTo: 200_000) }
        self.isStorm = random.below(3) == 0
        for kind in Self.timed where self.enabled.contains(kind) {
            let shortest: UInt64 = kind == .bitFlip ? 3_000_000_000 : 400_000_000
            let mean = random.within(shortest...6_000_000_000)
            self.meanIntervals[kind.rawValue] = self.isStorm && kind != .bitFlip ? mean / 6 : mean
        }
        self.aimsAtDisk = random.coin()
    }

    /// The same plan in a world whose nodes run programs of two versions.
    func mixingVersions() -> FaultPlan {
        var plan = self
        plan.enabled.insert(.mixedVersions)
        return plan
    }

    /// The same plan without some of its faults. What is drawn later stays as it was, but for what follows from them.
    func without(_ kinds: Set<FaultKind>) -> FaultPlan {
        var plan = self
        plan.enabled.subtract(kinds)
        for kind in kinds {
            switch kind {
            case .loss: plan.lossRate = 0
            case .duplicate: plan.duplicateRate = 0
            case .reorder: plan.reorderRate = 0
            case .delay: plan.delayRate = 0
            case .inputOutputError: plan.inputOutputErrorRate = 0
            case .participantTimeout: plan.participantTimeoutRate = 0
            case .participantError: plan.participantErrorRate = 0
            case .lateAnswer: plan.lateAnswerRate = 0
            case .participantDuplicate: plan.participantDuplicateRate = 0
            case .contradictoryAnswer: plan.contradictionRate = 0
            case .clog, .symmetricPartition, .oneWayPartition, .partialPartition, .connectionReset, .crash, .powerLoss,
                .pause, .clockJump, .clockDrift, .diskFull, .bitFlip, .slowDisk, .diskLost, .membershipChange,
                .participantUnreachable, .mixedVersions:
                break
            }
        }
        return plan
    }

    /// The time to the next fault of a kind that comes by the clock.
    func interval(to kind: FaultKind, random: inout SeededRandom) -> UInt64 {
        let mean = self.meanIntervals[kind.rawValue]
        return random.within(mean / 4...mean + mean * 3 / 4)
    }
}
