// SPDX-License-Identifier: Apache-2.0

/// What a node says about a request that it did not carry out: problem details as of RFC 9457.
public struct Problem: Hashable, Sendable, Codable {
    /// `urn:verdict:problem:` and the code.
    public var type: String
    /// The kind of problem, for people.
    public var title: String
    /// The HTTP status.
    public var status: Int
    /// The kind of problem, for programs; stable.
    public var code: String
    /// What is wrong with this request.
    public var detail: String
    /// The field that is wrong, as a JSON pointer (RFC 6901).
    public var pointer: String?
    /// The transaction that it is about.
    public var gid: String?
    /// Milliseconds after which it is worth trying again.
    public var retryAfterMilliseconds: Int?

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case type, title, status, code, detail, pointer, gid
        /// `retryAfterMilliseconds`.
        case retryAfterMilliseconds = "retry_after_ms"
    }
}
