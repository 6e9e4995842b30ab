// SPDX-License-Identifier: Apache-2.0

package import Bytes
package import Logging
package import NIOCore
package import Raft

/// Carries messages, requests and replies between the nodes of a cluster.
///
/// To every peer there is one outgoing connection, for this node's messages and requests; replies come back on it. From
/// every peer there is one incoming one. So either side's loss is seen by both, and no rule has to choose between two.
///
/// Confined to one event loop: every method is called on it, and the delegate is called on it, synchronously. What is
/// queued leaves with `flush()`, one write per peer. Nothing is sent twice; what was queued on a connection that is lost is
/// lost with it.
package final class PeerTransport {
    private enum Phase { case new, listening, running, closed }

    package let loop: any EventLoop
    package private(set) var identity: PeerIdentity
    package weak var delegate: (any PeerTransportDelegate)?
    /// Where the transport listens; the port is the real one, also if 0 was asked for. Nil before.
    package private(set) var boundAddress: PeerAddress?
    package internal(set) var counters = TransportCounters()

    let limits: TransportLimits
    let logger: Logger
    var refusalLog = RefusalLog()
    var directory: MemberDirectory
    private(set) var links: [NodeID: PeerLink] = [:]
    /// Links to nodes that are no members any more, by the number of the connection that is still being closed.
    var retired: [UInt64: PeerLink] = [:]
    private var seeds: SplitMix64
    /// Every accepted connection, by its number.
    var incoming: [UInt64: Connection] = [:]
    /// The accepted connections whose handshake is over: one for each peer, the newest.
    var incomingByPeer: [NodeID: Connection] = [:]
    private(set) var sockets: Sockets
    var lastConnection: UInt64 = 0
    var lastRequest: UInt64 = 0
    /// Attempts to connect that are under way.
    var attempts = 0
    private var server: (any Channel)?
    private var phase = Phase.new
    private var closePromise: EventLoopPromise<Void>?

    /// - Parameters:
    ///   - members: where every member listens. This node's own entry, if there is one, is not used.
    ///   - directory: the storage ids of the members; a member that is missing in it is unknown and refused.
    ///   - seed: of the pauses between attempts to connect.
    package init(
        loop: any EventLoop, identity: PeerIdentity, members: [NodeID: PeerAddress], directory: MemberDirectory,
        limits: TransportLimits = TransportLimits(), seed: UInt64, logger: Logger
    ) {
        self.loop = loop
        self.identity = identity
        self.limits = limits
        self.logger = logger
        self.directory = directory.removing(identity.node)
        self.sockets = Sockets(loop: loop, limits: limits, listenHost: nil)
        self.seeds = SplitMix64(seed: seed)
        for (peer, address) in members.sorted(by: { $0.key < $1.key }) where peer != identity.node {
            self.addLink(to: peer, at: address)
        }
    }

    // MARK: Members

    /// These take part from now on: connects to those that are new, and lets those go that don't any more.
    ///
    /// - Parameters:
    ///   - members: where each listens. This node's own entry, if there is one, is not used.
    ///   - listing: what this node says of itself in the handshakes to come.
    package func setMembers(_ members: [NodeID: PeerAddress], directory: MemberDirectory, listing: LogIndex?) {
        self.loop.preconditionInEventLoop()
        self.identity.listing = listing
        self.directory = directory.removing(self.identity.node)
        guard !self.isClosed else { return }
        for link in self.links.values where members[link.peer] == nil { self.retire(link) }
        for (peer, address) in members.sorted(by: { $0.key < $1.key }) where peer != self.identity.node {
            if let link = self.links[peer] {
                if link.address != address { self.setAddress(address, of: peer) }
            } else {
                let link = self.addLink(to: peer, at: address)
                if self.phase == .running { self.perform(link.state.start(), on: link) }
            }
        }
        // Whoever isn't believed any more may say hello again, and is told why.
        let connections = Array(self.incomingByPeer.values) + self.links.values.compactMap(\.connection)
        for connection in connections {
            guard let peer = connection.peer else { continue }
            if self.directory.check(peer) == .firstUse { self.learn(peer) }
            guard self.directory.refusal(of: peer) != nil else { continue }
            connection.closeGracefully(.noMember)
        }
    }

    // MARK: Formats

    /// The cluster uses this format from now on: whoever doesn't know it isn't talked to any more.
    package func setFormat(_ format: FormatLevel) {
        self.loop.preconditionInEventLoop()
        guard format > self.identity.uses else { return }
        self.identity.uses = format
        for connection in Array(self.incomingByPeer.values) + self.links.values.compactMap(\.connection) {
            guard let peer = connection.peer, peer.knows < format else { continue }
            connection.closeGracefully(.outdated)
        }
    }

    /// The newest format that the peer's program knows, as it has said when this node connected to it; nil without a
    /// connection.
    package func knownFormat(of peer: NodeID) -> FormatLevel? {
        self.links[peer]?.establishedConnection?.peer?.knows
    }

    @discardableResult
    private func addLink(to peer: NodeID, at address: PeerAddress) -> PeerLink {
        let backoff = Backoff(
            initial: self.limits.firstPause, cap: self.limits.longestPause, seed: self.seeds.next())
        let link = PeerLink(peer: peer, address: address, backoff: backoff)
        self.links[peer] = link
        return link
    }

    private func retire(_ link: PeerLink) {
        self.links[link.peer] = nil
        self.stop(link)
        guard let connection = link.connection else { return }
        self.retired[connection.number] = link
        connection.closeGracefully(.noMember)
    }

    private func stop(_ link: PeerLink) {
        link.state.stop()
        link.isRetired = true
        link.retry?.cancel()
    }

    // MARK: Life

    /// Listens, then connects to every peer.
    ///
    /// - Returns: done when the transport listens; fails with a `TransportError`. Peers are reached in their own time.
    package func start(host: String, port: Int) -> EventLoopFuture<Void> {
        self.listen(host: host, port: port).assumeIsolated().map { self.connect() }.nonisolated()
    }

    /// Listens, without connecting to anybody yet. Port 0 lets the system choose one.
    package func listen(host: String, port: Int) -> EventLoopFuture<Void> {
        self.loop.preconditionInEventLoop()
        guard self.phase == .new else { return self.loop.makeFailedFuture(TransportError.alreadyStarted) }
        self.phase = .listening
        self.sockets = Sockets(loop: self.loop, limits: self.limits, listenHost: host)
        let isolated = NIOLoopBound(self, eventLoop: self.loop)
        return self.sockets.listen(at: PeerAddress(host: host, port: port)) { channel in
            isolated.value.accept(channel)
        }
        .assumeIsolated().map { server in
            let address = PeerAddress(host: host, port: server.localAddress?.port ?? port)
            self.logger.info("Listening for peers", metadata: [LogKey.listenAddress: "\(address)"])
            self.boundAddress = address
            self.server = server
            if self.isClosed { server.close(promise: nil) }
        }
        .nonisolated()
    }

    /// Begins to connect to every peer.
    package func connect() {
        self.loop.preconditionInEventLoop()
        guard self.phase == .listening else { return }
        self.phase = .running
        for link in self.links.values { self.perform(link.state.start(), on: link) }
    }

    /// The peer listens elsewhere from now on. A connection that stands is kept; otherwise it is tried at once.
    package func setAddress(_ address: PeerAddress, of peer: NodeID) {
        self.loop.preconditionInEventLoop()
        guard let link = self.links[peer] else { return }
        link.address = address
        self.perform(link.state.hurry(), on: link)
    }

    /// Stops listening and connecting, lets what is queued leave (at most for `closeTimeout`), and closes everything. The
    /// delegate hears nothing any more.
    package func closeAll() -> EventLoopFuture<Void> {
        self.loop.preconditionInEventLoop()
        if let closePromise = self.closePromise { return closePromise.futureResult }
        let promise = self.loop.makePromise(of: Void.self)
        self.closePromise = promise
        self.phase = .closed
        self.delegate = nil
        let serverClosed = self.server?.close() ?? self.loop.makeSucceededVoidFuture()
        for link in self.links.values {
            self.stop(link)
            link.connection?.closeGracefully(.closing)
        }
        for connection in self.incoming.values { connection.closeGracefully(.closing) }
        self.finishClosing()
        let loop = self.loop
        return promise.futureResult.flatMap { serverClosed.flatMapError { _ in loop.makeSucceededVoidFuture() } }
    }

    /// Connections that stand, shake hands or are closing, in both directions.
    package var openConnections: Int {
        self.incoming.count + self.retired.count + self.links.values.count { $0.connection != nil }
    }

    var isClosed: Bool { self.phase == .closed }

    /// Fulfils the promise of `closeAll()` once nothing is open any more.
    func finishClosing() {
        guard
            let closePromise = self.closePromise, self.attempts == 0, self.incoming.isEmpty, self.retired.isEmpty,
            self.links.values.allSatisfy({ $0.connection == nil })
        else { return }
        closePromise.succeed(())
    }
}
