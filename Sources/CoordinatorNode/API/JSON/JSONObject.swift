// SPDX-License-Identifier: Apache-2.0

/// An object whose fields are known: an unknown one is an error that names it, so that a typing error never goes
/// unseen.
package struct JSONObject: Sendable {
    private let value: JSONValue
    private let fields: [String]
    /// For each of `fields` its value, if it is there.
    private var values: [JSONValue?]

    package init(_ value: JSONValue, fields: [String]) throws(FieldError) {
        self.value = value
        self.fields = fields
        self.values = Array(repeating: nil, count: fields.count)
        for (key, value) in try value.members() {
            let name = key.text
            guard let position = Self.position(of: name, in: fields) else {
                throw key.error("unknown field; known here: \(fields.joined(separator: ", "))")
            }
            self.values[position] = value
        }
    }

    /// The value of a field; `nil` if it is absent. A `null` is a value.
    package func optional(_ name: String) -> JSONValue? {
        guard let position = Self.position(of: name, in: self.fields) else {
            fatalError("no field \(name) among \(self.fields)")
        }
        return self.values[position]
    }

    package func required(_ name: String) throws(FieldError) -> JSONValue {
        guard let value = self.optional(name) else { throw self.missing(name) }
        return value
    }

    /// The error for a field that should be there.
    package func missing(_ name: String) -> FieldError {
        FieldError(pointer: self.pointer(to: name), reason: "the field is missing")
    }

    /// The pointer to a field of this object, there or not.
    package func pointer(to name: String) -> String {
        self.value.pointer + "/" + JSONDocument.escapedForPointer(name)
    }

    /// Compares bytes: Swift's equality of strings would take other spellings of a character for the same.
    private static func position(of name: String, in fields: [String]) -> Int? {
        fields.firstIndex { $0.utf8.elementsEqual(name.utf8) }
    }
}
