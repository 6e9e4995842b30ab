// SPDX-License-Identifier: Apache-2.0

/// Why the transport cannot listen.
package enum TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process listens there. Stop it, or give this node another address.
    case addressInUse(PeerAddress)
    /// The address is not one of this machine's, the port needs privileges, or the like.
    case cannotListen(PeerAddress, reason: String)
    /// The transport was started before, or is closed.
    case alreadyStarted

    package var description: String {
        switch self {
        case .addressInUse(let address): "cannot listen for peers at \(address): the address is in use"
        case .cannotListen(let address, let reason): "cannot listen for peers at \(address): \(reason)"
        case .alreadyStarted: "the peer transport was started before"
        }
    }
}

/// Why a request has no reply, and whether the peer may have acted on it.
package enum RequestError: Error, Hashable, Sendable {
    /// The peer has certainly not seen it: it may be sent again, anywhere.
    case notSent(Cause)
    /// The peer may have seen it, and may still act on it.
    case unknown(Cause)
    /// Too much waits for this peer; the request was not sent.
    case overloaded

    package enum Cause: Hashable, Sendable {
        case unknownPeer
        case notConnected
        /// The request does not fit into a frame.
        case tooLong
        case connectionLost
        case deadlineExceeded
    }
}

/// What the transport has done so far.
package struct TransportCounters: Hashable, Sendable {
    package internal(set) var messagesSent = 0
    package internal(set) var messagesReceived = 0
    /// Messages for peers without a connection.
    package internal(set) var messagesDroppedWithoutConnection = 0
    /// Messages for peers that have too much waiting.
    package internal(set) var messagesDroppedOverLimit = 0
    /// Messages that no frame can hold: the sender's mistake.
    package internal(set) var messagesDroppedTooLong = 0
    package internal(set) var requestsSent = 0
    package internal(set) var requestsReceived = 0
    /// Replies whose connection was gone, that did not fit into a frame, or whose peer had too much waiting.
    package internal(set) var repliesDropped = 0
    /// Attempts to connect that did not come as far as a handshake.
    package internal(set) var attemptsFailed = 0
    /// Connections closed for what came or did not come over them: bytes that are no frames, handshakes that failed.
    package internal(set) var connectionsRefused = 0
}
