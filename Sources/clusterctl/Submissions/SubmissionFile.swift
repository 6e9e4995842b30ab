// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
import Foundation

/// Reads a transaction from a JSON file, in the form in which the API takes it.
package enum SubmissionFile {
    /// The largest file that is read, in bytes: well over what a node takes.
    package static let maximumBytes = 32 << 20

    private static let transactionFields: Set<String> = ["gid", "protocol", "timeout_ms", "concurrent", "branches"]
    private static let branchFields: Set<String> = [
        "id", "action", "compensate", "try", "confirm", "cancel", "headers", "payload",
    ]

    /// - Parameter name: where the bytes come from, for messages.
    /// - Throws: a sentence that names the field that is wrong, or the place where the text stops being JSON. An unknown field is an error: it may be a slip of the pen in
    ///   one that counts.
    package static func read(_ bytes: [UInt8], name: String) throws(SubmissionBuilder.Problem) -> Submission {
        func problem(_ text: String) -> SubmissionBuilder.Problem { SubmissionBuilder.Problem("\(name): \(text)") }
        guard bytes.count <= Self.maximumBytes else { throw problem("larger than 32 MiB: no transaction") }
        let value: JSONValue
        do throws(SubmissionBuilder.Problem) {
            value = try WrittenJSON.value(bytes)
        } catch {
            throw problem(error.message)
        }
        guard case .object(let fields) = value else { throw problem("a transaction is a JSON object") }
        if fields["wait_ms"] != nil {
            throw problem("wait_ms is no part of a transaction; use --wait or --no-wait")
        }
        if let field = Self.unknown(fields, Self.transactionFields) { throw problem("there is no field /\(field)") }
        if case .array(let branches) = fields["branches"] {
            for (position, branch) in branches.enumerated() {
                guard case .object(let fields) = branch else { continue }
                if let field = Self.unknown(fields, Self.branchFields) {
                    throw problem("there is no field /branches/\(position)/\(field)")
                }
            }
        }
        do {
            return try JSONDecoder().decode(Submission.self, from: Data(bytes))
        } catch {
            throw problem(Self.sentence(error))
        }
    }

    private static func unknown(_ fields: [String: JSONValue], _ known: Set<String>) -> String? {
        fields.keys.filter { !known.contains($0) }.min()
    }

    private static func sentence(_ error: any Error) -> String {
        func pointer(_ path: [any CodingKey]) -> String {
            path.map { "/" + ($0.intValue.map { String($0) } ?? $0.stringValue) }.joined()
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): return "\(pointer(context.codingPath + [key])) is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return "\(pointer(context.codingPath)) must be \(Self.word(for: type))"
        case .dataCorrupted(let context): return "\(pointer(context.codingPath)) is not valid"
        case nil: return "\(error)"
        @unknown default: return "\(error)"
        }
    }

    private static func word(for type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Int.Type: "a whole number"
        case is Bool.Type: "true or false"
        case is [String: Any].Type: "an object"
        case is [Any].Type: "a list"
        case _: "a \(type)"
        }
    }
}
