// SPDX-License-Identifier: Apache-2.0

/// The memberships that a log names, by the index of their entries: the latest counts, and if its entry is cut off, the one
/// before it counts again (Raft paper, section 6).
struct MembershipHistory: Hashable, Sendable {
    /// What counted at the log's base.
    private(set) var base: Membership
    private var changes: [(index: LogIndex, membership: Membership)] = []

    init(base: Membership) {
        self.base = base
    }

    var current: Membership { self.changes.last?.membership ?? self.base }

    /// The index of the latest entry that names one; zero if none does that the log still holds.
    var latestIndex: LogIndex { self.changes.last?.index ?? .zero }

    /// What counts for a state that has applied everything through an index, which isn't below the base.
    func membership(at index: LogIndex) -> Membership { self.latest(through: index).membership }

    /// The same, with the index of its entry; zero for what counted at the base.
    func latest(through index: LogIndex) -> (index: LogIndex, membership: Membership) {
        self.changes.last { $0.index <= index } ?? (.zero, self.base)
    }

    /// Whether a node has a vote in what counts at an index, or in anything later. While those aren't committed, any of them
    /// may turn out to count.
    func isVoter(_ own: OwnLife, from index: LogIndex) -> Bool {
        self.membership(at: index).isVoter(own)
            || self.changes.contains { $0.index > index && $0.membership.isVoter(own) }
    }

    /// The index of the latest membership that names this very life of a node's folder: zero for the one at the base; nil
    /// if none does.
    func latestIndex(naming own: OwnLife) -> LogIndex? {
        let isNaming = { (membership: Membership) in membership.member(own.nodeID).map(own.isNamed) ?? false }
        return self.changes.last { isNaming($0.membership) }?.index ?? (isNaming(self.base) ? .zero : nil)
    }

    mutating func append(_ membership: Membership, at index: LogIndex) {
        self.changes.append((index, membership))
    }

    mutating func truncate(from index: LogIndex) {
        self.changes.removeAll { $0.index >= index }
    }

    /// The log begins behind this index now.
    mutating func compact(through index: LogIndex) {
        self.base = self.membership(at: index)
        self.changes.removeAll { $0.index <= index }
    }

    static func == (left: MembershipHistory, right: MembershipHistory) -> Bool {
        left.base == right.base && left.changes.elementsEqual(right.changes, by: ==)
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.base)
        for change in self.changes {
            hasher.combine(change.index)
            hasher.combine(change.membership)
        }
    }
}
