// SPDX-License-Identifier: Apache-2.0

import Bytes
import Testing
import Transactions

/// Damaged bytes give an error or a value that encodes to the same bytes again: never a trap, and never a value that was
/// normalised on the way in, since two nodes might do that differently.
@Suite("Damaged bytes") struct CodecMutationTests {
    /// The inputs of one of three seeds.
    private static let share = (Mutator.count + 2) / 3

    private static func seeds(_ first: UInt64) -> [UInt64] { [first, first + 1, first + 2] }

    @Test("Batches: what decodes is applied without harm (bug 25)", arguments: seeds(100))
    func batches(seed: UInt64) {
        var mutator = Mutator(samples: Samples.batches.map { $0.encoded() }, seed: seed)
        var fixture = Fixture()
        var decoded = 0
        for _ in 0..<Self.share {
            let bytes = mutator.next()
            guard let batch = try? CommandBatch(decoding: bytes) else { continue }
            decoded += 1
            if batch.encoded() != bytes { Issue.record("\(bytes) encodes to other bytes") }
            if decoded % 200 == 0 { fixture = Fixture() }
            let index = fixture.machine.appliedIndex + 1
            let outcome = fixture.machine.apply(batch, at: index, archive: fixture.archive)
            if outcome.results.count != batch.commands.count { Issue.record("\(bytes): a command has no result") }
            for gid in fixture.machine.allLive {
                if fixture.machine.transaction(gid)?.isConsistent != true { Issue.record("\(bytes) breaks \(gid)") }
            }
        }
        #expect(decoded > 0 && decoded < Self.share)
    }

    @Test("Single commands", arguments: seeds(200))
    func commands(seed: UInt64) {
        self.check(Samples.commands.map { $0.encoded() }, seed: seed) { bytes throws(ByteError) in
            try Command(decoding: bytes).encoded()
        }
    }

    @Test("Results", arguments: seeds(300))
    func results(seed: UInt64) {
        self.check(Samples.results.map { $0.encoded() }, seed: seed) { bytes throws(ByteError) in
            try CommandResult(decoding: bytes).encoded()
        }
    }

    @Test("Transactions: what decodes is consistent", arguments: seeds(400))
    func transactions(seed: UInt64) {
        self.check(Samples.transactions.map { $0.encoded() }, seed: seed) { bytes throws(ByteError) in
            let transaction = try GlobalTransaction(decoding: bytes)
            if !transaction.isConsistent { Issue.record("\(bytes) is not consistent") }
            return transaction.encoded()
        }
    }

    @Test("Random bytes", arguments: [500])
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<Self.share {
            let bytes = (0..<Int.random(in: 0..<64, using: &random)).map { _ in random.byte() }
            // The version, so that more than the first byte is read.
            for input in [bytes, [1] + bytes] {
                if let batch = try? CommandBatch(decoding: input) { #expect(batch.encoded() == input) }
                if let command = try? Command(decoding: input) { #expect(command.encoded() == input) }
                if let result = try? CommandResult(decoding: input) { #expect(result.encoded() == input) }
                if let transaction = try? GlobalTransaction(decoding: input) {
                    #expect(transaction.encoded() == input)
                }
            }
        }
    }

    private func check(
        _ samples: [[UInt8]], seed: UInt64, _ decodeAndEncode: ([UInt8]) throws(ByteError) -> [UInt8]
    ) {
        var mutator = Mutator(samples: samples, seed: seed)
        var decoded = 0
        for _ in 0..<Self.share {
            let bytes = mutator.next()
            guard let again = try? decodeAndEncode(bytes) else { continue }
            decoded += 1
            if again != bytes { Issue.record("\(bytes) encodes to other bytes") }
        }
        #expect(decoded > 0 && decoded < Self.share)
    }
}
