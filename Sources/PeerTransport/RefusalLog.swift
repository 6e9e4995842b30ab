// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import Raft

/// Decides which refusals are worth a log line: the same reason from the same address at most once a minute, so that
/// a mistake is said once and not at each of the attempts that go on until somebody mends it.
///
/// Bounded: when very many addresses misbehave within a minute, the rest of them is counted only.
package struct RefusalLog: Sendable {
    private struct Key: Hashable {
        let reason: String
        let address: String
        let node: NodeID?
    }

    private struct Record {
        var lastLine: NIODeadline
        var suppressed = 0
    }

    private var records: [Key: Record] = [:]

    package init() {}

    package static let interval = TimeAmount.minutes(1)
    package static let maximumRecords = 256

    /// - Parameters:
    ///   - reason: one of a few words, never a text with numbers in it.
    ///   - address: the host without its port, which is another one at each connection.
    ///   - node: whom it concerns, if that is known: the nodes of one machine share their address.
    /// - Returns: how many lines were left out since the last one, or nil if this one is to be left out too.
    package mutating func admit(reason: String, address: String, node: NodeID?, now: NIODeadline) -> Int? {
        let key = Key(reason: reason, address: address, node: node)
        if var record = self.records[key] {
            guard now - record.lastLine >= Self.interval else {
                record.suppressed += 1
                self.records[key] = record
                return nil
            }
            self.records[key] = Record(lastLine: now)
            return record.suppressed
        }
        if self.records.count >= Self.maximumRecords {
            self.records = self.records.filter { now - $0.value.lastLine < Self.interval }
            guard self.records.count < Self.maximumRecords else { return nil }
        }
        self.records[key] = Record(lastLine: now)
        return 0
    }

    /// The node is believed now: what is refused of it later is news again.
    package mutating func forget(_ node: NodeID) {
        self.records = self.records.filter { $0.key.node != node }
    }
}
