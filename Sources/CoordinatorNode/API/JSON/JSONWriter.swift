// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// Appends JSON to a byte array: the answers' way out, without a tree or a reflection in between.
///
/// The caller keeps the nesting; commas are the writer's. Keys are ours and need no escapes.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Whether the next key or element needs a comma before it.
    private var hasPrevious = false

    package init(capacity: Int = 512) {
        self.bytes.reserveCapacity(capacity)
    }

    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        self.separate()
        self.bytes.append(UInt8(ascii: "{"))
        self.hasPrevious = false
        members(&self)
        self.bytes.append(UInt8(ascii: "}"))
        self.hasPrevious = true
    }

    package mutating func array<Elements: Sequence>(
        _ elements: Elements, _ write: (inout JSONWriter, Elements.Element) -> Void
    ) {
        self.separate()
        self.bytes.append(UInt8(ascii: "["))
        self.hasPrevious = false
        for element in elements { write(&self, element) }
        self.bytes.append(UInt8(ascii: "]"))
        self.hasPrevious = true
    }

    package mutating func key(_ name: StaticString) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { self.bytes.append(contentsOf: $0) }
        self.bytes.append(UInt8(ascii: "\""))
        self.bytes.append(UInt8(ascii: ":"))
        self.hasPrevious = false
    }

    package mutating func string(_ text: String) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                self.bytes.append(UInt8(ascii: "\\"))
                self.bytes.append(byte)
            case 0x00...0x1f, 0x7f: self.escape(byte)
            case _: self.bytes.append(byte)
            }
        }
        self.bytes.append(UInt8(ascii: "\""))
        self.hasPrevious = true
    }

    package mutating func integer(_ number: UInt64) {
        self.separate()
        var digits: (Int, UInt64) = (1, 1)
        while number / digits.1 >= 10 { digits = (digits.0 + 1, digits.1 * 10) }
        for _ in 0..<digits.0 {
            self.bytes.append(UInt8(ascii: "0") + UInt8(number / digits.1 % 10))
            digits.1 /= 10
        }
        self.hasPrevious = true
    }

    package mutating func bool(_ value: Bool) { self.word(value ? "true" : "false") }

    package mutating func null() { self.word("null") }

    /// A moment as RFC 3339 in UTC with milliseconds.
    package mutating func time(_ time: LogTime) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        Timestamp.append(milliseconds: time.rawValue, to: &self.bytes)
        self.bytes.append(UInt8(ascii: "\""))
        self.hasPrevious = true
    }

    private mutating func word(_ word: StaticString) {
        self.separate()
        word.withUTF8Buffer { self.bytes.append(contentsOf: $0) }
        self.hasPrevious = true
    }

    private mutating func separate() {
        if self.hasPrevious { self.bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func escape(_ byte: UInt8) {
        let digits = Array("0123456789abcdef".utf8)
        self.bytes.append(contentsOf: Array("\\u00".utf8))
        self.bytes.append(digits[Int(byte >> 4)])
        self.bytes.append(digits[Int(byte & 15)])
    }
}

extension JSONWriter {
    package mutating func field(_ name: StaticString, _ text: String) {
        self.key(name)
        self.string(text)
    }

    package mutating func field(_ name: StaticString, _ text: String?) {
        self.key(name)
        if let text { self.string(text) } else { self.null() }
    }

    package mutating func field(_ name: StaticString, _ number: UInt64) {
        self.key(name)
        self.integer(number)
    }

    package mutating func field(_ name: StaticString, _ number: UInt64?) {
        self.key(name)
        if let number { self.integer(number) } else { self.null() }
    }

    package mutating func field(_ name: StaticString, _ value: Bool) {
        self.key(name)
        self.bool(value)
    }

    package mutating func field(_ name: StaticString, _ time: LogTime?) {
        self.key(name)
        if let time { self.time(time) } else { self.null() }
    }
}
