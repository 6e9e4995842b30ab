// SPDX-License-Identifier: Apache-2.0

import Bytes
package import NIOCore
package import Raft

// MARK: - Sending

extension PeerTransport {
    /// Queues a message; it leaves with the next `flush()`.
    ///
    /// Raft bears the loss of any message, so this never fails: without a connection, or over the limit of the queue, the
    /// message is dropped and counted.
    package func send(_ message: Message, group: GroupID = .zero, to peer: NodeID) {
        self.loop.assertInEventLoop()
        guard let connection = self.connection(to: peer) else {
            self.counters.messagesDroppedWithoutConnection += 1
            return
        }
        let header = MessageHeader(
            cluster: self.identity.cluster, group: group, from: self.identity.node, fromStorage: self.identity.storage,
            to: peer)
        let bytes = MessageCodec.encode(message, header: header)
        guard bytes.count <= Frame.maximumBodyLength else {
            self.counters.messagesDroppedTooLong += 1
            self.logTooLong(bytes.count, peer: peer)
            return
        }
        if connection.append(.message, bodyLength: bytes.count, body: { $0.writeBytes(bytes) }) == nil {
            self.counters.messagesDroppedOverLimit += 1
        } else {
            self.counters.messagesSent += 1
        }
    }

    /// To a member, its link. A node that this one doesn't know as a member yet gets its answers where it has asked.
    private func connection(to peer: NodeID) -> Connection? {
        if let link = self.links[peer] { return link.establishedConnection }
        guard let connection = self.incomingByPeer[peer], connection.isEstablished else { return nil }
        return connection
    }

    /// Queues a request; it leaves with the next `flush()`.
    ///
    /// - Parameter deadline: when to stop waiting for the reply.
    /// - Returns: the reply. Fails with a `RequestError`, which says whether the peer may have seen the request.
    package func request(_ bytes: [UInt8], to peer: NodeID, deadline: NIODeadline) -> EventLoopFuture<[UInt8]> {
        self.loop.assertInEventLoop()
        guard let link = self.links[peer] else { return self.fail(.notSent(.unknownPeer)) }
        guard let connection = link.establishedConnection else { return self.fail(.notSent(.notConnected)) }
        guard bytes.count <= Self.maximumRequestLength else { return self.fail(.notSent(.tooLong)) }
        guard link.requests.count < self.limits.outstandingRequests else { return self.fail(.overloaded) }
        let number = self.lastRequest + 1
        let chunk = connection.append(.request, bodyLength: Self.numberLength + bytes.count) { body in
            body.writeInteger(number, endianness: .little)
            body.writeBytes(bytes)
        }
        guard let chunk else { return self.fail(.overloaded) }
        self.lastRequest = number
        self.counters.requestsSent += 1
        let promise = self.loop.makePromise(of: [UInt8].self)
        let timer = self.loop.assumeIsolated().scheduleTask(deadline: deadline) { link.deadlineExceeded(number) }
        link.add(.init(promise: promise, deadline: timer, chunk: chunk), number: number)
        return promise.futureResult
    }

    /// Queues the reply to a request; it leaves with the next `flush()`.
    ///
    /// - Returns: false if it cannot be sent: the connection is gone, too much waits on it, or the reply is longer than
    ///   `maximumRequestLength`. The asking side then learns nothing and gives up at its deadline.
    @discardableResult
    package func reply(to token: ReplyToken, _ bytes: [UInt8]) -> Bool {
        self.loop.assertInEventLoop()
        guard
            bytes.count <= Self.maximumRequestLength, let connection = self.incoming[token.connection],
            connection.isEstablished
        else { return self.dropReply() }
        let chunk = connection.append(.reply, bodyLength: Self.numberLength + bytes.count) { body in
            body.writeInteger(token.request, endianness: .little)
            body.writeBytes(bytes)
        }
        return chunk != nil || self.dropReply()
    }

    /// Sends what is queued: one write for each connection. To be called at the end of each turn.
    package func flush() {
        self.loop.assertInEventLoop()
        for link in self.links.values { link.connection?.flush() }
        for connection in self.incomingByPeer.values { connection.flush() }
    }

    /// The longest request and reply, in bytes.
    package static let maximumRequestLength = Frame.maximumBodyLength - numberLength

    /// Bytes that wait to leave for the peer, of messages and requests.
    package func queuedBytes(to peer: NodeID) -> Int { self.links[peer]?.connection?.queuedBytes ?? 0 }

    /// Whether messages and requests to the peer can leave.
    package func isConnected(to peer: NodeID) -> Bool { self.links[peer]?.establishedConnection != nil }

    /// Bytes of the number in front of a request and its reply.
    private static let numberLength = 8

    private func fail(_ error: RequestError) -> EventLoopFuture<[UInt8]> { self.loop.makeFailedFuture(error) }

    private func dropReply() -> Bool {
        self.counters.repliesDropped += 1
        return false
    }
}

// MARK: - Receiving

extension PeerTransport {
    func receivedMessage(_ body: ByteBuffer, from peer: PeerIdentity) throws(ProtocolViolation) {
        let decoded: (header: MessageHeader, message: Message)
        do throws(ByteError) {
            decoded = try MessageCodec.decode(Array(body.readableBytesView))
        } catch {
            throw ProtocolViolation(rule: "unreadable message: \(error)")
        }
        let header = decoded.header
        let expected = MessageHeader(
            cluster: peer.cluster, group: header.group, from: peer.node, fromStorage: peer.storage,
            to: self.identity.node)
        guard header == expected else {
            throw ProtocolViolation(rule: "the header of a message differs from the connection's handshake")
        }
        self.counters.messagesReceived += 1
        // What was promised by another life of the peer's folder, or by who isn't known as a member, binds nobody here.
        guard !decoded.message.isReply || self.directory.counts(peer) else { return }
        self.delegate?.received(decoded.message, group: header.group, from: peer.node)
    }

    func receivedRequest(
        _ body: ByteBuffer, on connection: Connection, from peer: PeerIdentity
    ) throws(ProtocolViolation) {
        let (number, bytes) = try Self.split(body)
        self.counters.requestsReceived += 1
        let token = ReplyToken(connection: connection.number, request: number)
        self.delegate?.receivedRequest(bytes, from: peer.node, token: token)
    }

    func receivedReply(_ body: ByteBuffer, from peer: PeerIdentity) throws(ProtocolViolation) {
        let (number, bytes) = try Self.split(body)
        self.links[peer.node]?.replied(to: number, with: bytes)
    }

    private static func split(_ body: ByteBuffer) throws(ProtocolViolation) -> (number: UInt64, bytes: [UInt8]) {
        var body = body
        guard let number = body.readInteger(endianness: .little, as: UInt64.self) else {
            throw ProtocolViolation(rule: "a request or reply without its number")
        }
        return (number, Array(body.readableBytesView))
    }
}
