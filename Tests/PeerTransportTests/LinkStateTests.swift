// SPDX-License-Identifier: Apache-2.0

import NIOCore
import PeerTransport
import Testing

@Suite("When to connect, and what to tell") struct LinkStateTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func link() -> LinkState {
        LinkState(backoff: Backoff(initial: .milliseconds(8), cap: .milliseconds(100), seed: 1))
    }

    private static func establishedLink() -> LinkState {
        var link = self.link()
        _ = link.start()
        _ = link.established(now: self.start)
        return link
    }

    private static func waits(_ actions: [LinkState.Action]) -> TimeAmount? {
        guard case .wait(let pause) = actions.last else { return nil }
        return pause
    }

    @Test func startsOnceAndTellsOnce() {
        var link = Self.link()
        #expect(link.start() == [.connect])
        #expect(link.start() == [])
        #expect(link.established(now: Self.start) == [.tellConnected])
        #expect(link.established(now: Self.start) == [])
        #expect(link.hurry() == [])
    }

    @Test("A peer that is not there yet is told once as refused") func refusedFromTheStart() {
        var link = Self.link()
        _ = link.start()
        #expect(link.attemptFailed(isRefused: true).first == .tellDisconnected(isRefused: true))
        #expect(link.hurry() == [.connect])
        let again = link.attemptFailed(isRefused: true)
        #expect(again.count == 1 && Self.waits(again) != nil)
    }

    @Test("A peer that cannot be reached from the start is no news") func unreachableFromTheStart() {
        var link = Self.link()
        _ = link.start()
        let actions = link.attemptFailed(isRefused: false)
        #expect(actions.count == 1 && Self.waits(actions) != nil)
    }

    @Test("The loss of a good connection is answered at once, and the refusal told at once") func lossAndRefusal() {
        var link = Self.establishedLink()
        #expect(link.lost(now: Self.start + LinkState.stableAfter) == [.connect])
        let actions = link.attemptFailed(isRefused: true)
        #expect(actions.first == .tellDisconnected(isRefused: true))
        #expect(Self.waits(actions) ?? .zero <= .milliseconds(8))
    }

    @Test("A dying process that still accepts once gets a second attempt after a millisecond") func quickRetry() {
        var link = Self.establishedLink()
        _ = link.lost(now: Self.start + LinkState.stableAfter)
        #expect(
            link.attemptFailed(isRefused: false)
                == [.tellDisconnected(isRefused: false), .wait(LinkState.quickRetryPause)])
        #expect(link.hurry() == [.connect])
        // A mere loss that turns out to be a death is told again.
        #expect(link.attemptFailed(isRefused: true).first == .tellDisconnected(isRefused: true))
        #expect(link.hurry() == [.connect])
        // The other way round is no news.
        let later = link.attemptFailed(isRefused: false)
        #expect(later.count == 1 && Self.waits(later) ?? .zero > LinkState.quickRetryPause)
    }

    @Test("A connection that is lost at once waits like a failed attempt") func unstable() {
        var link = Self.establishedLink()
        let actions = link.lost(now: Self.start + LinkState.stableAfter - .nanoseconds(1))
        #expect(actions.first == .tellDisconnected(isRefused: false))
        #expect(Self.waits(actions) != nil)
    }

    @Test func aConnectionAfterALossIsTold() {
        var link = Self.establishedLink()
        _ = link.lost(now: Self.start + LinkState.stableAfter)
        #expect(link.established(now: Self.start) == [.tellConnected])
    }

    @Test func aStoppedLinkDoesNothing() {
        var link = Self.establishedLink()
        link.stop()
        #expect(link.lost(now: Self.start + .seconds(1)) == [])
        #expect(link.hurry() == [])
        #expect(link.attemptFailed(isRefused: true) == [])
        #expect(link.established(now: Self.start) == [])
    }

    @Test("Pauses grow to their cap, are drawn from their upper half, and differ between seeds") func backoff() {
        var one = Backoff(initial: .milliseconds(5), cap: .milliseconds(100), seed: 1)
        var same = Backoff(initial: .milliseconds(5), cap: .milliseconds(100), seed: 1)
        var other = Backoff(initial: .milliseconds(5), cap: .milliseconds(100), seed: 2)
        let pauses = (0..<10).map { _ in one.next() }
        let samePauses = (0..<10).map { _ in same.next() }
        let otherPauses = (0..<10).map { _ in other.next() }
        #expect(samePauses == pauses)
        #expect(otherPauses != pauses)
        for (pause, range) in zip(pauses, [5, 10, 20, 40, 80, 100, 100, 100, 100, 100] as [Int64]) {
            #expect(pause >= .microseconds(range * 500) && pause <= .milliseconds(range))
        }
        one.reset()
        #expect(one.next() <= .milliseconds(5))
    }
}
