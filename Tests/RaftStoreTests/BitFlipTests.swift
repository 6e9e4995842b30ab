// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import Testing

@Suite("Flipped bits") struct BitFlipTests {
    /// Draws numbers from a seed, so that a failure can be seen again.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = self.state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// A log with rows in both files, a conflict behind it, and free pages.
    private static func make() throws -> (fixture: StoreFixture, log: RecoveredLog, next: BatchMaker) {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        for _ in 0..<12 { try log.write([maker.append([300, 200])]) }
        try log.write([maker.append([20_000])])
        maker.state = HardState(currentTerm: Term(rawValue: 2), votedFor: .n2)
        try log.write([maker.append([10], truncateFrom: 20)])
        try log.checkpoint()
        for _ in 0..<14 { try log.write([maker.append([700, 90])]) }
        log.abandon()
        let pristine = try fixture.snapshot()
        let recovered = try fixture.recovered()
        try fixture.restore(pristine)
        return (fixture, recovered, maker)
    }

    private static var flips: Int {
        ProcessInfo.processInfo.environment["VERDICT_BIT_FLIPS"].flatMap { Int($0) } ?? 200
    }

    @Test("A flipped bit is found at the start, or nothing that is seen depends on it, then or later")
    func neverSilentlyDifferent() throws {
        let seed = ProcessInfo.processInfo.environment["VERDICT_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        var numbers = Numbers(state: seed)
        let (fixture, expected, maker) = try Self.make()
        let pristine = try fixture.snapshot()
        var found = [DataFolder.Names.database: 0, DataFolder.Names.wal: 0]
        for number in 0..<Self.flips {
            let name = number % 2 == 0 ? DataFolder.Names.database : DataFolder.Names.wal
            let length = try #require(pristine[name]).count
            let offset = Int.random(in: 0..<length, using: &numbers)
            let mask = UInt8(1) << UInt8.random(in: 0..<8, using: &numbers)
            try fixture.restore(pristine)
            try fixture.flip(name, at: offset, mask: mask)
            let comment: Comment = "\(name) byte \(offset) mask \(mask), VERDICT_SEED=\(seed)"
            guard let seen = Self.open(fixture, comment) else {
                found[name, default: 0] += 1
                try Self.expectSalvage(fixture, of: expected, comment)
                continue
            }
            #expect(seen == expected, comment)
            try Self.expectGoesOn(fixture, from: seen, maker, comment)
        }
        // Both files are dense enough that a judge who finds nothing is blind.
        #expect(found[DataFolder.Names.database, default: 0] > 0)
        #expect(found[DataFolder.Names.wal, default: 0] > Self.flips / 8)
    }

    private static func open(_ fixture: StoreFixture, _ comment: Comment) -> RecoveredLog? {
        do throws(StoreError) {
            return try fixture.recovered()
        } catch {
            #expect(error.isDamage, "\(error): \(comment)")
            return nil
        }
    }

    /// Of what is found rotten a part may be used: then it is the log's beginning, with its term and vote, and lacks a vote.
    private static func expectSalvage(
        _ fixture: StoreFixture, of expected: RecoveredLog, _ comment: Comment
    ) throws {
        let log: SQLiteLog
        do throws(StoreError) {
            log = try SQLiteLog(
                folder: fixture.path, nodeID: .n1, reserveBytes: StoreFixture.reserveBytes, salvaging: true)
        } catch {
            #expect(error.isDamage, "\(error): \(comment)")
            return
        }
        var lost = expected.hardState
        lost.losses += 1
        lost.isRepairing = true
        #expect(log.recovered.hardState == lost, comment)
        #expect(expected.entries.starts(with: log.recovered.entries), comment)
        let more = BatchMaker(after: log.lastIndex.rawValue, state: lost)
        log.abandon()
        try Self.expectGoesOn(fixture, from: try fixture.recovered(), more, comment)
    }

    /// Damage in free space must not spread when the space is used.
    private static func expectGoesOn(
        _ fixture: StoreFixture, from seen: RecoveredLog, _ maker: BatchMaker, _ comment: Comment
    ) throws {
        var maker = maker
        let log = try fixture.open()
        let more = [maker.append([5000]), maker.append([300, 300]), maker.append([])]
        for batch in more { try log.write([batch]) }
        try log.close()
        let now = try fixture.recovered()
        #expect(now.entries == seen.entries + more.flatMap(\.entries), comment)
        #expect(now.hardState == maker.state, comment)
    }
}
