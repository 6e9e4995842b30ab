// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// What is due on the way of a snapshot. Each belongs to one life of a node.
enum SnapshotEvent {
    case taken(Int, life: UInt32)
    case part(Int, life: UInt32, SnapshotOffer, number: Int)
    case filed(Int, life: UInt32, SnapshotOffer)
}

/// Snapshots: taken by a leader, fetched by a follower part by part, made its state.
extension World {
    /// How many parts a snapshot has.
    private static let parts = 4

    func takeSnapshot(of node: SimulatedNode) {
        self.later(.taken(node.number, life: node.life), within: 1_000_000...80_000_000)
    }

    func fetch(_ offer: SnapshotOffer, from leader: Int, by node: SimulatedNode) {
        if let fetching = node.fetching, fetching.offer == offer, fetching.from == leader { return }
        node.fetching = (offer, leader)
        self.later(.part(node.number, life: node.life, offer, number: 1), within: 200_000...10_000_000)
    }

    func install(_ offer: SnapshotOffer, on node: SimulatedNode) throws(Violation) {
        guard node.received?.offer == offer else {
            throw Violation(.driverContract, "\(node.id) installs a snapshot that it doesn't have")
        }
        self.later(.filed(node.number, life: node.life, offer), within: 500_000...50_000_000)
    }

    func handle(_ event: SnapshotEvent) throws(Violation) {
        let (number, life) = event.subject
        let node = self.nodes[number]
        guard node.life == life, node.isProcessAlive else { return }
        guard node.condition == .running else { return self.later(event, within: 5_000_000...20_000_000) }
        switch event {
        case .taken: try self.taken(node)
        case .part(_, _, let offer, let part): try self.arrived(part, of: offer, at: node)
        case .filed(_, _, let offer): try self.filed(offer, on: node)
        }
    }

    private func later(_ event: SnapshotEvent, within delay: ClosedRange<UInt64>) {
        self.queue.add(.snapshot(event), at: self.now + self.diskRandom.within(delay))
    }

    private func taken(_ node: SimulatedNode) throws(Violation) {
        // A state that lags isn't left to lag for long, also when there is nothing more to apply.
        if !self.isFaulty { self.checkpoint(node) }
        let position = node.stored.applied
        // Sometimes there is no room for it; and nothing can be taken of nothing.
        guard position.index > .zero, !node.isDiskFull, !(self.isFaulty && self.diskRandom.below(8) == 0) else {
            return try self.give(.snapshotFailed, to: node)
        }
        self.record(.takingSnapshot(position), node)
        self.statistics.snapshots += 1
        let description = SnapshotDescription(
            position: position, length: position.index.rawValue,
            checksum: UInt32(truncatingIfNeeded: node.stored.restored().hash.value))
        node.snapshot = (description, node.stored)
        try self.give(.snapshotTaken(description), to: node)
    }

    private func arrived(_ part: Int, of offer: SnapshotOffer, at node: SimulatedNode) throws(Violation) {
        guard let fetching = node.fetching, fetching.offer == offer else { return }
        let leader = self.nodes[fetching.from]
        guard leader.isProcessAlive, self.connections.isUp(node.number, leader.number),
            self.network[node.number, leader.number].cuts == 0, self.network[leader.number, node.number].cuts == 0,
            let snapshot = leader.snapshot, snapshot.description == offer.description,
            // A damaged part is thrown away, and the rest with it.
            !(self.isFaulty && self.diskRandom.below(20) == 0)
        else {
            node.fetching = nil
            return
        }
        self.record(.fetching(offer.position, from: leader.number, part: part), node)
        guard part == Self.parts else {
            return self.later(
                .part(node.number, life: node.life, offer, number: part + 1), within: 200_000...30_000_000)
        }
        node.fetching = nil
        node.received = (offer, snapshot.state)
        try self.give(.snapshotReceived(offer), to: node)
    }

    /// The file has taken the place of the applied state, and a marker names it.
    private func filed(_ offer: SnapshotOffer, on node: SimulatedNode) throws(Violation) {
        guard let received = node.received, received.offer == offer else { return }
        node.received = nil
        guard received.state.notes.format <= node.known else {
            return try self.meets(received.state.notes.format, node)
        }
        node.marker = offer
        node.stored = received.state
        node.syncedState = received.state
        node.state = received.state.restored()
        self.record(.installed(offer.position), node)
        self.statistics.installs += 1
        try self.judge.installs(offer.position.index, stateHash: node.state.hash.value, node: node.number)
        // What was asked of this node and lies in the snapshot can't be told any more.
        for (index, write) in node.writes.sorted(by: { $0.key < $1.key }) where index <= offer.position.index {
            node.writes[index] = nil
            self.answer(.unknown, to: write.request, from: node)
        }
        try self.give(.snapshotInstalled(offer), to: node)
        try self.answerReads(of: node)
    }
}

extension SnapshotEvent {
    /// The node that it is about, and the life that it belongs to.
    fileprivate var subject: (node: Int, life: UInt32) {
        switch self {
        case .taken(let node, let life), .part(let node, let life, _, _), .filed(let node, let life, _): (node, life)
        }
    }
}
