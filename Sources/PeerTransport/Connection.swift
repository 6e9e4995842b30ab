// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Raft

/// What a connection tells its owner. Every call comes on the connection's event loop.
protocol ConnectionOwner: AnyObject {
    /// Whom to believe, as known now.
    var directory: MemberDirectory { get }
    /// The handshake is over and both sides believe each other.
    func established(_ connection: Connection, peer: PeerIdentity, isFirstUse: Bool)
    /// A frame that came after the handshake. An error is thrown for one that the peer should not have sent.
    func received(_ frame: Frame, on connection: Connection, from peer: PeerIdentity) throws(ProtocolViolation)
    /// What one read of the socket brought has been given.
    func readEnded()
    /// The connection has begun and is over; called once. `peer` is nil if it never stood.
    func closed(_ connection: Connection, peer: PeerIdentity?, reason: CloseReason)
}

/// A frame that has no place where it came.
struct ProtocolViolation: Error, Hashable {
    let rule: String
}

/// One connection to or from a peer: its handshake, its frames, its queue. The last handler of its channel.
///
/// Confined to the channel's event loop.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = Frame

    enum Direction: Hashable, Sendable {
        case incoming
        case outgoing(NodeID)
    }

    private enum Phase {
        case new
        case shakingHands(timeout: Scheduled<Void>)
        case established(PeerIdentity)
        /// The channel is told to close, or will be when its last bytes are out.
        case closing(PeerIdentity?, CloseReason)
        case closed
    }

    /// Names the connection in this life of the process.
    let number: UInt64
    let direction: Direction
    private let channel: any Channel
    private let frames: FrameHandler
    private let limits: TransportLimits
    private var owner: (any ConnectionOwner)?
    private var handshake: Handshake
    private var phase = Phase.new
    private var outbox: Outbox
    private var pulse: Pulse
    private var nextBeat: Scheduled<Void>?

    init(
        number: UInt64, direction: Direction, channel: any Channel, frames: FrameHandler, identity: PeerIdentity,
        limits: TransportLimits, owner: any ConnectionOwner
    ) {
        self.number = number
        self.direction = direction
        self.channel = channel
        self.frames = frames
        self.limits = limits
        self.owner = owner
        self.outbox = Outbox(limit: limits.queuedBytes)
        self.pulse = Pulse(silentIntervals: limits.silentIntervals)
        switch direction {
        case .incoming: self.handshake = Handshake(accepting: identity)
        case .outgoing(let peer): self.handshake = Handshake(connecting: identity, to: peer)
        }
    }

    /// The other side's address; kept when the connection is over.
    private(set) var remoteAddress: SocketAddress?

    var isEstablished: Bool {
        switch self.phase {
        case .established: true
        case .new, .shakingHands, .closing, .closed: false
        }
    }

    /// Who is on the other side, while the connection stands.
    var peer: PeerIdentity? {
        guard case .established(let peer) = self.phase else { return nil }
        return peer
    }

    /// Bytes that wait to leave.
    var queuedBytes: Int { self.outbox.queuedBytes }

    /// Begins the handshake. A connection that was never begun tells its owner nothing.
    func begin() {
        guard case .new = self.phase else { return }
        let timeout = self.channel.eventLoop.assumeIsolated().scheduleTask(in: self.limits.handshakeTimeout) {
            self.close(.handshakeTimeout)
        }
        self.phase = .shakingHands(timeout: timeout)
        self.remoteAddress = self.channel.remoteAddress
        self.channel.closeFuture.assumeIsolated().whenComplete { _ in self.ended() }
        self.perform(self.handshake.connected())
    }

    // MARK: Sending

    /// Queues one frame; it leaves with the next `flush()`.
    ///
    /// - Returns: the number of the chunk that it is in, or nil if it would break the limit of the queue.
    func append(_ kind: Frame.Kind, bodyLength: Int, body: (inout ByteBuffer) -> Void) -> UInt64? {
        let chunk = self.outbox.openChunk
        return self.outbox.append(kind, bodyLength: bodyLength, body: body) ? chunk : nil
    }

    /// The last chunk that the peer may have seen something of.
    var handedOverChunk: UInt64 { self.outbox.handedOverChunk }

    /// Gives what is queued to the channel, as far as it takes it. One system call if the socket has room.
    func flush() {
        guard self.isEstablished else { return }
        self.flush(isForced: false)
    }

    /// - Parameter isForced: also what the channel does not want yet: at the end, or what the handshake needs.
    private func flush(isForced: Bool) {
        var hasWritten = false
        while isForced || self.channel.isWritable, let chunk = self.outbox.next() {
            let count = chunk.readableBytes
            let promise = self.channel.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in self.outbox.written(count) }
            self.channel.write(chunk, promise: promise)
            hasWritten = true
        }
        if hasWritten { self.channel.flush() }
    }

    // MARK: Closing

    /// Closes at once; what waits is lost.
    func close(_ reason: CloseReason) {
        guard self.startClosing(reason) else { return }
        self.channel.close(promise: nil)
    }

    /// Closes when what waits has left, or after `closeTimeout`.
    func closeGracefully(_ reason: CloseReason) {
        guard self.startClosing(reason) else { return }
        self.flush(isForced: true)
        let channel = self.channel
        let timeout = channel.eventLoop.scheduleTask(in: self.limits.closeTimeout) { channel.close(promise: nil) }
        // The end of our stream, not of both: closing a socket with unread bytes would reset the connection and could
        // take away from the peer what has just been sent. The peer closes its side when it sees ours closed.
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(mode: .output, promise: nil) }
        channel.closeFuture.whenComplete { _ in timeout.cancel() }
    }

    private func startClosing(_ reason: CloseReason) -> Bool {
        self.nextBeat?.cancel()
        switch self.phase {
        case .new:
            self.phase = .closed
            self.owner = nil
            return true
        case .shakingHands(let timeout):
            timeout.cancel()
            self.phase = .closing(nil, reason)
            return true
        case .established(let peer):
            self.phase = .closing(peer, reason)
            return true
        case .closing, .closed:
            return false
        }
    }

    // MARK: Events of the channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        switch self.phase {
        case .shakingHands:
            guard let owner = self.owner else { return }
            self.perform(self.handshake.received(frame, directory: owner.directory))
        case .established(let peer):
            do throws(ProtocolViolation) {
                try self.establishedReceived(frame, from: peer)
            } catch {
                self.close(.violation(error.rule, firstBytes: Self.firstBytes(of: frame)))
            }
        case .new, .closing, .closed:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.isEstablished { self.owner?.readEnded() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as FrameError: self.close(.notFrames(error))
        case let error as IOError: self.close(.failed(error.description))
        case _: self.close(.failed("\(error)"))
        }
    }

    /// The channel is closed. If nobody here has done it, the other side has.
    private func ended() {
        _ = self.startClosing(.ended)
        guard case .closing(let peer, let reason) = self.phase else { return }
        self.phase = .closed
        let owner = self.owner
        self.owner = nil
        owner?.closed(self, peer: peer, reason: reason)
    }

    // MARK: Signs of life

    private func scheduleBeat() {
        self.nextBeat = self.channel.eventLoop.assumeIsolated().scheduleTask(in: self.limits.pingInterval) {
            self.beat()
        }
    }

    private func beat() {
        guard self.isEstablished else { return }
        let isAlive = self.pulse.beat(
            receivedBytes: self.frames.receivedBytes, writtenBytes: self.outbox.writtenBytes,
            queuedBytes: self.outbox.queuedBytes)
        guard isAlive else { return self.close(.silent) }
        switch self.direction {
        case .outgoing: self.sendEmpty(.ping)
        case .incoming: break
        }
        self.scheduleBeat()
    }

    /// A ping or a pong. It is left out if the queue is full: what drains it is a sign of life as well.
    private func sendEmpty(_ kind: Frame.Kind) {
        _ = self.append(kind, bodyLength: 0) { _ in }
        self.flush()
    }

    private func establishedReceived(_ frame: Frame, from peer: PeerIdentity) throws(ProtocolViolation) {
        switch (self.direction, frame.kind) {
        case (.incoming, .ping): self.sendEmpty(.pong)
        case (.outgoing, .pong): break
        case _: try self.owner?.received(frame, on: self, from: peer)
        }
    }

    // MARK: Handshake

    private func perform(_ action: Handshake.Action) {
        switch action {
        case .send(let message):
            self.send(message)
        case .establish(let peer, let answer, let isFirstUse):
            guard case .shakingHands(let timeout) = self.phase else { return }
            timeout.cancel()
            if let answer { self.send(answer) }
            self.frames.maximumBodyLength = Frame.maximumBodyLength
            self.phase = .established(peer)
            self.scheduleBeat()
            self.owner?.established(self, peer: peer, isFirstUse: isFirstUse)
        case .refuse(let refusal):
            self.send(.refusal(refusal))
            self.closeGracefully(.refused(refusal))
        case .refused(let refusal):
            self.close(.refusedByPeer(refusal))
        case .reject(let refusal):
            self.close(.rejected(refusal))
        case .violation(let error):
            self.close(.violation(error.description, firstBytes: []))
        case .ignore:
            break
        }
    }

    private func send(_ message: HandshakeMessage) {
        let body = message.encoded
        _ = self.append(message.kind, bodyLength: body.count) { $0.writeBytes(body) }
        self.flush(isForced: true)
    }

    private static func firstBytes(of frame: Frame) -> [UInt8] {
        Array(frame.body.readableBytesView.prefix(FrameError.maximumFirstBytes))
    }
}
