// SPDX-License-Identifier: Apache-2.0

import StrictJSON
import Testing

@Suite("JSON as it is read, with the place of what is wrong") struct JSONReadingTests {
    static func document(_ text: String) throws -> JSONDocument {
        try JSONDocument(Array(text.utf8))
    }

    static let accepted = [
        "0", "-0", "1.5e-3", "true", " null\t\r\n", #""""#, #""\u00e9\ud83d\ude00\/\b""#, "[]", "{}", "[[],{}]",
        #"{"a":{"b":[1,"x",null]},"c":false}"#, "\"\u{7f}é漢😀\"",
        String(repeating: "[", count: 32) + String(repeating: "]", count: 32),
    ]

    @Test("What RFC 8259 allows is taken", arguments: JSONReadingTests.accepted)
    func takes(text: String) throws {
        _ = try Self.document(text)
    }

    static let refused: [(text: String, offset: Int, reason: JSONSyntaxError.Reason)] = [
        ("", 0, .empty), (" \n", 2, .empty), ("[1,]", 3, .unexpected(0x5d, expected: "a JSON value")),
        ("[1", 2, .unexpectedEnd), ("[1}", 2, .unexpected(0x7d, expected: "“,” or “]”")),
        (#"{"a" 1}"#, 5, .unexpected(0x31, expected: "“:”")),
        ("{a:1}", 1, .unexpected(0x61, expected: "a key in quotes")),
        ("01", 0, .invalidNumber), ("1.", 0, .invalidNumber), ("-", 0, .invalidNumber),
        (".5", 0, .unexpected(0x2e, expected: "a JSON value")),
        ("+1", 0, .unexpected(0x2b, expected: "a JSON value")), ("1e+", 0, .invalidNumber),
        ("NaN", 0, .unexpected(0x4e, expected: "a JSON value")),
        ("tru", 0, .unexpected(0x74, expected: "a JSON value")), ("truee", 4, .trailing), ("1 2", 2, .trailing),
        ("\"\n\"", 1, .controlCharacter(0x0a)), (#""\x""#, 1, .invalidEscape), (#""\u12g4""#, 1, .invalidEscape),
        (#""\ud83d""#, 1, .loneSurrogate), (#""\ude00\ud83d""#, 1, .loneSurrogate), (#""\ud83d\n""#, 1, .loneSurrogate),
        (#"{"a":1,"b":2,"a":3}"#, 13, .duplicateKey("a")), ("'a'", 0, .unexpected(0x27, expected: "a JSON value")),
        ("[" + String(repeating: "[", count: 32), 32, .tooDeep(limit: 32)),
        ("// x\n1", 0, .unexpected(0x2f, expected: "a JSON value")),
    ]

    @Test("What it doesn't allow is refused at its place", arguments: JSONReadingTests.refused)
    func refuses(text: String, offset: Int, reason: JSONSyntaxError.Reason) {
        let error = #expect(throws: JSONSyntaxError.self) { try Self.document(text) }
        #expect(error?.offset == offset)
        #expect(error?.reason == reason)
    }

    static let notUTF8: [[UInt8]] = [
        [0x80], [0xc0, 0xaf], [0xc3], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x80, 0x80, 0x80],
        [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0xff],
    ]

    @Test("Bytes that aren't UTF-8, overlong forms and surrogates are refused", arguments: JSONReadingTests.notUTF8)
    func invalidUTF8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let error = #expect(throws: JSONSyntaxError.self) { try JSONDocument([quote] + bytes + [quote]) }
        #expect(error?.reason == .invalidUTF8)
        #expect(error?.offset == 1)
    }

    @Test("Line and column count characters from 1")
    func place() {
        let error = #expect(throws: JSONSyntaxError.self) { try Self.document("{\n \"é漢\": ?}") }
        #expect(error?.line == 2)
        #expect(error?.column == 8)
        #expect(error?.description == "expected a JSON value, found “?” at line 2, column 8")
    }

    @Test("Two equal keys among many are found as well, escapes or not")
    func duplicateAmongMany() throws {
        let members = (0..<5_000).map { "\"k\($0)\":0" }
        _ = try Self.document("{" + members.joined(separator: ",") + "}")
        let error = #expect(throws: JSONSyntaxError.self) {
            try Self.document("{" + members.joined(separator: ",") + #","\u006b17":0}"#)
        }
        #expect(error?.reason == .duplicateKey("k17"))
    }

    @Test("Pointers name fields as RFC 6901 has it")
    func pointers() throws {
        let root = try Self.document(#"{"a/b":[0,{"m~n":[true]}],"c":1}"#).root
        let list = try #require(try root.members().first).value
        let inner = try #require(try list.elements(count: 2...2, named: "elements").last)
        let value = try #require(try inner.members().first).value
        let element = try #require(try value.elements(count: 1...1, named: "elements").first)
        #expect(root.pointer == "")
        #expect(element.pointer == "/a~1b/1/m~0n/0")
        #expect(throws: FieldError(pointer: "/a~1b/1/m~0n/0", reason: "expected a string, got true")) {
            try element.string()
        }
    }

    static let integers: [(text: String, value: UInt64?)] = [
        ("0", 0), ("18446744073709551615", .max), ("18446744073709551616", nil), ("184467440737095516150", nil),
        ("-1", nil), ("1.0", nil), ("1e3", nil), ("\"1\"", nil), ("null", nil),
    ]

    @Test("Integers are whole, plain and in range, or refused", arguments: JSONReadingTests.integers)
    func integer(text: String, value: UInt64?) throws {
        let root = try Self.document(text).root
        #expect((try? root.integer(in: 0...UInt64.max)) == value)
    }
}
