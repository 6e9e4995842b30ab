// SPDX-License-Identifier: Apache-2.0

/// Builds a byte string of little-endian integers and length-prefixed fields: the house's binary encoding.
package struct ByteWriter: Sendable {
    package private(set) var bytes: [UInt8]

    /// - Parameter capacity: bytes to reserve, so that a writer that knows its size allocates once.
    package init(capacity: Int = 0) {
        self.bytes = []
        self.bytes.reserveCapacity(capacity)
    }

    package var count: Int { self.bytes.count }

    @inlinable
    package mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { self.append($0) }
    }

    package mutating func write(_ value: Bool) {
        self.write(value ? UInt8(1) : UInt8(0))
    }

    /// Bytes as they are, without a length.
    package mutating func writeRaw(_ raw: [UInt8]) {
        self.bytes.append(contentsOf: raw)
    }

    @usableFromInline
    mutating func append(_ raw: UnsafeRawBufferPointer) {
        self.bytes.append(contentsOf: raw)
    }

    /// A 32-bit length, then the bytes.
    package mutating func write(_ field: [UInt8]) {
        self.write(UInt32(field.count))
        self.bytes.append(contentsOf: field)
    }

    /// A 32-bit length, then the UTF-8 of the string.
    package mutating func write(_ string: String) {
        var string = string
        string.withUTF8 { utf8 in
            self.write(UInt32(utf8.count))
            self.bytes.append(contentsOf: utf8)
        }
    }

    /// A presence byte, then the value if there is one.
    package mutating func writeOptional<Value>(_ value: Value?, _ body: (inout ByteWriter, Value) -> Void) {
        self.write(value != nil)
        if let value { body(&self, value) }
    }

    /// A 32-bit count, then each element.
    package mutating func writeList<Element>(_ list: [Element], _ body: (inout ByteWriter, Element) -> Void) {
        self.write(UInt32(list.count))
        for element in list { body(&self, element) }
    }

    /// Overwrites four bytes written earlier: a length or checksum known only at the end.
    package mutating func patch(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { raw in
            for (position, byte) in raw.enumerated() { self.bytes[offset + position] = byte }
        }
    }
}
