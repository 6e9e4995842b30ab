// SPDX-License-Identifier: Apache-2.0

/// Why a byte string could not be decoded. `offset` counts from the start of what the reader was given.
package enum ByteError: Error, Hashable, Sendable {
    /// The bytes end before the field does.
    case truncated(offset: Int, needed: Int)
    /// A length or count is over what its field may have.
    case tooLong(offset: Int, length: Int, limit: Int)
    /// A text field is not UTF-8.
    case invalidText(offset: Int)
    /// A field holds a value that its type does not have.
    case invalidValue(offset: Int, field: String)
    /// Bytes are left over behind the last field.
    case trailing(offset: Int, count: Int)
}

/// Reads what a `ByteWriter` wrote. Every read is checked against the end, so that hostile bytes give an error, never a trap.
package struct ByteReader: Sendable {
    @usableFromInline let bytes: [UInt8]
    @usableFromInline var position: Int
    @usableFromInline let end: Int

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.position = 0
        self.end = bytes.count
    }

    package private(set) var offset: Int {
        get { self.position }
        set { self.position = newValue }
    }

    package var remaining: Int { self.end - self.offset }

    // Inlined: unspecialised, it would look up metadata at each integer, and a node's start reads millions of them.
    @inlinable
    package mutating func read<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(ByteError) -> Value {
        let size = MemoryLayout<Value>.size
        try self.require(size)
        let value = self.bytes.withUnsafeBytes { raw in
            Value(littleEndian: raw.loadUnaligned(fromByteOffset: self.position, as: Value.self))
        }
        self.position += size
        return value
    }

    package mutating func readBool(_ field: String) throws(ByteError) -> Bool {
        let start = self.offset
        switch try self.read(UInt8.self) {
        case 0: return false
        case 1: return true
        case _: throw .invalidValue(offset: start, field: field)
        }
    }

    package mutating func readRaw(_ count: Int) throws(ByteError) -> [UInt8] {
        try self.require(count)
        defer { self.offset += count }
        return Array(self.bytes[self.offset..<self.offset + count])
    }

    /// A 32-bit length, then that many bytes.
    package mutating func readBytes(limit: Int) throws(ByteError) -> [UInt8] {
        try self.readRaw(self.readLength(limit: limit))
    }

    /// A 32-bit length, then that many bytes of UTF-8.
    package mutating func readString(limit: Int) throws(ByteError) -> String {
        let start = self.offset
        let raw = try self.readBytes(limit: limit)
        guard let text = String(validating: raw, as: UTF8.self) else { throw .invalidText(offset: start) }
        return text
    }

    package mutating func readOptional<Value>(
        _ field: String, _ body: (inout ByteReader) throws(ByteError) -> Value
    ) throws(ByteError) -> Value? {
        guard try self.readBool(field) else { return nil }
        return try body(&self)
    }

    /// A 32-bit count, then each element. A count over `limit` is refused before anything is reserved.
    package mutating func readList<Element>(
        limit: Int, _ body: (inout ByteReader) throws(ByteError) -> Element
    ) throws(ByteError) -> [Element] {
        let start = self.offset
        let count = Int(try self.read(UInt32.self))
        guard count <= limit else { throw .tooLong(offset: start, length: count, limit: limit) }
        var list: [Element] = []
        list.reserveCapacity(min(count, self.remaining))
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }

    /// Checks that nothing is left over.
    package func finish() throws(ByteError) {
        guard self.offset == self.end else { throw .trailing(offset: self.offset, count: self.remaining) }
    }

    private mutating func readLength(limit: Int) throws(ByteError) -> Int {
        let start = self.offset
        let length = Int(try self.read(UInt32.self))
        guard length <= limit else { throw .tooLong(offset: start, length: length, limit: limit) }
        return length
    }

    @inlinable
    func require(_ count: Int) throws(ByteError) {
        guard self.end - self.position >= count else { throw self.truncated(count) }
    }

    @usableFromInline
    func truncated(_ count: Int) -> ByteError { .truncated(offset: self.offset, needed: count - self.remaining) }
}
