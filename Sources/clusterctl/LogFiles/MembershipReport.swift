// SPDX-License-Identifier: Apache-2.0

import Raft

/// Who takes part in a group, in clear.
struct MembershipReport: Sendable, Encodable {
    let voters: [String]
    /// In a joint phase the voters of before.
    let outgoing: [String]
    let learners: [String]

    init(_ membership: Membership) {
        func names(_ members: [Member]) -> [String] { members.map(\.nodeID.rawValue) }
        self.voters = names(membership.voters)
        self.outgoing = names(membership.outgoing)
        self.learners = names(membership.learners)
    }

    var text: String {
        var parts = ["voters \(self.voters.joined(separator: " "))"]
        if !self.outgoing.isEmpty { parts.append("until then \(self.outgoing.joined(separator: " "))") }
        if !self.learners.isEmpty { parts.append("learners \(self.learners.joined(separator: " "))") }
        return parts.joined(separator: ", ")
    }
}
