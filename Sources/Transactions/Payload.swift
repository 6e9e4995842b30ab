// SPDX-License-Identifier: Apache-2.0

internal import Bytes

/// The body of a branch's calls, which the coordinator hands on as it is: in memory, or on the disk alone until a call needs
/// it. Two are equal if they have the same length and digest, wherever the bytes are: a node that has let go of them must come
/// to the same answers as one that hasn't.
package struct Payload: Hashable, Sendable {
    package let count: Int
    /// FNV-1a of the bytes, and a second hash of another kind: 128 bits against two payloads that are alike by chance.
    let digest: (first: UInt64, second: UInt64)
    /// Nil while they are on the disk alone.
    package let bytes: [UInt8]?

    package init(_ bytes: [UInt8]) {
        self.init(count: bytes.count, digest: Self.digest(of: bytes), bytes: bytes)
    }

    init(count: Int, digest: (first: UInt64, second: UInt64), bytes: [UInt8]?) {
        self.count = count
        self.digest = digest
        self.bytes = bytes
    }

    /// Shorter ones stay in memory: the rest of a branch is longer.
    package static let shortest = 512

    /// Without its bytes, if they are worth it.
    /// - Parameter shortest: bytes below which they stay.
    func spilled(from shortest: Int = Self.shortest) -> Payload {
        self.count < shortest ? self : Payload(count: self.count, digest: self.digest, bytes: nil)
    }

    package var isEmpty: Bool { self.count == 0 }

    /// Bytes in memory.
    var memory: Int { self.bytes?.count ?? 0 }

    private static func digest(of bytes: [UInt8]) -> (first: UInt64, second: UInt64) {
        var first: UInt64 = 0xcbf2_9ce4_8422_2325
        var second: UInt64 = 0
        for byte in bytes {
            first = (first ^ UInt64(byte)) &* 0x100_0000_01b3
            second = (second &+ UInt64(byte) &+ 1) &* 0x9e37_79b9_7f4a_7c15
            second ^= second >> 29
        }
        return (first, second)
    }

    package static func == (left: Payload, right: Payload) -> Bool {
        left.count == right.count && left.digest == right.digest
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.count)
        hasher.combine(self.digest.first)
    }
}

extension Payload: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: UInt8...) { self.init(elements) }
}

/// How much of a payload an encoding holds.
package enum PayloadForm: Sendable {
    /// Its bytes: in the log, and in rows on the disk.
    case whole
    /// Its length and digest: for nodes that compare what they have, and where nobody asks for it.
    case digest
}

extension Payload {
    func encode(_ form: PayloadForm, into writer: inout ByteWriter) {
        switch form {
        case .whole:
            guard let bytes = self.bytes else {
                fatalError("broken invariant: a payload is written that isn't in memory")
            }
            writer.write(bytes)
        case .digest:
            writer.write(UInt32(self.count))
            writer.write(self.digest.first)
            writer.write(self.digest.second)
        }
    }

    init(_ form: PayloadForm, from reader: inout ByteReader) throws(ByteError) {
        switch form {
        case .whole: self.init(try reader.readBytes(limit: Limits.payloadLength))
        case .digest:
            let start = reader.offset
            let count = Int(try reader.read(UInt32.self))
            guard count <= Limits.payloadLength else { throw .invalidValue(offset: start, field: "payload") }
            self.init(count: count, digest: (first: try reader.read(), second: try reader.read()), bytes: nil)
        }
    }
}

extension GlobalTransaction {
    /// Bytes of its payloads, wherever they are.
    var payloadLength: Int { self.branches.reduce(0) { $0 + $1.spec.payload.count } }

    /// Whether all of its payloads are in memory.
    package var isWhole: Bool { self.branches.allSatisfy { $0.spec.payload.bytes != nil } }

    /// Without the bytes of longer payloads: those of the first branches, so many as are on the disk.
    /// - Parameters:
    ///   - count: how many branches the disk has; nil: all.
    ///   - shortest: bytes below which a payload stays.
    package func spilled(branches count: Int? = nil, from shortest: Int = Payload.shortest) -> GlobalTransaction {
        var transaction = self
        for position in transaction.branches.indices.prefix(count ?? transaction.branches.count) {
            transaction.branches[position].spec.payload = transaction.branches[position].spec.payload.spilled(
                from: shortest)
        }
        return transaction
    }

    /// With the bytes that another state of the same transaction has.
    /// - Returns: nil if that one lacks them, or has other ones.
    package func filled(from other: GlobalTransaction) -> GlobalTransaction? {
        guard !self.isWhole else { return self }
        var transaction = self
        for position in transaction.branches.indices where transaction.branches[position].spec.payload.bytes == nil {
            guard other.branches.indices.contains(position), other.branches[position].spec.payload.bytes != nil,
                other.branches[position].spec.payload == transaction.branches[position].spec.payload
            else { return nil }
            transaction.branches[position].spec.payload = other.branches[position].spec.payload
        }
        return transaction
    }
}
