// SPDX-License-Identifier: Apache-2.0

import Raft

/// Messages and connections between nodes.
extension World {
    func transmit(_ message: Message, from node: SimulatedNode, to peer: Int) throws(Violation) {
        guard self.connections.isUp(node.number, peer) else {
            self.record(.dropped(message, to: peer), node)
            return
        }
        let arrivals = self.network.route(
            from: node.number, to: peer, now: self.now, plan: self.plan, counts: &self.counts)
        guard let first = arrivals.first else {
            self.record(.dropped(message, to: peer), node)
            return
        }
        self.record(.sent(message, to: peer), node)
        let carried = try self.carried(message, from: node, to: peer)
        self.queue.add(.deliver(carried, from: node.number, node.storage, to: peer), at: first)
        if let second = arrivals.second {
            self.queue.add(.deliver(carried, from: node.number, node.storage, to: peer), at: second)
        }
    }

    /// The message as the other side reads it from the wire.
    private func carried(_ message: Message, from node: SimulatedNode, to peer: Int) throws(Violation) -> Message {
        let header = MessageHeader(
            cluster: self.cluster, group: .zero, from: node.id,
            fromStorage: node.storage, to: self.ids[peer])
        let decoded: (header: MessageHeader, message: Message)
        do {
            decoded = try MessageCodec.decode(MessageCodec.encode(message, header: header))
        } catch {
            throw Violation(.codecRoundTrip, "\(Describe.message(message)) can't be decoded: \(error)")
        }
        guard decoded.message == message, decoded.header == header else {
            throw Violation(
                .codecRoundTrip, "\(Describe.message(message)) becomes \(Describe.message(decoded.message))")
        }
        return decoded.message
    }

    /// What a node has said on a disk that it has lost since is not believed: its connections ended with it.
    func deliver(
        _ message: Message, from sender: Int, _ storage: StorageID, to node: SimulatedNode
    ) throws(Violation) {
        guard node.isProcessAlive, self.nodes[sender].storage == storage else { return }
        guard !message.isReply || self.counts(storage, of: sender, at: node) else { return }
        self.record(.received(message, from: sender), node)
        try self.give(.received(message, from: self.ids[sender]), to: node)
    }

    /// Votes and acknowledgements count only for the life of a disk that the receiver knows of; one that its log doesn't name
    /// is the first (Docs/architecture.md, "The log in SQLite"). Whoever joined again on an empty disk has promised nothing.
    private func counts(_ storage: StorageID, of sender: Int, at node: SimulatedNode) -> Bool {
        guard let member = node.core?.membership.member(self.ids[sender]) else { return true }
        return storage == (member.storageID == .unknown ? SimulatedNode.firstStorage(sender) : member.storageID)
    }

    func tell(_ news: Connections.News, of peer: Int, to node: SimulatedNode, epoch: UInt32) throws(Violation) {
        guard node.isProcessAlive, self.connections.epoch(node.number, peer) == epoch else { return }
        switch news {
        case .connected:
            self.record(.connected(peer), node)
            node.heardFormats[self.ids[peer]] = self.nodes[peer].known
            try self.give(.peerConnected(self.ids[peer]), to: node)
        case .lost(let isRefused):
            self.record(.disconnected(peer, isRefused: isRefused), node)
            node.heardFormats[self.ids[peer]] = nil
            try self.give(.peerDisconnected(self.ids[peer], isRefused: isRefused), to: node)
        }
    }

    /// Connects a node with every other that lives and can be reached.
    func connectAll(_ node: SimulatedNode) {
        for peer in self.nodes where peer !== node && peer.isProcessAlive && node.isProcessAlive {
            guard !self.connections.isUp(node.number, peer.number),
                self.network[node.number, peer.number].cuts == 0, self.network[peer.number, node.number].cuts == 0
            else { continue }
            self.connections.set(node.number, peer.number, isUp: true)
            self.spread(.connected, between: node, and: peer, within: 100_000...5_000_000)
        }
    }

    /// The process of a node is gone: its peers are refused, unless the network keeps that from them.
    func disconnectAll(_ node: SimulatedNode) {
        for peer in self.nodes where peer !== node {
            self.connections.set(node.number, peer.number, isUp: false)
            guard peer.isProcessAlive else { continue }
            let isReachable =
                self.network[node.number, peer.number].cuts == 0 && self.network[peer.number, node.number].cuts == 0
            let delay = self.faultRandom.within(isReachable ? 100_000...3_000_000 : 20_000_000...200_000_000)
            self.queue.add(
                .news(
                    .lost(isRefused: isReachable), of: node.number, to: peer.number,
                    epoch: self.connections.epoch(node.number, peer.number)), at: self.now + delay)
        }
    }

    /// A connection breaks though both processes live.
    func breakConnection(_ a: SimulatedNode, _ b: SimulatedNode) {
        guard self.connections.isUp(a.number, b.number) else { return }
        self.connections.set(a.number, b.number, isUp: false)
        self.spread(.lost(isRefused: false), between: a, and: b, within: 1_000_000...100_000_000)
    }

    private func spread(
        _ news: Connections.News, between a: SimulatedNode, and b: SimulatedNode, within delay: ClosedRange<UInt64>
    ) {
        let epoch = self.connections.epoch(a.number, b.number)
        for (node, peer) in [(a, b), (b, a)] {
            self.queue.add(
                .news(news, of: peer.number, to: node.number, epoch: epoch),
                at: self.now + self.faultRandom.within(delay))
        }
    }
}
