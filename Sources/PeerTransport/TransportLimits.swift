// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Bounds of the transport. Everything that a peer or a stranger can make grow has one.
package struct TransportLimits: Sendable {
    /// Bytes that may wait on one connection. Over it messages are dropped, requests refused and replies dropped.
    package var queuedBytes = 32 << 20
    /// Requests to one peer that wait for their replies.
    package var outstandingRequests = 16_384
    /// Accepted connections whose handshake is not over; further ones are closed at once.
    package var pendingHandshakes = 64
    /// Time for the handshake, from the moment when the connection is there.
    package var handshakeTimeout = TimeAmount.seconds(5)
    /// Time for one attempt to connect; longer than a round trip to the farthest peer.
    package var connectTimeout = TimeAmount.seconds(1)
    /// Sent bytes that the peer's machine has not acknowledged for this long end the connection. Without it a connection
    /// that a partition has silenced comes back only after TCP's own pauses, which grow as long as the partition was.
    package var unacknowledgedTimeout = TimeAmount.seconds(3)
    /// How often the connecting side sends a ping, and both sides look whether the other one still lives.
    package var pingInterval = TimeAmount.seconds(1)
    /// A connection that was silent for this many intervals is dead: the peer's machine may answer for a process that
    /// hangs, and says nothing at all if it has lost the connection without a word.
    package var silentIntervals = 5
    /// Time that `closeAll()` gives to what still waits to leave.
    package var closeTimeout = TimeAmount.seconds(1)
    /// The first pause between attempts to connect; they double up to `longestPause`.
    package var firstPause = TimeAmount.milliseconds(5)
    package var longestPause = TimeAmount.seconds(1)

    package init() {}
}
