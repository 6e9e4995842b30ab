// SPDX-License-Identifier: Apache-2.0

/// One thing that was looked at in a node's folder, and what follows from it.
package struct Finding: Hashable, Sendable, Encodable {
    package enum Grade: String, Hashable, Sendable, Encodable {
        case ok
        /// Nothing is wrong, but an operator should know it.
        case note
        /// The node can't run as it is, or soon won't.
        case problem
    }

    /// What was looked at: `folder`, `process`, `log`, `state`, `disk`.
    package let subject: String
    package let grade: Grade
    package let text: String
    /// What to do; `nil` if nothing has to be done.
    package let advice: String?

    package static func ok(_ subject: String, _ text: String) -> Finding {
        Finding(subject: subject, grade: .ok, text: text, advice: nil)
    }

    package static func note(_ subject: String, _ text: String, _ advice: String? = nil) -> Finding {
        Finding(subject: subject, grade: .note, text: text, advice: advice)
    }

    package static func problem(_ subject: String, _ text: String, _ advice: String) -> Finding {
        Finding(subject: subject, grade: .problem, text: text, advice: advice)
    }
}
