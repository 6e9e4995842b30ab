// SPDX-License-Identifier: Apache-2.0

import Raft

/// I16: a log that begins behind a base, and a snapshot, name the members that the committed entries name there (Raft paper,
/// section 6). Whoever forgets one counts other majorities than the rest.
struct BaseMemberships: Sendable {
    /// What entries in any log name, by the hash of the log through them.
    private var named: [UInt64: Membership] = [:]
    /// Of committed entries, in the order of their indexes; the first is what the group began with.
    private var committed: [(index: LogIndex, membership: Membership)]

    init(founders: Membership) {
        self.committed = [(.zero, founders)]
    }

    /// An entry stands in a log.
    mutating func stands(_ entry: Entry, hash: UInt64) {
        guard entry.kind == .membership, let membership = try? MembershipCodec.decode(entry.payload) else { return }
        self.named[hash] = membership
    }

    /// The next entry is committed.
    mutating func commits(_ index: LogIndex, hash: UInt64) {
        if let membership = self.named[hash] { self.committed.append((index, membership)) }
    }

    /// A node says who takes part at an index through which all is committed.
    func names(_ membership: Membership, at index: LogIndex, node: Int) throws(Violation) {
        guard let expected = self.committed.last(where: { $0.index <= index }), expected.membership != membership
        else { return }
        throw Violation(
            .baseMembers,
            "n\(node + 1) says that \(Describe.membership(membership)) take part at \(index.rawValue), "
                + "but entry \(expected.index.rawValue) names \(Describe.membership(expected.membership))")
    }
}
