// SPDX-License-Identifier: Apache-2.0

/// Why a text is not JSON, or not JSON that we take, and where.
package struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        case empty
        case tooLong(limit: Int)
        case tooDeep(limit: Int)
        /// The text ends inside a value.
        case unexpectedEnd
        /// Another byte than the ones that can stand here; `expected` names those.
        case unexpected(UInt8, expected: String)
        /// Something follows the value.
        case trailing
        case invalidNumber
        case controlCharacter(UInt8)
        case invalidEscape
        /// A `\u` escape names half of a surrogate pair.
        case loneSurrogate
        case invalidUTF8
        case duplicateKey(String)
    }

    /// Bytes from the start of the text.
    package let offset: Int
    package let reason: Reason
    /// From 1; a line ends with a line feed.
    package let line: Int
    /// Characters (Unicode scalars) from the start of the line, from 1.
    package let column: Int

    /// - Parameter text: the whole text, to count lines in. The parser leaves it away and the document adds it.
    package init(offset: Int, reason: Reason, in text: [UInt8] = []) {
        self.offset = offset
        self.reason = reason
        var line = 1
        var column = 1
        for byte in text.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
        }
        self.line = line
        self.column = column
    }

    package var description: String {
        switch self.reason {
        case .empty: "the text is empty; expected a JSON value"
        case .tooLong(let limit): "the text is longer than \(limit) bytes"
        case .tooDeep(let limit): "more than \(limit) levels of arrays and objects\(self.place)"
        case .unexpectedEnd: "the text ends inside a value\(self.place)"
        case .unexpected(let byte, let expected):
            "expected \(expected), found \(Self.name(of: byte))\(self.place)"
        case .trailing: "something follows the JSON value\(self.place)"
        case .invalidNumber: "a number isn't written as JSON wants it\(self.place)"
        case .controlCharacter(let byte):
            "a string holds the control character \(Self.name(of: byte))\(self.place); write it as an escape"
        case .invalidEscape: "a string holds an escape that JSON doesn't have\(self.place)"
        case .loneSurrogate: "a \\u escape names half of a surrogate pair\(self.place)"
        case .invalidUTF8: "the text is not UTF-8\(self.place)"
        case .duplicateKey(let key): "the key “\(key)” stands twice in one object\(self.place)"
        }
    }

    private var place: String { " at line \(self.line), column \(self.column)" }

    /// A printable ASCII byte as itself, any other as hexadecimal: an error text carries no raw bytes of a stranger.
    private static func name(of byte: UInt8) -> String {
        guard (0x21...0x7e).contains(byte) else {
            let digits = String(byte, radix: 16)
            return "0x" + (digits.utf8.count < 2 ? "0" : "") + digits
        }
        return "“\(Character(UnicodeScalar(byte)))”"
    }
}
