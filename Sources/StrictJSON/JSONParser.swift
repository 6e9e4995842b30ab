// SPDX-License-Identifier: Apache-2.0

/// Checks a JSON text in one pass and notes where its values are. Takes RFC 8259 and nothing more; never traps.
struct JSONParser {
    private let bytes: [UInt8]
    private let depthLimit: Int
    private var offset = 0
    private(set) var nodes: [JSONNode] = []

    /// From this many keys on, an object's keys are compared by hash and not one by one.
    private static let keysComparedOneByOne = 16

    init(_ bytes: [UInt8], depthLimit: Int) {
        self.bytes = bytes
        self.depthLimit = depthLimit
    }

    mutating func parseDocument() throws(JSONSyntaxError) {
        guard self.bytes.count <= JSONDocument.lengthLimit else {
            throw JSONSyntaxError(offset: 0, reason: .tooLong(limit: JSONDocument.lengthLimit))
        }
        self.nodes.reserveCapacity(self.bytes.count / 8 + 1)
        self.skipWhitespace()
        guard self.offset < self.bytes.count else { throw self.error(.empty) }
        try self.parseValue(depth: 0)
        self.skipWhitespace()
        guard self.offset == self.bytes.count else { throw self.error(.trailing) }
    }

    private mutating func parseValue(depth: Int) throws(JSONSyntaxError) {
        guard let byte = self.peek() else { throw self.error(.unexpectedEnd) }
        switch byte {
        case UInt8(ascii: "{"): try self.parseObject(depth: depth + 1)
        case UInt8(ascii: "["): try self.parseArray(depth: depth + 1)
        case UInt8(ascii: "\""): try self.parseString()
        case UInt8(ascii: "t"): try self.parseWord("true", .true)
        case UInt8(ascii: "f"): try self.parseWord("false", .false)
        case UInt8(ascii: "n"): try self.parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try self.parseNumber()
        case _: throw self.error(.unexpected(byte, expected: "a JSON value"))
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONSyntaxError) {
        let position = try self.open(.array, depth: depth)
        if self.skip(UInt8(ascii: "]")) { return self.close(position) }
        while true {
            try self.parseValue(depth: depth)
            self.skipWhitespace()
            if self.skip(UInt8(ascii: "]")) { return self.close(position) }
            try self.expect(UInt8(ascii: ","), "“,” or “]”")
            self.skipWhitespace()
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONSyntaxError) {
        let position = try self.open(.object, depth: depth)
        if self.skip(UInt8(ascii: "}")) { return self.close(position) }
        var count = 0
        var seen: Set<[UInt8]> = []
        while true {
            guard let byte = self.peek() else { throw self.error(.unexpectedEnd) }
            guard byte == UInt8(ascii: "\"") else { throw self.error(.unexpected(byte, expected: "a key in quotes")) }
            let key = self.nodes.count
            try self.parseString()
            try self.checkKey(key, of: position, count: count, seen: &seen)
            count += 1
            self.skipWhitespace()
            try self.expect(UInt8(ascii: ":"), "“:”")
            self.skipWhitespace()
            try self.parseValue(depth: depth)
            self.skipWhitespace()
            if self.skip(UInt8(ascii: "}")) { return self.close(position) }
            try self.expect(UInt8(ascii: ","), "“,” or “}”")
            self.skipWhitespace()
        }
    }

    /// Refuses a key that its object already has. Few keys are compared one by one, many by hash: a hostile object of a
    /// hundred thousand keys costs no more per key than a small one.
    private mutating func checkKey(
        _ key: Int, of object: Int, count: Int, seen: inout Set<[UInt8]>
    ) throws(JSONSyntaxError) {
        if count < Self.keysComparedOneByOne {
            var other = object + 1
            while other < key {
                guard !self.isSameText(other, key) else { throw self.duplicate(key) }
                other = Int(self.nodes[other + 1].next)
            }
            return
        }
        if count == Self.keysComparedOneByOne {
            var other = object + 1
            while other < key {
                seen.insert(self.text(other))
                other = Int(self.nodes[other + 1].next)
            }
        }
        guard seen.insert(self.text(key)).inserted else { throw self.duplicate(key) }
    }

    private func isSameText(_ one: Int, _ other: Int) -> Bool {
        if self.nodes[one].kind == .plainString, self.nodes[other].kind == .plainString {
            return self.inner(one).elementsEqual(self.inner(other))
        }
        return self.text(one) == self.text(other)
    }

    private func inner(_ string: Int) -> ArraySlice<UInt8> {
        let node = self.nodes[string]
        return self.bytes[Int(node.start) + 1..<Int(node.end) - 1]
    }

    private func text(_ string: Int) -> [UInt8] {
        self.nodes[string].kind == .plainString ? Array(self.inner(string)) : JSONText.unescaped(self.inner(string))
    }

    private func duplicate(_ key: Int) -> JSONSyntaxError {
        let name = String(decoding: self.text(key).prefix(64), as: UTF8.self)
        return JSONSyntaxError(offset: Int(self.nodes[key].start), reason: .duplicateKey(name))
    }

    private mutating func parseString() throws(JSONSyntaxError) {
        let start = self.offset
        var kind = JSONNode.Kind.plainString
        self.offset += 1
        while let byte = self.peek() {
            switch byte {
            case UInt8(ascii: "\""):
                self.offset += 1
                return self.append(kind, from: start)
            case UInt8(ascii: "\\"):
                kind = .escapedString
                try self.parseEscape()
            case 0x00...0x1f: throw self.error(.controlCharacter(byte))
            case 0x20...0x7f: self.offset += 1
            case _:
                guard let length = JSONText.sequenceLength(self.bytes, at: self.offset) else {
                    throw self.error(.invalidUTF8)
                }
                self.offset += length
            }
        }
        throw self.error(.unexpectedEnd)
    }

    private mutating func parseEscape() throws(JSONSyntaxError) {
        let start = self.offset
        guard start + 1 < self.bytes.count else { throw self.error(.unexpectedEnd) }
        let letter = self.bytes[start + 1]
        self.offset += 2
        guard letter == UInt8(ascii: "u") else {
            guard JSONText.simpleEscape(letter) != nil else {
                throw JSONSyntaxError(offset: start, reason: .invalidEscape)
            }
            return
        }
        let unit = try self.parseHexadecimal(escapeAt: start)
        guard !JSONText.isLowSurrogate(unit) else { throw JSONSyntaxError(offset: start, reason: .loneSurrogate) }
        guard JSONText.isHighSurrogate(unit) else { return }
        guard self.skip(UInt8(ascii: "\\")), self.skip(UInt8(ascii: "u")) else {
            throw JSONSyntaxError(offset: start, reason: .loneSurrogate)
        }
        let low = try self.parseHexadecimal(escapeAt: start)
        guard JSONText.isLowSurrogate(low) else { throw JSONSyntaxError(offset: start, reason: .loneSurrogate) }
    }

    private mutating func parseHexadecimal(escapeAt start: Int) throws(JSONSyntaxError) -> UInt32 {
        guard let unit = JSONText.hexadecimal(self.bytes[...], at: self.offset) else {
            throw JSONSyntaxError(offset: start, reason: .invalidEscape)
        }
        self.offset += 4
        return unit
    }

    private mutating func parseNumber() throws(JSONSyntaxError) {
        let start = self.offset
        let invalid = JSONSyntaxError(offset: start, reason: .invalidNumber)
        _ = self.skip(UInt8(ascii: "-"))
        if !self.skip(UInt8(ascii: "0")) {
            guard self.skipDigits() > 0 else { throw invalid }
        }
        if self.skip(UInt8(ascii: ".")) {
            guard self.skipDigits() > 0 else { throw invalid }
        }
        if self.skip(UInt8(ascii: "e")) || self.skip(UInt8(ascii: "E")) {
            if !self.skip(UInt8(ascii: "+")) { _ = self.skip(UInt8(ascii: "-")) }
            guard self.skipDigits() > 0 else { throw invalid }
        }
        // 01 and 1x are no numbers followed by something, but bad numbers.
        if let byte = self.peek(), Self.isWordCharacter(byte) { throw invalid }
        self.append(.number, from: start)
    }

    private mutating func parseWord(_ word: StaticString, _ kind: JSONNode.Kind) throws(JSONSyntaxError) {
        let start = self.offset
        let length = word.utf8CodeUnitCount
        let isThere =
            start + length <= self.bytes.count
            && word.withUTF8Buffer { $0.elementsEqual(self.bytes[start..<start + length]) }
        guard isThere else { throw self.error(.unexpected(self.bytes[start], expected: "a JSON value")) }
        self.offset += length
        self.append(kind, from: start)
    }

    private static func isWordCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"):
            true
        case _: false
        }
    }

    // MARK: Steps

    private mutating func open(_ kind: JSONNode.Kind, depth: Int) throws(JSONSyntaxError) -> Int {
        guard depth <= self.depthLimit else { throw self.error(.tooDeep(limit: self.depthLimit)) }
        let start = self.offset
        self.offset += 1
        self.append(kind, from: start)
        self.skipWhitespace()
        return self.nodes.count - 1
    }

    private mutating func close(_ position: Int) {
        self.nodes[position].end = UInt32(self.offset)
        self.nodes[position].next = UInt32(self.nodes.count)
    }

    private mutating func append(_ kind: JSONNode.Kind, from start: Int) {
        let next = UInt32(self.nodes.count + 1)
        self.nodes.append(JSONNode(kind: kind, start: UInt32(start), end: UInt32(self.offset), next: next))
    }

    private func peek() -> UInt8? {
        self.offset < self.bytes.count ? self.bytes[self.offset] : nil
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard self.peek() == byte else { return false }
        self.offset += 1
        return true
    }

    private mutating func skipDigits() -> Int {
        let start = self.offset
        while let byte = self.peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.offset += 1 }
        return self.offset - start
    }

    private mutating func skipWhitespace() {
        while let byte = self.peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { self.offset += 1 }
    }

    private mutating func expect(_ byte: UInt8, _ name: String) throws(JSONSyntaxError) {
        guard let found = self.peek() else { throw self.error(.unexpectedEnd) }
        guard found == byte else { throw self.error(.unexpected(found, expected: name)) }
        self.offset += 1
    }

    private func error(_ reason: JSONSyntaxError.Reason) -> JSONSyntaxError {
        JSONSyntaxError(offset: self.offset, reason: reason)
    }
}
