// SPDX-License-Identifier: Apache-2.0

/// A walk over the bytes of a SQLite write-ahead log (https://sqlite.org/fileformat2.html#walformat).
///
/// SQLite stops at the first frame that doesn't fit and says nothing: what stood behind is gone without an error. So
/// the walk also says what stands behind that point. A crash can leave there only the remains of one transaction that
/// was never acknowledged, and frames of earlier generations: the file is used again from its beginning after a
/// checkpoint, and each time its header gets a new sequence and new salts, which frames must carry to count.
package struct WALInspection: Hashable, Sendable {
    /// One use of the file, from one restart to the next.
    package struct Generation: Hashable, Sendable {
        package let checkpointSequence: UInt32
        package let salt1: UInt32
        package let salt2: UInt32

        package init(checkpointSequence: UInt32, salt1: UInt32, salt2: UInt32) {
            self.checkpointSequence = checkpointSequence
            self.salt1 = salt1
            self.salt2 = salt2
        }

        /// SQLite restarts a WAL with the next sequence, the first salt counted up and the second drawn anew.
        package func follows(_ other: Generation) -> Bool {
            self.checkpointSequence == other.checkpointSequence &+ 1 && self.salt1 == other.salt1 &+ 1
        }
    }

    /// Why a header can't be believed.
    package enum Damage: Error, Hashable, Sendable {
        case tooShort(length: Int)
        case wrongMagic
        case wrongVersion(UInt32)
        case wrongPageSize(UInt32)
        case wrongHeaderChecksum
    }

    package let generation: Generation
    /// Length of the file, in bytes.
    package let length: Int
    /// Frames through the last valid commit: what SQLite will see.
    package let committedFrames: Int
    /// Transactions in them.
    package let committedTransactions: Int
    /// Bytes through the last valid commit.
    package let committedLength: Int
    /// The first frame (counted from 1) that carries this generation's salts and doesn't fit, or follows such a frame's
    /// place; `nil` if everything of this generation is committed.
    package let firstBrokenFrame: Int?
    /// Commits of this generation behind the last valid one that fit the frame before them. One is the remains of a
    /// torn transaction; a second proves that the first was synced.
    package let commitsBehindBreak: Int
    /// Where the page images of this generation behind the last valid commit stand in the bytes.
    package let pagesBehindBreak: [Range<Int>]

    package static let headerLength = 32
    package static let frameHeaderLength = 24
    package static let pageSize = 4096
    package static let frameLength = Self.frameHeaderLength + Self.pageSize

    /// Walks the whole file.
    package init(_ bytes: [UInt8]) throws(Damage) {
        let header = try Self.header(bytes)
        var walk = Walk(header: header)
        let frames = max(0, bytes.count - Self.headerLength) / Self.frameLength
        for number in 0..<frames {
            let start = Self.headerLength + number * Self.frameLength
            walk.visit(Frame(bytes, at: start, isBigEndian: header.isBigEndian), number: number + 1, page: start)
        }
        self.generation = header.generation
        self.length = bytes.count
        self.committedFrames = walk.committedFrames
        self.committedTransactions = walk.committedTransactions
        self.committedLength = Self.headerLength + walk.committedFrames * Self.frameLength
        self.firstBrokenFrame = walk.pagesBehind.isEmpty ? nil : walk.firstBroken ?? walk.committedFrames + 1
        self.commitsBehindBreak = walk.commitsBehind
        self.pagesBehindBreak = walk.pagesBehind
    }

    /// The generation that a header of 32 bytes names.
    package static func generation(ofHeader bytes: [UInt8]) throws(Damage) -> Generation {
        try self.header(bytes).generation
    }

    private static func header(_ bytes: [UInt8]) throws(Damage) -> Header {
        guard bytes.count >= self.headerLength else { throw .tooShort(length: bytes.count) }
        let words = WALWords(bytes)
        let magic = words.bigEndian(at: 0)
        guard magic & ~1 == 0x377F_0682 else { throw .wrongMagic }
        let version = words.bigEndian(at: 4)
        guard version == 3_007_000 else { throw .wrongVersion(version) }
        let pageSize = words.bigEndian(at: 8)
        guard pageSize == UInt32(self.pageSize) else { throw .wrongPageSize(pageSize) }
        let isBigEndian = magic & 1 == 1
        let checksum = WALChecksum().adding(bytes, 0..<24, isBigEndian: isBigEndian)
        guard checksum == WALChecksum(words.bigEndian(at: 24), words.bigEndian(at: 28)) else {
            throw .wrongHeaderChecksum
        }
        return Header(
            generation: Generation(
                checkpointSequence: words.bigEndian(at: 12), salt1: words.bigEndian(at: 16),
                salt2: words.bigEndian(at: 20)),
            isBigEndian: isBigEndian, checksum: checksum)
    }

    private struct Header {
        let generation: Generation
        let isBigEndian: Bool
        let checksum: WALChecksum
    }

    /// One frame's header, and what its checksum comes to when continued from another.
    private struct Frame {
        let pageNumber: UInt32
        /// Pages of the database after the commit; zero if the frame isn't a transaction's last.
        let commitSize: UInt32
        let salt1: UInt32
        let salt2: UInt32
        let checksum: WALChecksum
        private let bytes: [UInt8]
        private let start: Int
        private let isBigEndian: Bool

        init(_ bytes: [UInt8], at start: Int, isBigEndian: Bool) {
            let words = WALWords(bytes)
            self.pageNumber = words.bigEndian(at: start)
            self.commitSize = words.bigEndian(at: start + 4)
            self.salt1 = words.bigEndian(at: start + 8)
            self.salt2 = words.bigEndian(at: start + 12)
            self.checksum = WALChecksum(words.bigEndian(at: start + 16), words.bigEndian(at: start + 20))
            self.bytes = bytes
            self.start = start
            self.isBigEndian = isBigEndian
        }

        func follows(_ previous: WALChecksum) -> Bool {
            let page = self.start + WALInspection.frameHeaderLength
            return self.pageNumber != 0
                && previous
                    .adding(self.bytes, self.start..<self.start + 8, isBigEndian: self.isBigEndian)
                    .adding(self.bytes, page..<page + WALInspection.pageSize, isBigEndian: self.isBigEndian)
                    == self.checksum
        }
    }

    private struct Walk {
        let generation: Generation
        /// What the checksum of the frame before says, whether it is right or not.
        var previous: WALChecksum
        var isBroken = false
        var firstBroken: Int?
        var committedFrames = 0
        var committedTransactions = 0
        var commitsBehind = 0
        var pagesBehind: [Range<Int>] = []

        init(header: Header) {
            self.generation = header.generation
            self.previous = header.checksum
        }

        mutating func visit(_ frame: Frame, number: Int, page start: Int) {
            defer { self.previous = frame.checksum }
            guard frame.salt1 == self.generation.salt1, frame.salt2 == self.generation.salt2 else {
                if !self.isBroken { self.firstBroken = number }
                self.isBroken = true
                return
            }
            let isSound = frame.follows(self.previous)
            if !isSound, !self.isBroken {
                self.isBroken = true
                self.firstBroken = number
            }
            if self.isBroken, isSound, frame.commitSize != 0 { self.commitsBehind += 1 }
            if !self.isBroken, frame.commitSize != 0 {
                self.committedFrames = number
                self.committedTransactions += 1
                self.pagesBehind = []
            } else {
                let page = start + WALInspection.frameHeaderLength
                self.pagesBehind.append(page..<page + WALInspection.pageSize)
            }
        }
    }
}

/// The checksum of a WAL: two running sums over pairs of 32-bit words.
struct WALChecksum: Hashable, Sendable {
    private var first: UInt32
    private var second: UInt32

    init(_ first: UInt32 = 0, _ second: UInt32 = 0) {
        self.first = first
        self.second = second
    }

    var words: (UInt32, UInt32) { (self.first, self.second) }

    /// - Parameter range: a multiple of 8 bytes.
    func adding(_ bytes: [UInt8], _ range: Range<Int>, isBigEndian: Bool) -> WALChecksum {
        var (first, second) = (self.first, self.second)
        bytes.withUnsafeBytes { raw in
            var offset = range.lowerBound
            while offset < range.upperBound {
                let one = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                let two = raw.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                first &+= (isBigEndian ? UInt32(bigEndian: one) : UInt32(littleEndian: one)) &+ second
                second &+= (isBigEndian ? UInt32(bigEndian: two) : UInt32(littleEndian: two)) &+ first
                offset += 8
            }
        }
        return WALChecksum(first, second)
    }
}

/// The 32-bit words of a file in SQLite's byte order.
private struct WALWords {
    private let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    func bigEndian(at offset: Int) -> UInt32 {
        self.bytes.withUnsafeBytes {
            UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
    }
}

extension WALInspection.Damage: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooShort(let length): "it is \(length) bytes long, shorter than its header"
        case .wrongMagic: "its header doesn't begin as one of a write-ahead log"
        case .wrongVersion(let version): "its header has the version \(version)"
        case .wrongPageSize(let size): "its header has the page size \(size)"
        case .wrongHeaderChecksum: "its header fails its checksum"
        }
    }
}
