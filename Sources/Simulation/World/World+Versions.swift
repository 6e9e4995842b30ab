// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Transactions

/// Programs of two versions in one cluster. An operator upgrades them one by one, and the newer ones use their one more kind
/// of command as soon as they may.
extension World {
    #if NextFormat
        static let canMixVersions = true
        static let newestKnown = FormatLevel.next
        static func version(_ random: inout SeededRandom) -> FormatLevel { random.coin() ? .newest : .next }
    #else
        static let canMixVersions = false
        static let newestKnown = FormatLevel.newest
        static func version(_ random: inout SeededRandom) -> FormatLevel { .newest }
    #endif

    func scheduleVersions() {
        self.queue.add(.formatsMove, at: self.now + self.versionRandom.within(30_000_000...700_000_000))
    }

    func moveVersions() throws(Violation) {
        guard self.areClientsActive else { return }
        self.scheduleVersions()
        if self.isFaulty, self.versionRandom.below(5) == 0 { self.upgradeSome() }
        guard let leader = self.leader, leader.condition == .running, self.isEstablished(leader), let core = leader.core
        else { return }
        #if NextFormat
            let remark = Command.remark("at \(self.now)")
            if leader.known >= .next, leader.state.transactions.admits(remark) { try self.propose(remark, on: leader) }
        #endif
        if let common = core.commonFormat(own: leader.known, known: { leader.heardFormats[$0] }),
            common > leader.state.transactions.format
        {
            try self.propose(.raiseFormat(common), on: leader)
        }
    }

    private func upgradeSome() {
        let old = self.nodes.filter { $0.isProcessAlive && self.isOld($0) }
        guard !old.isEmpty else { return }
        self.upgrade(old[self.versionRandom.below(old.count)])
    }

    private func upgrade(_ node: SimulatedNode) {
        #if NextFormat
            self.record(.upgraded, node)
            if node.isProcessAlive { self.crash(node, .mixedVersions) }
            node.known = .next
        #endif
    }

    private func isOld(_ node: SimulatedNode) -> Bool {
        #if NextFormat
            node.known < .next
        #else
            false
        #endif
    }

    /// Who joins runs what the cluster demands, or anything.
    func chooseVersion(of spare: SimulatedNode, joining leader: SimulatedNode) {
        guard self.mixesVersions else { return }
        spare.known = max(Self.version(&self.versionRandom), leader.state.transactions.format)
    }

    // MARK: What an old program meets

    /// The format that an entry raises, if the node doesn't know it.
    func unknownFormat(raisedBy entry: Entry, to node: SimulatedNode) -> FormatLevel? {
        guard let raised = StateMachine.batch(of: entry, known: node.known)?.raisedFormat, raised > node.known else {
            return nil
        }
        return raised
    }

    /// The node ends, and its operator runs a newer program. A founder must have been asked before; who has joined while the
    /// format was being raised may be surprised.
    func meets(_ format: FormatLevel, _ node: SimulatedNode) throws(Violation) {
        self.record(.metNewer(format), node)
        guard node.storage != SimulatedNode.firstStorage(node.number) else {
            throw Violation(.knownFormats, "\(node.id) knows formats up to \(node.known) and meets \(format)")
        }
        self.upgrade(node)
    }
}
