// SPDX-License-Identifier: Apache-2.0

/// What the parser and the document share about the inside of a string.
package enum JSONText {
    /// Resolves the escapes of a string that the parser has checked.
    static func unescaped(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(raw.count)
        var offset = raw.startIndex
        while offset < raw.endIndex {
            guard raw[offset] == UInt8(ascii: "\\") else {
                text.append(raw[offset])
                offset += 1
                continue
            }
            let kind = raw[offset + 1]
            offset += 2
            guard kind == UInt8(ascii: "u") else {
                text.append(Self.simpleEscape(kind) ?? kind)
                continue
            }
            var scalar = Self.hexadecimal(raw, at: offset) ?? 0
            offset += 4
            if Self.isHighSurrogate(scalar), let low = Self.hexadecimal(raw, at: offset + 2) {
                scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
                offset += 6
            }
            if let scalar = UnicodeScalar(scalar) { text.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
        }
        return text
    }

    /// The byte that a one-letter escape stands for; `nil` if there is no such escape.
    static func simpleEscape(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        case _: nil
        }
    }

    /// The four hexadecimal digits at an offset; `nil` if there are no four.
    static func hexadecimal(_ raw: ArraySlice<UInt8>, at offset: Int) -> UInt32? {
        guard offset >= raw.startIndex, offset + 4 <= raw.endIndex else { return nil }
        var value: UInt32 = 0
        for digit in raw[offset..<offset + 4] {
            guard let number = Self.hexadecimalDigit(digit) else { return nil }
            value = value << 4 | UInt32(number)
        }
        return value
    }

    package static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case _: nil
        }
    }

    static func isHighSurrogate(_ unit: UInt32) -> Bool { (0xd800...0xdbff).contains(unit) }
    static func isLowSurrogate(_ unit: UInt32) -> Bool { (0xdc00...0xdfff).contains(unit) }

    /// The length of the well-formed UTF-8 sequence at an offset (Unicode standard, table 3-7); `nil` if it isn't one.
    static func sequenceLength(_ bytes: [UInt8], at offset: Int) -> Int? {
        let first = bytes[offset]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch first {
        case 0x00...0x7f: return 1
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: length = 4
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        case _: return nil
        }
        guard offset + length <= bytes.count, second.contains(bytes[offset + 1]) else { return nil }
        for position in 2..<max(length, 2) where !(0x80...0xbf).contains(bytes[offset + position]) { return nil }
        return length
    }
}
