// SPDX-License-Identifier: Apache-2.0

import Bytes
import Testing

@Suite("The binary encoding") struct ByteTests {
    @Test("Integers of every width and sign come back, and are little-endian")
    func integers() throws {
        func check<Value: FixedWidthInteger>(_: Value.Type) throws {
            for value in [Value.min, .max, 0, 1, .max / 3] {
                var writer = ByteWriter()
                writer.write(value)
                #expect(writer.count == MemoryLayout<Value>.size)
                var reader = ByteReader(writer.bytes)
                #expect(try reader.read(Value.self) == value)
                try reader.finish()
            }
        }
        try check(UInt8.self)
        try check(Int8.self)
        try check(UInt16.self)
        try check(Int16.self)
        try check(UInt32.self)
        try check(Int32.self)
        try check(UInt64.self)
        try check(Int64.self)
        var writer = ByteWriter()
        writer.write(UInt32(0x0102_0304))
        #expect(writer.bytes == [4, 3, 2, 1])
    }

    @Test("Reads needn't be aligned")
    func unaligned() throws {
        var writer = ByteWriter(capacity: 16)
        writer.write(UInt8(1))
        writer.write(UInt64(0x1122_3344_5566_7788))
        writer.write(UInt16(7))
        var reader = ByteReader(writer.bytes)
        #expect(try reader.read(UInt8.self) == 1)
        #expect(try reader.read(UInt64.self) == 0x1122_3344_5566_7788)
        #expect(reader.remaining == 2)
        #expect(try reader.read(UInt16.self) == 7)
        #expect(reader.offset == 11)
    }

    @Test("Flags, bytes, texts, options and lists come back")
    func fields() throws {
        let texts = ["", "a", "grüße €", String(repeating: "x", count: 300), "a\u{0}b"]
        var writer = ByteWriter()
        writer.write(true)
        writer.write(false)
        writer.write([UInt8]())
        writer.write([0, 255, 7])
        writer.writeRaw([9, 8])
        writer.writeOptional(UInt16?.none) { $0.write($1) }
        writer.writeOptional(UInt16(3)) { $0.write($1) }
        writer.writeList(texts) { $0.write($1) }
        var reader = ByteReader(writer.bytes)
        #expect(try reader.readBool("first"))
        let second = try reader.readBool("second")
        #expect(!second)
        #expect(try reader.readBytes(limit: 0).isEmpty)
        #expect(try reader.readBytes(limit: 3) == [0, 255, 7])
        #expect(try reader.readRaw(2) == [9, 8])
        let none = try reader.readOptional("none") { reader throws(ByteError) in try reader.read(UInt16.self) }
        #expect(none == nil)
        let some = try reader.readOptional("some") { reader throws(ByteError) in try reader.read(UInt16.self) }
        #expect(some == 3)
        let list = try reader.readList(limit: 5) { reader throws(ByteError) in try reader.readString(limit: 300) }
        #expect(list == texts)
        try reader.finish()
    }

    @Test("Every prefix of a message is truncated, and says where and by how much")
    func truncated() throws {
        var writer = ByteWriter()
        writer.write(UInt32(1))
        writer.write("text")
        writer.write(UInt64(2))
        let bytes = writer.bytes
        for length in 0..<bytes.count {
            do throws(ByteError) {
                var reader = ByteReader(Array(bytes[..<length]))
                _ = try reader.read(UInt32.self)
                _ = try reader.readString(limit: 4)
                _ = try reader.read(UInt64.self)
                Issue.record("\(length) bytes were enough")
            } catch {
                guard case .truncated(let offset, let needed) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(offset <= length && needed > 0)
                // The ends of number, length, text and number.
                #expect([4, 8, 12].contains(length + needed) || length + needed == bytes.count)
            }
        }
        var reader = ByteReader([1, 2, 3])
        #expect(throws: ByteError.truncated(offset: 0, needed: 1)) { try reader.read(UInt32.self) }
        #expect(reader.offset == 0, "a read that fails takes nothing")
        #expect(throws: ByteError.truncated(offset: 0, needed: 5)) { try reader.read(UInt64.self) }
        #expect(throws: ByteError.truncated(offset: 0, needed: 1)) { try reader.readRaw(4) }
        #expect(try reader.readRaw(3) == [1, 2, 3])
    }

    @Test("A length or count over its limit is refused, whatever follows")
    func limits() {
        func reader(_ length: UInt32) -> ByteReader {
            var writer = ByteWriter()
            writer.write(UInt8(0))
            writer.write(length)
            writer.writeRaw([1, 2, 3, 4])
            var reader = ByteReader(writer.bytes)
            _ = try? reader.read(UInt8.self)
            return reader
        }
        for length: UInt32 in [4, 5, 0x7fff_ffff, 0x8000_0000, .max] {
            let expected = ByteError.tooLong(offset: 1, length: Int(length), limit: 3)
            #expect(throws: expected) {
                var reader = reader(length)
                _ = try reader.readBytes(limit: 3)
            }
            #expect(throws: expected) {
                var reader = reader(length)
                _ = try reader.readString(limit: 3)
            }
            #expect(throws: expected) {
                var reader = reader(length)
                _ = try reader.readList(limit: 3) { reader throws(ByteError) in try reader.read(UInt8.self) }
            }
        }
        // Within the limit, but not there: the elements that lie aren't reserved for, and the end is found.
        #expect(throws: ByteError.truncated(offset: 9, needed: 1)) {
            var reader = reader(.max)
            _ = try reader.readList(limit: .max) { reader throws(ByteError) in try reader.read(UInt8.self) }
        }
    }

    @Test("Flags that are neither yes nor no, texts that aren't UTF-8, and bytes left over are refused")
    func invalid() throws {
        var flag = ByteReader([2])
        #expect(throws: ByteError.invalidValue(offset: 0, field: "flag")) { try flag.readBool("flag") }
        var option = ByteReader([7, 0])
        #expect(throws: ByteError.invalidValue(offset: 0, field: "option")) {
            try option.readOptional("option") { reader throws(ByteError) in try reader.read(UInt8.self) }
        }
        for text: [UInt8] in [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]] {
            var writer = ByteWriter()
            writer.write(text)
            var reader = ByteReader(writer.bytes)
            #expect(throws: ByteError.invalidText(offset: 0)) { try reader.readString(limit: 8) }
        }
        var rest = ByteReader([1, 2, 3])
        _ = try rest.read(UInt8.self)
        #expect(throws: ByteError.trailing(offset: 1, count: 2)) { try rest.finish() }
    }

    @Test("A length that is known only at the end is patched in")
    func patch() throws {
        var writer = ByteWriter()
        writer.write(UInt8(1))
        let offset = writer.count
        writer.write(UInt32(0))
        writer.writeRaw([5, 6])
        writer.patch(0xa1b2_c3d4, at: offset)
        #expect(writer.bytes == [1, 0xd4, 0xc3, 0xb2, 0xa1, 5, 6])
    }
}
