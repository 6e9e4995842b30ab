// SPDX-License-Identifier: Apache-2.0

/// One value of a document, with readers that either give what is asked for or say what is wrong with which field.
package struct JSONValue: Sendable {
    let document: JSONDocument
    let position: Int

    private var node: JSONNode { self.document.nodes[self.position] }

    package var pointer: String { self.document.pointer(to: self.position) }

    /// The exact bytes of the text that stand for this value.
    package var bytes: ArraySlice<UInt8> { self.document.bytes[Int(self.node.start)..<Int(self.node.end)] }

    package var isNull: Bool { self.node.kind == .null }

    package func string() throws(FieldError) -> String {
        switch self.node.kind {
        case .plainString, .escapedString: return self.document.string(at: self.position)
        case .null, .false, .true, .number, .array, .object: throw self.mismatch("a string")
        }
    }

    package func bool() throws(FieldError) -> Bool {
        switch self.node.kind {
        case .true: return true
        case .false: return false
        case .null, .number, .plainString, .escapedString, .array, .object: throw self.mismatch("true or false")
        }
    }

    /// Reads digits only: `1.0` and `1e3` are refused, since whoever writes them may have lost precision on the way.
    package func integer(in range: ClosedRange<UInt64>) throws(FieldError) -> UInt64 {
        let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
        guard self.node.kind == .number else { throw self.mismatch(expected) }
        var number: UInt64 = 0
        for digit in self.bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { throw self.mismatch(expected) }
            let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isFarTooLarge) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !isTooLarge, !isFarTooLarge else { throw self.mismatch(expected) }
            number = sum
        }
        guard range.contains(number) else { throw self.mismatch(expected) }
        return number
    }

    /// The elements of an array, or an error if it isn't one or has more or fewer than it may.
    package func elements(count range: ClosedRange<Int>, named name: String) throws(FieldError) -> [JSONValue] {
        guard self.node.kind == .array else { throw self.mismatch("an array") }
        var elements: [JSONValue] = []
        var child = self.position + 1
        while child < Int(self.node.next) {
            elements.append(JSONValue(document: self.document, position: child))
            child = Int(self.document.nodes[child].next)
        }
        guard range.contains(elements.count) else {
            throw self.error("expected \(range.lowerBound) to \(range.upperBound) \(name), got \(elements.count)")
        }
        return elements
    }

    /// The members of an object in the order of the text.
    package func members() throws(FieldError) -> [(key: JSONKey, value: JSONValue)] {
        var members: [(key: JSONKey, value: JSONValue)] = []
        try self.eachMember { members.append(($0, $1)) }
        return members
    }

    /// The same without an array in between.
    func eachMember(_ body: (JSONKey, JSONValue) throws(FieldError) -> Void) throws(FieldError) {
        guard self.node.kind == .object else { throw self.mismatch("an object") }
        let end = Int(self.node.next)
        var child = self.position + 1
        while child < end {
            let value = JSONValue(document: self.document, position: child + 1)
            try body(JSONKey(document: self.document, position: child), value)
            child = Int(self.document.nodes[child + 1].next)
        }
    }

    package func error(_ reason: String) -> FieldError {
        FieldError(pointer: self.pointer, reason: reason)
    }

    private func mismatch(_ expected: String) -> FieldError {
        self.error("expected \(expected), got \(self.found)")
    }

    /// The type of what was found; of a number its digits too, cut to a length that an error can carry.
    private var found: String {
        switch self.node.kind {
        case .null: return "null"
        case .false: return "false"
        case .true: return "true"
        case .plainString, .escapedString: return "a string"
        case .array: return "an array"
        case .object: return "an object"
        case .number:
            let digits = self.bytes
            let shown = String(decoding: digits.prefix(32), as: UTF8.self)
            return "the number \(shown)\(digits.count > 32 ? "…" : "")"
        }
    }
}

/// A key of an object.
package struct JSONKey: Sendable {
    let document: JSONDocument
    let position: Int

    package var text: String { self.document.string(at: self.position) }

    /// Compares bytes: Swift's equality of strings would take other spellings of a character for the same.
    func isText(_ text: String) -> Bool {
        let node = self.document.nodes[self.position]
        let utf8 = text.utf8
        guard node.kind == .plainString else { return self.text.utf8.elementsEqual(utf8) }
        guard utf8.count == Int(node.end) - Int(node.start) - 2 else { return false }
        var offset = Int(node.start) + 1
        for byte in utf8 {
            guard self.document.bytes[offset] == byte else { return false }
            offset += 1
        }
        return true
    }

    package func error(_ reason: String) -> FieldError {
        FieldError(pointer: self.document.pointer(to: self.position), reason: reason)
    }
}
