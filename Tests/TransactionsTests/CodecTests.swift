// SPDX-License-Identifier: Apache-2.0

import Bytes
import Testing
import Transactions

@Suite("Commands, results and transactions as bytes") struct CodecTests {
    @Test("Everything comes back as it was")
    func roundTrips() throws {
        for command in Samples.commands { #expect(try Command(decoding: command.encoded()) == command) }
        for batch in Samples.batches { #expect(try CommandBatch(decoding: batch.encoded()) == batch) }
        for result in Samples.results { #expect(try CommandResult(decoding: result.encoded()) == result) }
        #expect(Set(Samples.transactions.map(\.state)).count == TransactionState.allCases.count)
        #expect(
            Set(Samples.transactions.flatMap { $0.branches.map(\.state) }).isSuperset(
                of: BranchState.allCases.filter { $0 != .failed }), "a failed step is passed on within one command")
        for transaction in Samples.transactions {
            #expect(transaction.isConsistent)
            #expect(try GlobalTransaction(decoding: transaction.encoded()) == transaction)
        }
    }

    @Test("Every prefix is refused, and so is a byte behind the end")
    func prefixes() {
        func check(_ bytes: [UInt8], _ decode: ([UInt8]) throws(ByteError) -> Void) {
            for length in 0..<bytes.count {
                #expect(throws: ByteError.self) { try decode(Array(bytes[..<length])) }
            }
            #expect(throws: ByteError.trailing(offset: bytes.count, count: 1)) { try decode(bytes + [0]) }
        }
        for batch in Samples.batches {
            check(batch.encoded()) { bytes throws(ByteError) in _ = try CommandBatch(decoding: bytes) }
        }
        for command in Samples.commands {
            check(command.encoded()) { bytes throws(ByteError) in _ = try Command(decoding: bytes) }
        }
        for result in Samples.results {
            check(result.encoded()) { bytes throws(ByteError) in _ = try CommandResult(decoding: bytes) }
        }
        for transaction in Samples.transactions.suffix(3) {
            check(transaction.encoded()) { bytes throws(ByteError) in _ = try GlobalTransaction(decoding: bytes) }
        }
    }

    @Test("Another version is not guessed at")
    func version() {
        let expected = ByteError.invalidValue(offset: 0, field: "version")
        for version: UInt8 in [0, 2, 255] {
            var batch = Samples.batches[1].encoded()
            var result = Samples.results[0].encoded()
            var transaction = Samples.transactions[0].encoded()
            batch[0] = version
            result[0] = version
            transaction[0] = version
            #expect(throws: expected) { try CommandBatch(decoding: batch) }
            #expect(throws: expected) { try CommandResult(decoding: result) }
            #expect(throws: expected) { try GlobalTransaction(decoding: transaction) }
        }
    }

    @Test("Counts that lie are refused before anything is reserved for them")
    func lyingCounts() {
        var writer = ByteWriter()
        writer.write(CommandBatch.encodingVersion)
        writer.write(UInt64(0))
        let head = writer.bytes
        #expect(throws: ByteError.tooLong(offset: 9, length: Int(UInt32.max), limit: Limits.commandsInBatch)) {
            try CommandBatch(decoding: head + [255, 255, 255, 255])
        }
        // 65,536 commands are allowed, but they aren't there.
        #expect(throws: ByteError.truncated(offset: 13, needed: 1)) { try CommandBatch(decoding: head + [0, 0, 1, 0]) }
        // One submission of 257 branches.
        let submission = Command.submit(
            Submission(gid: .test("g"), kind: .saga, timeoutMilliseconds: 1, branches: []))
        var bytes = submission.encoded()
        bytes.replaceSubrange((bytes.count - 4)..., with: [1, 1, 0, 0])
        #expect(throws: ByteError.tooLong(offset: bytes.count - 4, length: 257, limit: 256)) {
            try Command(decoding: bytes)
        }
    }

    @Test("Names, times and texts that no value can have are refused")
    func impossibleFields() throws {
        func bytes(_ gid: String, time: UInt64 = 0) -> [UInt8] {
            var writer = ByteWriter()
            writer.write(CommandBatch.encodingVersion)
            writer.write(time)
            writer.write(UInt32(1))
            writer.write(UInt8(4))
            writer.write(gid)
            return writer.bytes
        }
        let good = CommandBatch(logTime: .zero, commands: [.commit(.test("g"))])
        #expect(try CommandBatch(decoding: bytes("g")) == good)
        #expect(throws: ByteError.invalidValue(offset: 14, field: "gid")) { try CommandBatch(decoding: bytes("")) }
        #expect(throws: ByteError.invalidValue(offset: 14, field: "gid")) { try CommandBatch(decoding: bytes("a\nb")) }
        #expect(throws: ByteError.tooLong(offset: 14, length: 129, limit: 128)) {
            try CommandBatch(decoding: bytes(String(repeating: "g", count: 129)))
        }
        #expect(throws: ByteError.invalidValue(offset: 1, field: "time")) {
            try CommandBatch(decoding: bytes("g", time: LogTime.maximum.rawValue + 1))
        }
        #expect(throws: ByteError.invalidValue(offset: 13, field: "command")) {
            var unknown = bytes("g")
            unknown[13] = 200
            _ = try CommandBatch(decoding: unknown)
        }
    }

    @Test("What isn't in canonical order is refused, so that equal contents have equal bytes")
    func canonicalOrder() throws {
        let spec = BranchSpec.saga(
            "a", headers: [Header(name: "X-B", value: "2"), Header(name: "x-a", value: "1")], payload: [])
        #expect(spec.headers.map(\.name) == ["x-a", "X-B"])
        let bytes = Command.registerBranch(.test("g"), spec).encoded()
        #expect(try Command(decoding: bytes) == .registerBranch(.test("g"), spec))
        let first = try #require(Self.range(of: Array("x-a".utf8), in: bytes))
        let second = try #require(Self.range(of: Array("X-B".utf8), in: bytes))
        var swapped = bytes
        swapped.replaceSubrange(first, with: Array("X-C".utf8))
        #expect(second.lowerBound > first.lowerBound)
        do throws(ByteError) {
            _ = try Command(decoding: swapped)
            Issue.record("headers out of order were decoded")
        } catch {
            guard case .invalidValue(_, field: "order of headers") = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("A transaction that says two things about its outcome isn't one")
    func inconsistent() throws {
        let committed = try #require(Samples.transactions.first { $0.state == .committed }).encoded()
        // Version, length of the gid, gid, kind, origin, concurrency, timeout, creation, index, ordinal, deadline.
        let stateOffset = 1 + 4 + Gid.test.rawValue.utf8.count + 3 + 8 + 8 + 8 + 4 + 8
        #expect(committed[stateOffset] == TransactionState.committed.rawValue)
        for state in TransactionState.allCases where state != .committed {
            var other = committed
            other[stateOffset] = state.rawValue
            #expect(throws: ByteError.invalidValue(offset: stateOffset, field: "state")) {
                try GlobalTransaction(decoding: other)
            }
        }
        // The decision behind it, alone.
        #expect(committed[stateOffset + 2] == Decision.commit.rawValue)
        var other = committed
        other[stateOffset + 2] = Decision.abort.rawValue
        #expect(throws: ByteError.invalidValue(offset: stateOffset, field: "state")) {
            try GlobalTransaction(decoding: other)
        }
    }

    private static func range(of pattern: [UInt8], in bytes: [UInt8]) -> Range<Int>? {
        bytes.indices.first { bytes[$0...].starts(with: pattern) }.map { $0..<$0 + pattern.count }
    }
}
