// SPDX-License-Identifier: Apache-2.0

/// Tells a living connection from a dead one by what moves on it. A value without I/O or clock.
///
/// It counts the beats of the connection's own timer, not time: a process that was paused itself beats once when it goes
/// on, and does not take its own pause for its peers' silence.
package struct Pulse: Sendable {
    private let silentIntervals: Int
    private var silentBeats = 0
    private var receivedBytes: UInt64 = 0
    private var writtenBytes: UInt64 = 0
    private var hasQueue = false

    /// - Parameter silentIntervals: so many beats without a sign of life are the end.
    package init(silentIntervals: Int) { self.silentIntervals = silentIntervals }

    /// One beat.
    ///
    /// - Parameters:
    ///   - receivedBytes: all that have come so far.
    ///   - writtenBytes: all that have reached the socket so far.
    ///   - queuedBytes: bytes that wait to leave now.
    /// - Returns: whether the connection is to be kept.
    package mutating func beat(receivedBytes: UInt64, writtenBytes: UInt64, queuedBytes: Int) -> Bool {
        // A queue that drains slowly keeps the ping from leaving; that it drains shows that the peer reads. Without a
        // queue bytes reach the socket whether anybody is there or not.
        let isDraining = self.hasQueue && writtenBytes != self.writtenBytes
        self.silentBeats = receivedBytes != self.receivedBytes || isDraining ? 0 : self.silentBeats + 1
        self.receivedBytes = receivedBytes
        self.writtenBytes = writtenBytes
        self.hasQueue = queuedBytes > 0
        return self.silentBeats < self.silentIntervals
    }
}
