// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// When a node connects to one peer, and what it tells of it. A value without I/O.
///
/// The loss of a connection that had stood is answered by an attempt at once: if that is refused, the peer's process is
/// gone, and the election need not wait for a timeout.
package struct LinkState: Sendable {
    private enum Phase {
        /// Not begun, or stopped for good.
        case idle
        /// Connecting, or shaking hands.
        case attempting
        case established(since: NIODeadline)
        /// Until the next attempt is due.
        case waiting
    }

    /// What was last told of the peer. Only changes are told.
    private enum Told { case nothing, connected, lost, refused }

    /// What the link must do, in the order given.
    package enum Action: Hashable, Sendable {
        case connect
        /// Connect after this pause.
        case wait(TimeAmount)
        case tellConnected
        case tellDisconnected(isRefused: Bool)
    }

    private var phase = Phase.idle
    private var told = Told.nothing
    private var backoff: Backoff
    /// A second attempt right after the first one that follows a loss. A dying process may still accept one connection
    /// before its listening socket goes.
    private var hasQuickRetry = false

    /// A connection that has stood this long was a good one. Below it a loss waits like a failed attempt, so that two
    /// nodes that accept and drop each other do not spin.
    package static let stableAfter = TimeAmount.milliseconds(100)
    package static let quickRetryPause = TimeAmount.milliseconds(1)

    package init(backoff: Backoff) { self.backoff = backoff }

    package mutating func start() -> [Action] {
        guard case .idle = self.phase else { return [] }
        self.phase = .attempting
        return [.connect]
    }

    /// The handshake is over, and the peer is who it should be.
    package mutating func established(now: NIODeadline) -> [Action] {
        guard case .attempting = self.phase else { return [] }
        self.phase = .established(since: now)
        self.told = .connected
        return [.tellConnected]
    }

    /// The attempt came to nothing. `isRefused`: the peer's machine said that nobody listens there.
    package mutating func attemptFailed(isRefused: Bool) -> [Action] {
        guard case .attempting = self.phase else { return [] }
        self.phase = .waiting
        let pause = self.hasQuickRetry && !isRefused ? Self.quickRetryPause : self.backoff.next()
        self.hasQuickRetry = false
        return self.tell(isRefused: isRefused) + [.wait(pause)]
    }

    /// The connection that stood is gone.
    package mutating func lost(now: NIODeadline) -> [Action] {
        guard case .established(let since) = self.phase else { return [] }
        guard now - since >= Self.stableAfter else {
            self.phase = .waiting
            return self.tell(isRefused: false) + [.wait(self.backoff.next())]
        }
        self.backoff.reset()
        self.hasQuickRetry = true
        self.phase = .attempting
        return [.connect]
    }

    /// The pause is over, or something shows that the peer's situation has changed: an attempt that waits is made now.
    package mutating func hurry() -> [Action] {
        guard case .waiting = self.phase else { return [] }
        self.phase = .attempting
        return [.connect]
    }

    /// No more attempts, and nothing more is told.
    package mutating func stop() { self.phase = .idle }

    private mutating func tell(isRefused: Bool) -> [Action] {
        switch (self.told, isRefused) {
        case (.nothing, true), (.connected, true), (.lost, true):
            self.told = .refused
            return [.tellDisconnected(isRefused: true)]
        case (.connected, false):
            self.told = .lost
            return [.tellDisconnected(isRefused: false)]
        case (.nothing, false), (.lost, false), (.refused, _):
            return []
        }
    }
}
