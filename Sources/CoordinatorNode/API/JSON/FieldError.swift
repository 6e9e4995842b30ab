// SPDX-License-Identifier: Apache-2.0

/// What is wrong with one field of a request that is well-formed JSON.
package struct FieldError: Error, Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The field breaks a rule of the API.
        case invalid
        /// The field is a URL that this cluster does not call.
        case targetNotAllowed
    }

    package let kind: Kind
    /// Names the field (RFC 6901).
    package let pointer: String
    /// What was expected and what was found, for whoever wrote the request.
    package let reason: String

    package init(kind: Kind = .invalid, pointer: String, reason: String) {
        self.kind = kind
        self.pointer = pointer
        self.reason = reason
    }
}
