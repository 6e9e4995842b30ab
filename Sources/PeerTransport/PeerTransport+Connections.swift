// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import Raft

// MARK: - Making connections

extension PeerTransport {
    /// Sets up the pipeline of a channel: bytes, frames, connection. The one place for both directions, and so the one
    /// where swift-nio-ssl's handler will stand in front of the others, with the peer's certificate bound to its node id
    /// and cluster id.
    private func initialise(_ channel: any Channel, direction: Connection.Direction) throws -> Connection {
        let frames = FrameHandler()
        self.lastConnection += 1
        let connection = Connection(
            number: self.lastConnection, direction: direction, channel: channel, frames: frames,
            identity: self.identity, limits: self.limits, owner: self)
        try channel.pipeline.syncOperations.addHandlers([frames, connection])
        return connection
    }

    /// Takes a connection that somebody has made to this node. If the future fails, the channel is closed.
    func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            guard !self.isClosed else { throw ChannelError.alreadyClosed }
            let pending = self.incoming.values.count { !$0.isEstablished }
            guard pending < self.limits.pendingHandshakes else {
                self.logRefusal(.tooManyHandshakes, direction: .incoming, peer: nil, address: channel.remoteAddress)
                throw ChannelError.operationUnsupported
            }
            let connection = try self.initialise(channel, direction: .incoming)
            self.incoming[connection.number] = connection
            connection.begin()
        }
    }

    /// Makes one attempt to reach the peer.
    private func connect(_ link: PeerLink) {
        let isolated = NIOLoopBound((transport: self, peer: link.peer), eventLoop: self.loop)
        self.attempts += 1
        let attempt = self.sockets.connect(to: link.address) { channel in
            let (transport, peer) = isolated.value
            return channel.eventLoop.makeCompletedFuture {
                _ = try transport.initialise(channel, direction: .outgoing(peer))
            }
        }
        attempt.assumeIsolated().whenComplete { result in
            self.attempts -= 1
            switch result {
            case .success(let channel): self.connected(link, channel: channel)
            case .failure(let error): self.attemptFailed(link, error: error)
            }
            self.finishClosing()
        }
    }

    private func connected(_ link: PeerLink, channel: any Channel) {
        do {
            let connection = try channel.pipeline.syncOperations.handler(type: Connection.self)
            guard !link.isRetired else { return connection.close(.closing) }
            link.connection = connection
            connection.begin()
        } catch {
            // The other side has closed the channel already, and its handlers are gone.
            channel.close(promise: nil)
            self.attemptFailed(link, error: error)
        }
    }

    private func attemptFailed(_ link: PeerLink, error: any Error) {
        guard !link.isRetired else { return }
        self.counters.attemptsFailed += 1
        let isRefused = Sockets.isRefused(error)
        self.logUnreachable(link, reason: Sockets.describe(error))
        self.perform(link.state.attemptFailed(isRefused: isRefused), on: link)
    }

    func perform(_ actions: [LinkState.Action], on link: PeerLink) {
        for action in actions {
            switch action {
            case .connect:
                link.retry?.cancel()
                link.retry = nil
                self.connect(link)
            case .wait(let pause):
                link.retry = self.loop.assumeIsolated().scheduleTask(in: pause) {
                    self.perform(link.state.hurry(), on: link)
                }
            case .tellConnected:
                self.delegate?.peerConnected(link.peer)
            case .tellDisconnected(let isRefused):
                self.delegate?.peerDisconnected(link.peer, isRefused: isRefused)
            }
        }
    }
}

// MARK: - What connections tell

extension PeerTransport: ConnectionOwner {
    func established(_ connection: Connection, peer: PeerIdentity, isFirstUse: Bool) {
        if isFirstUse { self.learn(peer) }
        self.logEstablished(connection, peer: peer.node)
        let link = self.links[peer.node]
        switch connection.direction {
        case .incoming:
            let older = self.incomingByPeer.updateValue(connection, forKey: peer.node)
            older?.close(.replaced)
            // The peer is there: an attempt to reach it need not wait any longer.
            if let link { self.perform(link.state.hurry(), on: link) }
        case .outgoing:
            guard let link else { return connection.close(.closing) }
            link.loggedFailure = nil
            // Only here: that this node believes a peer which has connected does not mean that the peer believes it.
            self.refusalLog.forget(peer.node)
            self.perform(link.state.established(now: .now()), on: link)
        }
    }

    func received(_ frame: Frame, on connection: Connection, from peer: PeerIdentity) throws(ProtocolViolation) {
        switch (connection.direction, frame.kind) {
        case (_, .message):
            try self.receivedMessage(frame.body, from: peer)
        case (.incoming, .request):
            try self.receivedRequest(frame.body, on: connection, from: peer)
        case (.outgoing, .reply):
            try self.receivedReply(frame.body, from: peer)
        case (.incoming, .reply), (.outgoing, .request), (_, .hello), (_, .welcome),
            (_, .refusal), (_, .ping), (_, .pong):
            throw ProtocolViolation(rule: "a frame of kind \(frame.kind) has no place here")
        }
    }

    /// Holds the peer to the life of its folder that it has given first.
    func learn(_ peer: PeerIdentity) {
        self.directory.learn(peer.storage, of: peer.node)
        self.logger.info(
            "Learned a peer's storage id",
            metadata: [LogKey.peer: "\(peer.node)", LogKey.storage: "\(String(peer.storage.rawValue, radix: 16))"])
        self.delegate?.learned(peer.storage, of: peer.node)
    }

    func readEnded() { self.delegate?.receiveBatchEnded() }

    func closed(_ connection: Connection, peer: PeerIdentity?, reason: CloseReason) {
        self.logClosed(connection, peer: peer?.node, reason: reason)
        if case .refusedByPeer(.removed(self.identity.node, let index)) = reason,
            case .outgoing(let node) = connection.direction,
            let listing = self.identity.listing, index >= listing
        {
            self.delegate?.removed(at: index, saidBy: node)
        }
        if let (node, uses) = reason.outdatedNode, node == self.identity.node, uses > self.identity.knows {
            self.delegate?.outdated(uses: uses)
        }
        switch connection.direction {
        case .incoming: self.incomingClosed(connection, peer: peer)
        case .outgoing(let node): self.outgoingClosed(connection, to: node, hasStood: peer != nil)
        }
        self.finishClosing()
    }

    private func incomingClosed(_ connection: Connection, peer: PeerIdentity?) {
        self.incoming[connection.number] = nil
        guard let peer, self.incomingByPeer[peer.node] === connection else { return }
        self.incomingByPeer[peer.node] = nil
        guard !self.isClosed, let link = self.links[peer.node] else { return }
        self.perform(link.state.hurry(), on: link)
    }

    private func outgoingClosed(_ connection: Connection, to node: NodeID, hasStood: Bool) {
        if let link = self.retired.removeValue(forKey: connection.number) {
            link.connection = nil
            return link.failRequests(handedOverChunk: connection.handedOverChunk)
        }
        guard let link = self.links[node], link.connection === connection else { return }
        link.connection = nil
        link.failRequests(handedOverChunk: connection.handedOverChunk)
        guard !self.isClosed else { return }
        let actions = hasStood ? link.state.lost(now: .now()) : link.state.attemptFailed(isRefused: false)
        self.perform(actions, on: link)
    }
}
