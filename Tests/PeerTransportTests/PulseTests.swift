// SPDX-License-Identifier: Apache-2.0

import PeerTransport
import Testing

@Suite("Signs of life") struct PulseTests {
    /// What a connection's pulse says to each beat.
    private static func beats(
        _ silentIntervals: Int, _ beats: [(received: UInt64, written: UInt64, queued: Int)]
    ) -> [Bool] {
        var pulse = Pulse(silentIntervals: silentIntervals)
        var answers: [Bool] = []
        for beat in beats {
            answers.append(
                pulse.beat(receivedBytes: beat.received, writtenBytes: beat.written, queuedBytes: beat.queued))
        }
        return answers
    }

    @Test("Pings reach the socket whether anybody is there or not: silence ends a connection") func silence() {
        #expect(Self.beats(3, [(9, 0, 0), (9, 9, 0), (9, 18, 0), (9, 27, 0)]) == [true, true, true, false])
    }

    @Test func anythingHeardBeginsAnew() {
        let beats = (1..<100).map { (received: UInt64($0 / 2), written: UInt64(0), queued: 0) }
        #expect(Self.beats(2, beats).allSatisfy { $0 })
        #expect(!Self.beats(1, beats).allSatisfy { $0 })
    }

    @Test("A queue that drains slowly is a sign of life, one that stands still is none") func slowQueues() {
        let draining = (1..<20).map { (received: UInt64(0), written: UInt64($0), queued: 1_000) }
        let standing = [(received: UInt64(0), written: UInt64(19), queued: 1_000)]
        #expect(Self.beats(2, draining + standing).allSatisfy { $0 })
        #expect(Self.beats(2, draining + standing + standing).last == false)
    }
}
