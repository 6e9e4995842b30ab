// SPDX-License-Identifier: Apache-2.0

/// One value in a JSON text: where it begins and ends, and where the value after it stands in the list of nodes.
struct JSONNode: Sendable {
    enum Kind: UInt8, Sendable {
        case null
        case `false`
        case `true`
        case number
        /// A string whose bytes are its text.
        case plainString
        /// A string with escapes in it.
        case escapedString
        case array
        /// Its members follow as key, value, key, value.
        case object
    }

    let kind: Kind
    /// Offset of the first byte.
    let start: UInt32
    /// Offset behind the last byte.
    var end: UInt32
    /// Position behind this value and everything in it, in the list of nodes.
    var next: UInt32
}

/// A JSON text that has been checked from end to end, and the places of the values in it.
///
/// Why our own: this is the API's outermost edge and on every request's way, and what the command line reads. Foundation's
/// decoder has no limit of depth, takes the last of two equal keys, rounds large numbers, says little about where an error
/// is, and costs several times as much. Here nothing is converted before it is asked for: numbers keep their digits, and a
/// payload is handed on as the exact bytes that the client sent.
///
/// Nodes lie in one flat array in the order of the text, so that parsing makes one allocation, whatever the nesting.
package final class JSONDocument: Sendable {
    let bytes: [UInt8]
    let nodes: [JSONNode]

    /// The deepest nesting of arrays and objects that a request to a node may have.
    package static let depthLimit = 32
    /// The longest text, in bytes: positions are 32 bits wide. The HTTP edge has a limit of its own, far below.
    package static let lengthLimit = 1 << 30

    /// Parses one value with white space around it (RFC 8259), UTF-8 without a byte order mark.
    package init(_ bytes: [UInt8], depthLimit: Int = JSONDocument.depthLimit) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes, depthLimit: depthLimit)
        do {
            try parser.parseDocument()
        } catch {
            throw JSONSyntaxError(offset: error.offset, reason: error.reason, in: bytes)
        }
        self.bytes = bytes
        self.nodes = parser.nodes
    }

    package var root: JSONValue { JSONValue(document: self, position: 0) }

    /// The text of a string, escapes resolved, as UTF-8.
    func text(at position: Int) -> [UInt8] {
        let node = self.nodes[position]
        return JSONText.unescaped(self.bytes[Int(node.start) + 1..<Int(node.end) - 1])
    }

    func string(at position: Int) -> String {
        let node = self.nodes[position]
        let inner = self.bytes[Int(node.start) + 1..<Int(node.end) - 1]
        guard node.kind == .escapedString else { return String(decoding: inner, as: UTF8.self) }
        return String(decoding: JSONText.unescaped(inner), as: UTF8.self)
    }

    /// The JSON pointer (RFC 6901) to a value. Found by descending from the root, so it costs nothing until it is
    /// needed.
    func pointer(to position: Int) -> String {
        var pointer = ""
        var container = 0
        while container != position {
            let isObject = self.nodes[container].kind == .object
            var child = container + 1
            var ordinal = 0
            while true {
                let value = isObject ? child + 1 : child
                let next = Int(self.nodes[value].next)
                if position < next {
                    pointer += "/" + (isObject ? Self.escapedForPointer(self.string(at: child)) : String(ordinal))
                    // A key stands for its member.
                    container = position == child ? position : value
                    break
                }
                child = next
                ordinal += 1
            }
        }
        return pointer
    }

    static func escapedForPointer(_ key: String) -> String {
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
        var escaped = ""
        for character in key.unicodeScalars {
            switch character {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            case _: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
