// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Raft

/// The outgoing side towards one peer: its one connection, and the requests that wait for replies.
///
/// Confined to the transport's event loop.
final class PeerLink {
    /// A request that was queued and has no reply yet.
    struct PendingRequest {
        let promise: EventLoopPromise<[UInt8]>
        let deadline: Scheduled<Void>
        /// The chunk of the connection's queue that it is in.
        let chunk: UInt64
    }

    let peer: NodeID
    var address: PeerAddress
    var state: LinkState
    /// The connection that shakes hands or stands.
    var connection: Connection?
    var retry: Scheduled<Void>?
    /// Nobody connects any more: the peer is no member, or the transport closes.
    var isRetired = false
    private(set) var requests: [UInt64: PendingRequest] = [:]
    /// Why the last attempt failed, as logged: the same reason is not logged again.
    var loggedFailure: String?

    init(peer: NodeID, address: PeerAddress, backoff: Backoff) {
        self.peer = peer
        self.address = address
        self.state = LinkState(backoff: backoff)
    }

    /// The connection, if frames may be queued on it.
    var establishedConnection: Connection? {
        guard let connection = self.connection, connection.isEstablished else { return nil }
        return connection
    }

    func add(_ request: PendingRequest, number: UInt64) { self.requests[number] = request }

    /// The reply of a request has come. One that comes after the deadline finds nobody.
    func replied(to number: UInt64, with bytes: [UInt8]) {
        guard let request = self.requests.removeValue(forKey: number) else { return }
        request.deadline.cancel()
        request.promise.succeed(bytes)
    }

    /// The request may lie in the queue or be under way: nothing can call it back.
    func deadlineExceeded(_ number: UInt64) {
        self.requests.removeValue(forKey: number)?.promise.fail(RequestError.unknown(.deadlineExceeded))
    }

    /// The connection is gone, and with it the way back of every reply.
    ///
    /// - Parameter handedOverChunk: the last chunk of which the peer may have seen something.
    func failRequests(handedOverChunk: UInt64) {
        let requests = self.requests
        self.requests = [:]
        for request in requests.values {
            request.deadline.cancel()
            let mayHaveArrived = request.chunk <= handedOverChunk
            request.promise.fail(
                mayHaveArrived ? RequestError.unknown(.connectionLost) : RequestError.notSent(.connectionLost))
        }
    }
}
