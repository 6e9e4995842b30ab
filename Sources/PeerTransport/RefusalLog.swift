// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Decides which refusals are worth a log line: the same reason from the same address at most once a second.
///
/// Bounded: when very many addresses misbehave within a second, the rest of them is counted only.
struct RefusalLog: Sendable {
    private struct Key: Hashable {
        let reason: String
        let address: String
    }

    private struct Record {
        var lastLine: NIODeadline
        var suppressed = 0
    }

    private var records: [Key: Record] = [:]

    static let interval = TimeAmount.seconds(1)
    static let maximumRecords = 256

    /// - Parameters:
    ///   - reason: one of a few words, never a text with numbers in it.
    ///   - address: the host without its port, which is another one at each connection.
    /// - Returns: how many lines were left out since the last one, or nil if this one is to be left out too.
    mutating func admit(reason: String, address: String, now: NIODeadline) -> Int? {
        let key = Key(reason: reason, address: address)
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
}
