// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Testing

/// The order and the pauses of one call's attempts, on instants of our own.
struct AddressRotationTests {
    private let start = ContinuousClock.Instant.now

    /// Fails this address at this many milliseconds after the start, with pauses of 20 to 100 ms without jitter.
    private func fail(_ rotation: inout AddressRotation, _ index: Int, at milliseconds: Int, retryAfter: Int? = nil) {
        rotation.failed(
            index, now: self.start + .milliseconds(milliseconds), retryAfter: retryAfter.map { .milliseconds($0) },
            shortest: .milliseconds(20), longest: .milliseconds(100), jitter: 1)
    }

    /// The next address, and in how many milliseconds after the start it may be asked.
    private func next(_ rotation: AddressRotation, at milliseconds: Int) -> [Int] {
        let turn = rotation.next(now: self.start + .milliseconds(milliseconds))
        return [turn.index, Int(self.start.duration(to: turn.start) / .milliseconds(1))]
    }

    @Test
    func itBeginsWithTheNodeThatAnsweredLastAndGoesOnInTurn() {
        var rotation = AddressRotation(count: 3, first: 2)
        #expect(self.next(rotation, at: 0) == [2, 0])
        self.fail(&rotation, 2, at: 0)
        #expect(self.next(rotation, at: 0) == [0, 0])
        self.fail(&rotation, 0, at: 0)
        #expect(self.next(rotation, at: 0) == [1, 0])
    }

    @Test
    func aFirstAddressBeyondTheLastWrapsAround() {
        #expect(self.next(AddressRotation(count: 2, first: 5), at: 0) == [1, 0])
    }

    @Test
    func whenAllPauseTheOneWhosePauseEndsFirstIsNext() {
        var rotation = AddressRotation(count: 3, first: 0)
        self.fail(&rotation, 0, at: 0, retryAfter: 90)
        self.fail(&rotation, 1, at: 0, retryAfter: 50)
        self.fail(&rotation, 2, at: 0, retryAfter: 70)
        #expect(self.next(rotation, at: 1) == [1, 50])
        #expect(self.next(rotation, at: 95) == [0, 95])
    }

    @Test
    func pausesDoubleToTheLongest() {
        var rotation = AddressRotation(count: 1, first: 0)
        var pauses: [Int] = []
        for _ in 0..<20 {
            self.fail(&rotation, 0, at: 0)
            pauses.append(self.next(rotation, at: 0)[1])
        }
        #expect(pauses == [20, 40, 80] + Array(repeating: 100, count: 17))
    }

    @Test
    func aNodeMayAskForMoreThanTheLongestPauseButNotForLessThanItsOwn() {
        var rotation = AddressRotation(count: 1, first: 0)
        self.fail(&rotation, 0, at: 0, retryAfter: 5000)
        #expect(self.next(rotation, at: 0) == [0, 5000])
        self.fail(&rotation, 0, at: 5000, retryAfter: 0)
        #expect(self.next(rotation, at: 5000) == [0, 5040])
    }
}
