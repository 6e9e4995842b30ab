// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import Raft

extension PeerTransport {
    /// An operator wants to see whom the node can talk to; that the other direction stands too is a detail.
    func logEstablished(_ connection: Connection, peer: NodeID) {
        let metadata = self.metadata(of: connection, peer: peer)
        switch connection.direction {
        case .outgoing: self.logger.info("Peer connected", metadata: metadata)
        case .incoming: self.logger.debug("Peer has connected to this node", metadata: metadata)
        }
    }

    func logClosed(_ connection: Connection, peer: NodeID?, reason: CloseReason) {
        if reason.isRefusal {
            return self.logRefusal(
                reason, direction: connection.direction, peer: peer, address: connection.remoteAddress)
        }
        var metadata = self.metadata(of: connection, peer: peer)
        metadata[LogKey.reason] = "\(reason.text)"
        switch (connection.direction, peer) {
        case (.outgoing, .some): self.logger.info("Peer disconnected", metadata: metadata)
        case (.outgoing, .none), (.incoming, _): self.logger.debug("Peer connection closed", metadata: metadata)
        }
    }

    /// A connection that this node or its peer does not accept, said at most once a minute for a reason, an address and
    /// a node.
    func logRefusal(
        _ reason: CloseReason, direction: Connection.Direction, peer: NodeID?, address: SocketAddress?
    ) {
        self.counters.connectionsRefused += 1
        let host = address?.ipAddress ?? "unknown"
        let node: NodeID? =
            switch direction {
            case .incoming: peer ?? reason.subject
            case .outgoing(let wanted): wanted
            }
        let admitted = self.refusalLog.admit(reason: reason.word, address: host, node: node, now: .now())
        guard let suppressed = admitted else { return }
        var metadata = self.metadata(direction: direction, peer: peer, address: address)
        metadata[LogKey.reason] = "\(reason.text)"
        if let firstBytes = reason.firstBytesText { metadata[LogKey.firstBytes] = "\(firstBytes)" }
        if suppressed > 0 { metadata[LogKey.suppressed] = "\(suppressed)" }
        self.logger.warning("Peer connection refused", metadata: metadata)
    }

    /// Said once for each reason until the peer is reached again, since attempts go on for as long as the peer is away.
    func logUnreachable(_ link: PeerLink, reason: String) {
        guard link.loggedFailure != reason else { return }
        link.loggedFailure = reason
        self.logger.info(
            "Peer cannot be reached",
            metadata: [LogKey.peer: "\(link.peer)", LogKey.address: "\(link.address)", LogKey.reason: "\(reason)"])
    }

    func logTooLong(_ length: Int, peer: NodeID) {
        self.logger.error(
            "Dropped a message that no frame can hold",
            metadata: [LogKey.peer: "\(peer)", LogKey.length: "\(length)"])
    }

    private func metadata(of connection: Connection, peer: NodeID?) -> Logger.Metadata {
        self.metadata(direction: connection.direction, peer: peer, address: connection.remoteAddress)
    }

    private func metadata(
        direction: Connection.Direction, peer: NodeID?, address: SocketAddress?
    ) -> Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        switch direction {
        case .incoming:
            metadata[LogKey.direction] = "incoming"
            metadata[LogKey.peer] = peer.map { "\($0)" }
        case .outgoing(let wanted):
            metadata[LogKey.direction] = "outgoing"
            metadata[LogKey.peer] = "\(wanted)"
        }
        if let address, let host = address.ipAddress, let port = address.port {
            metadata[LogKey.address] = "\(PeerAddress(host: host, port: port))"
        }
        return metadata
    }
}
