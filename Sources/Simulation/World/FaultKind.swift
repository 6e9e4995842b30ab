// SPDX-License-Identifier: Apache-2.0

/// What the world does to its nodes. The numbers are those of Docs/faults.md.
package enum FaultKind: Int, CaseIterable, Hashable, Sendable {
    case loss
    case duplicate
    case reorder
    case delay
    case clog
    case symmetricPartition
    case oneWayPartition
    case partialPartition
    case connectionReset
    case crash
    case powerLoss
    case pause
    case clockJump
    case clockDrift
    case inputOutputError
    case diskFull
    case bitFlip
    case slowDisk
    case diskLost
    case membershipChange
    case participantTimeout
    case participantError
    case lateAnswer
    case participantDuplicate
    case participantUnreachable
    case contradictoryAnswer
    case mixedVersions

    package var label: String {
        switch self {
        case .loss: "F1 loss"
        case .duplicate: "F2 duplicate"
        case .reorder: "F3 reorder"
        case .delay: "F4 delay"
        case .clog: "F5 clog and burst"
        case .symmetricPartition: "F6 symmetric partition"
        case .oneWayPartition: "F7 one-way partition"
        case .partialPartition: "F8 partial partition"
        case .connectionReset: "F9 connection reset"
        case .crash: "F10 crash"
        case .powerLoss: "F11 power loss"
        case .pause: "F12 pause"
        case .clockJump: "F13 clock jump"
        case .clockDrift: "F14 clock drift"
        case .inputOutputError: "F15 I/O error"
        case .diskFull: "F16 disk full"
        case .bitFlip: "F17 bit flip"
        case .slowDisk: "F18 slow disk"
        case .diskLost: "F19 disk lost"
        case .membershipChange: "F20 membership change"
        case .participantTimeout: "F21 participant's timeout"
        case .participantError: "F22 participant's error"
        case .lateAnswer: "F23 participant's late answer"
        case .participantDuplicate: "F24 duplicate call"
        case .participantUnreachable: "F25 participant unreachable"
        case .contradictoryAnswer: "F26 contradictory answer"
        case .mixedVersions: "F27 mixed versions"
        }
    }
}

/// How often each kind of fault took effect.
package struct FaultCounts: Hashable, Sendable {
    private var counts = [UInt64](repeating: 0, count: FaultKind.allCases.count)

    package init() {}

    package subscript(kind: FaultKind) -> UInt64 {
        get { self.counts[kind.rawValue] }
        set { self.counts[kind.rawValue] = newValue }
    }

    package mutating func add(_ other: FaultCounts) {
        for kind in FaultKind.allCases { self[kind] += other[kind] }
    }

    /// The kinds that never took effect.
    package var missing: [FaultKind] { FaultKind.allCases.filter { self[$0] == 0 } }
}
