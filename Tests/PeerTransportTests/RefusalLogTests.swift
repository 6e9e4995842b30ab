// SPDX-License-Identifier: Apache-2.0

import NIOCore
import PeerTransport
import Raft
import Testing

@Suite("Log lines about strangers") struct RefusalLogTests {
    private static let start = NIODeadline.uptimeNanoseconds(1)

    @Test("The same mistake is said once a minute, with how often it came") func oncePerInterval() {
        var log = RefusalLog()
        #expect(log.admit(reason: "http", address: "a", node: nil, now: Self.start) == 0)
        for step in 1..<60 {
            let now = Self.start + .seconds(Int64(step))
            #expect(log.admit(reason: "http", address: "a", node: nil, now: now) == nil)
        }
        #expect(log.admit(reason: "http", address: "a", node: nil, now: Self.start + RefusalLog.interval) == 59)
    }

    @Test func reasonsAddressesAndNodesAreToldApart() {
        var log = RefusalLog()
        #expect(log.admit(reason: "http", address: "a", node: nil, now: Self.start) == 0)
        #expect(log.admit(reason: "tls", address: "a", node: nil, now: Self.start) == 0)
        #expect(log.admit(reason: "http", address: "b", node: nil, now: Self.start) == 0)
        #expect(log.admit(reason: "wrong-storage", address: "a", node: "n2", now: Self.start) == 0)
        #expect(log.admit(reason: "wrong-storage", address: "a", node: "n3", now: Self.start) == 0)
        #expect(log.admit(reason: "wrong-storage", address: "a", node: "n3", now: Self.start) == nil)
        log.forget("n3")
        #expect(log.admit(reason: "wrong-storage", address: "a", node: "n3", now: Self.start) == 0)
        #expect(log.admit(reason: "wrong-storage", address: "a", node: "n2", now: Self.start) == nil)
    }

    @Test("A flood of addresses neither fills the log nor the memory, and is over when it is over") func flood() {
        var log = RefusalLog()
        var lines = 0
        for number in 0..<10_000 {
            let admitted = log.admit(reason: "http", address: "host-\(number)", node: nil, now: Self.start)
            if admitted != nil { lines += 1 }
        }
        #expect(lines == RefusalLog.maximumRecords)
        let later = Self.start + RefusalLog.interval
        #expect(log.admit(reason: "http", address: "somebody else", node: nil, now: later) == 0)
    }
}
