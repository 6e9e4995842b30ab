// SPDX-License-Identifier: Apache-2.0

/// What is wrong with one field of a text that is well-formed JSON.
package struct FieldError: Error, Hashable, Sendable {
    /// Names the field (RFC 6901).
    package let pointer: String
    /// What was expected and what was found, for whoever wrote the text.
    package let reason: String

    package init(pointer: String, reason: String) {
        self.pointer = pointer
        self.reason = reason
    }
}
