// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
import NIOCore

/// How this bank is to misbehave at branch calls. Without any field it doesn't.
package struct FaultSettings: Hashable, Sendable, Codable {
    /// How a call fails that is to fail.
    package enum Failure: String, Hashable, Sendable, Codable, CaseIterable {
        /// Refused: 409. For an action or a try this is recorded, and is the bank's answer from then on.
        case refusal = "409"
        /// Not done: 500.
        case error = "500"
        /// Done, and then 500 all the same.
        case errorAfterCommit = "500-after-commit"
        /// Done, and then answered with bytes that are no HTTP.
        case garbage
        /// Done, and then the connection is closed without an answer.
        case hangUp = "hang-up"
    }

    /// Where in a call the process dies.
    package enum Death: String, Hashable, Sendable, Codable, CaseIterable {
        /// The effect and its row are written and not committed: after the restart neither is there.
        case beforeCommit = "before-commit"
        /// Both are on disk, and nobody was answered.
        case afterCommit = "after-commit"
    }

    /// How many of the next calls fail. Counts down.
    package var failNext = 0
    /// Share of calls that fail besides, 0 to 1.
    package var failRate = 0.0
    /// How they fail.
    package var failWith = Failure.error
    /// Milliseconds that a delayed call waits before it is done.
    package var delayMilliseconds = 0
    /// Share of calls that are delayed, 0 to 1.
    package var delayRate = 1.0
    /// The process kills itself at the n-th call from now on. Counts down; 0: never.
    package var dieOn = 0
    /// Where in that call.
    package var dieAt = Death.afterCommit
    /// Only calls for these are hit and counted. `nil`: all.
    package var operations: Set<BranchOperation>?
    /// Seed of the random choices: the same seed and the same order of calls give the same faults.
    package var seed: UInt64 = 0

    package init() {}

    /// Whether no call is hit.
    package var isQuiet: Bool {
        self.failNext == 0 && self.failRate == 0 && self.delayMilliseconds == 0 && self.dieOn == 0
    }

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case failNext = "fail_next"
        case failRate = "fail_rate"
        case failWith = "fail_with"
        case delayMilliseconds = "delay_ms"
        case delayRate = "delay_rate"
        case dieOn = "die_on"
        case dieAt = "die_at"
        case operations
        case seed
    }

    /// Reads them from a JSON text.
    package init(json: String) throws {
        self = try ByteBuffer(string: json).decoded(as: Self.self)
    }

    /// Fields that are not given are as in a bank without faults; a field that there isn't is an error.
    package init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        let given = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        if let unknown = given.first(where: { !known.contains($0) }) { throw LedgerRequestError.unknownField(unknown) }
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.failNext = try fields.decodeIfPresent(Int.self, forKey: .failNext) ?? 0
        self.failRate = try fields.decodeIfPresent(Double.self, forKey: .failRate) ?? 0
        self.failWith = try Self.named(.failWith, in: fields) ?? .error
        self.delayMilliseconds = try fields.decodeIfPresent(Int.self, forKey: .delayMilliseconds) ?? 0
        self.delayRate = try fields.decodeIfPresent(Double.self, forKey: .delayRate) ?? 1
        self.dieOn = try fields.decodeIfPresent(Int.self, forKey: .dieOn) ?? 0
        self.dieAt = try Self.named(.dieAt, in: fields) ?? .afterCommit
        self.operations = try fields.decodeIfPresent(Set<BranchOperation>.self, forKey: .operations)
        self.seed = try fields.decodeIfPresent(UInt64.self, forKey: .seed) ?? 0
        try self.validate()
    }

    private func validate() throws(LedgerRequestError) {
        for (name, rate) in [("fail_rate", self.failRate), ("delay_rate", self.delayRate)] {
            guard (0...1).contains(rate) else { throw .invalid("\(name) is \(rate); it is a share, 0 to 1") }
        }
        guard (0...600_000).contains(self.delayMilliseconds) else {
            throw .invalid("delay_ms is \(self.delayMilliseconds); it is 0 to 600000")
        }
        guard self.failNext >= 0 else { throw .invalid("fail_next is \(self.failNext); it is a number of calls") }
        guard self.dieOn >= 0 else { throw .invalid("die_on is \(self.dieOn); it is 0 (never) or a call's number") }
    }

    /// One of an enum's names; an error that lists them if it is none.
    private static func named<Value>(
        _ key: CodingKeys, in fields: KeyedDecodingContainer<CodingKeys>
    ) throws -> Value? where Value: RawRepresentable<String> & CaseIterable {
        guard let name = try fields.decodeIfPresent(String.self, forKey: key) else { return nil }
        guard let value = Value(rawValue: name) else {
            let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw LedgerRequestError.invalid("\(key.rawValue) is \(name); it is one of \(names)")
        }
        return value
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
