// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore
import Testing

/// A real WAL, the mark beside it, and how many transactions were written to it.
private struct RealWAL {
    let bytes: [UInt8]
    let mark: WALMark
    let whole: WALInspection
    /// The commit counter of the transaction before the WAL's first.
    let counterBefore: UInt64

    /// Seven transactions; the second one spans several frames.
    static func make() throws -> RealWAL {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let lengths = [[20], [9000], [30, 40], [], [300], [50], [60]]
        try fixture.write(lengths.map { maker.append($0) })
        let bytes = try fixture.bytes(of: DataFolder.Names.wal)
        guard let mark = WALMark.newest(in: try fixture.bytes(of: DataFolder.Names.mark)) else {
            throw StoreError.closed(path: fixture.path)
        }
        let whole = try WALInspection(bytes)
        return RealWAL(
            bytes: bytes, mark: mark, whole: whole,
            counterBefore: mark.commitCounter - UInt64(whole.committedTransactions))
    }

    /// What a start would say about these bytes: the transactions that it would see, or nothing if it refuses.
    func transactionsSeen(_ bytes: [UInt8], mark: WALMark) -> Int? {
        do {
            let wal = try WALInspection(bytes)
            try WALJudge.judge(wal, mark: mark)
            try WALJudge.judge(
                wal, mark: mark, commitCounter: self.counterBefore + UInt64(wal.committedTransactions),
                counterBehind: wal.counterBehind(in: bytes))
            return wal.committedTransactions
        } catch {
            return nil
        }
    }

    /// The mark as a power loss may leave it: what was written after the WAL's first transaction is gone.
    var oldestMark: WALMark {
        var mark = self.mark
        mark.commitCounter = self.counterBefore + 1
        mark.walLength = UInt64(WALInspection.headerLength + WALInspection.frameLength)
        return mark
    }

    /// Every byte of the headers, and some of each page: the first, the last, and every 61st between.
    var offsets: [Int] {
        var offsets = Array(0..<WALInspection.headerLength)
        for frame in 0..<self.whole.committedFrames {
            let start = WALInspection.headerLength + frame * WALInspection.frameLength
            let page = start + WALInspection.frameHeaderLength
            offsets += start..<page
            offsets += stride(from: page, to: page + WALInspection.pageSize, by: 61)
            offsets.append(page + WALInspection.pageSize - 1)
        }
        return offsets
    }
}

@Suite("The walk over a write-ahead log") struct WALInspectionTests {
    @Test("A whole WAL is walked to its end")
    func whole() throws {
        let wal = try RealWAL.make()
        #expect(wal.whole.committedTransactions == 7)
        #expect(wal.whole.committedFrames > 14)
        #expect(wal.whole.firstBrokenFrame == nil)
        #expect(wal.whole.commitsBehindBreak == 0)
        #expect(wal.mark.generation == wal.whole.generation)
        #expect(wal.transactionsSeen(wal.bytes, mark: wal.mark) == 7)
        #expect(wal.transactionsSeen(wal.bytes, mark: wal.oldestMark) == 7)
    }

    @Test("With its mark, every flipped bit of the header or a frame is found")
    func flippedWithMark() throws {
        let wal = try RealWAL.make()
        for (number, offset) in wal.offsets.enumerated() {
            var bytes = wal.bytes
            bytes[offset] ^= 1 << UInt8(number % 8)
            #expect(wal.transactionsSeen(bytes, mark: wal.mark) == nil, "offset \(offset)")
        }
    }

    @Test("Without the mark's last words, a flipped bit is found or costs the last transaction alone")
    func flippedAfterPowerLoss() throws {
        let wal = try RealWAL.make()
        var costs = 0
        for (number, offset) in wal.offsets.enumerated() {
            var bytes = wal.bytes
            bytes[offset] ^= 1 << UInt8(number % 8)
            guard let seen = wal.transactionsSeen(bytes, mark: wal.oldestMark) else { continue }
            #expect(seen == 6, "offset \(offset)")
            costs += 1
        }
        #expect(costs > 0)
    }

    @Test("Each cut of a WAL is found, or was the last transaction's torn tail")
    func cut() throws {
        let wal = try RealWAL.make()
        for end in stride(from: 0, to: wal.bytes.count, by: 211) {
            let bytes = Array(wal.bytes[..<end])
            #expect(wal.transactionsSeen(bytes, mark: wal.mark) == nil, "cut to \(end)")
            // The file keeps its length over a crash: SQLite never makes it shorter.
            let zeroed = bytes + [UInt8](repeating: 0, count: wal.bytes.count - end)
            #expect(wal.transactionsSeen(zeroed, mark: wal.mark) == nil, "zeros from \(end)")
        }
    }

    @Test("A page lost by a disk that wrote another one there is found")
    func misdirectedWrites() throws {
        let wal = try RealWAL.make()
        for frame in 0..<wal.whole.committedFrames - 1 {
            let start = WALInspection.headerLength + frame * WALInspection.frameLength
            let (one, two) = (start..<start + WALInspection.frameLength, start + WALInspection.frameLength)
            var bytes = wal.bytes
            bytes.replaceSubrange(one, with: wal.bytes[two..<two + WALInspection.frameLength])
            #expect(wal.transactionsSeen(bytes, mark: wal.mark) == nil, "frame \(frame + 1)")
        }
    }

    @Test("What the header can be wrong about is told apart")
    func headers() throws {
        let wal = try RealWAL.make()
        func damage(_ offset: Int) -> WALInspection.Damage? {
            var bytes = wal.bytes
            bytes[offset] ^= 0x10
            do throws(WALInspection.Damage) {
                _ = try WALInspection(bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(damage(0) == .wrongMagic)
        #expect(damage(7) == .wrongVersion(3_007_000 ^ 0x10))
        #expect(damage(11) == .wrongPageSize(4096 ^ 0x10))
        for offset in 12..<32 { #expect(damage(offset) == .wrongHeaderChecksum) }
        #expect(throws: WALInspection.Damage.tooShort(length: 31)) { try WALInspection(Array(wal.bytes[..<31])) }
    }

    @Test("Frames of an earlier use of the file don't count")
    func earlierGeneration() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        let log = try fixture.open()
        for _ in 0..<5 { try log.write([maker.append([100])]) }
        let earlier = try WALInspection(fixture.bytes(of: DataFolder.Names.wal))
        try log.checkpoint()
        try log.write([maker.append([100])])
        log.abandon()
        let later = try WALInspection(fixture.bytes(of: DataFolder.Names.wal))
        #expect(later.generation.follows(earlier.generation))
        #expect(later.length == earlier.length)
        #expect(later.committedTransactions == 1)
        #expect(later.firstBrokenFrame == nil)
    }
}
