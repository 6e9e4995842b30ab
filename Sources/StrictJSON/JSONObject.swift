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
        try value.eachMember { key, value throws(FieldError) in
            guard let position = fields.firstIndex(where: key.isText) else {
                throw key.error("unknown field; known here: \(fields.joined(separator: ", "))")
            }
            self.values[position] = value
        }
    }

    /// The value of a field; `nil` if it is absent. A `null` is a value.
    package func optional(_ name: String) -> JSONValue? {
        guard let position = self.fields.firstIndex(of: name) else {
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
}
