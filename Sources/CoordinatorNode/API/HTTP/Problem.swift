// SPDX-License-Identifier: Apache-2.0

package import StrictJSON
package import Transactions

/// Why a request was not carried out, as the native API tells it: RFC 9457 problem details with a code that stays the
/// same from version to version.
package struct Problem: Error, Sendable {
    package enum Code: String, CaseIterable, Hashable, Sendable {
        case malformedJSON = "malformed-json"
        case invalidRequest = "invalid-request"
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case requestTimeout = "request-timeout"
        case gidConflict = "gid-conflict"
        case alreadyDecided = "already-decided"
        case notOpen = "not-open"
        /// An operator's wish that the cluster can't fulfil now.
        case notPossible = "not-possible"
        /// Undecided since before a restore.
        case held
        /// Perhaps known before a restore.
        case forgotten
        case bodyTooLarge = "body-too-large"
        case unsupportedMediaType = "unsupported-media-type"
        case targetNotAllowed = "target-not-allowed"
        case overloaded
        case headersTooLarge = "headers-too-large"
        case `internal`
        /// Certainly not proposed.
        case noLeader = "no-leader"
        /// Of the readiness check alone: this node knows no leader, or is behind.
        case notReady = "not-ready"
        /// Perhaps proposed.
        case outcomeUnknown = "outcome-unknown"

        /// The status of the answer.
        package var status: Int {
            switch self {
            case .malformedJSON, .invalidRequest: 400
            case .notFound: 404
            case .methodNotAllowed: 405
            case .requestTimeout: 408
            case .gidConflict, .alreadyDecided, .notOpen, .notPossible, .held: 409
            case .forgotten: 410
            case .bodyTooLarge: 413
            case .unsupportedMediaType: 415
            case .targetNotAllowed: 422
            case .overloaded: 429
            case .headersTooLarge: 431
            case .internal: 500
            case .noLeader, .notReady: 503
            case .outcomeUnknown: 504
            }
        }

        /// What the code means, the same for every occurrence.
        package var title: String {
            switch self {
            case .malformedJSON: "The body is not valid JSON"
            case .invalidRequest: "The request breaks a rule of the API"
            case .notFound: "There is nothing here"
            case .methodNotAllowed: "This path doesn't take this method"
            case .requestTimeout: "The request didn't arrive in time"
            case .gidConflict: "The gid or branch id stands for other content"
            case .alreadyDecided: "The transaction is decided otherwise"
            case .notOpen: "The transaction is not open"
            case .notPossible: "The cluster can't do this now"
            case .held: "The transaction waits for an operator"
            case .forgotten: "The gid may have been known before the restore"
            case .bodyTooLarge: "The body is too large"
            case .unsupportedMediaType: "The body's type isn't supported"
            case .targetNotAllowed: "A branch's URL is not among the allowed targets"
            case .overloaded: "Too many requests are waiting"
            case .headersTooLarge: "The request's head is too large"
            case .internal: "The node can't answer"
            case .noLeader: "The cluster has no leader"
            case .notReady: "The node is not ready"
            case .outcomeUnknown: "It is not known whether the request was carried out"
            }
        }
    }

    package let code: Code
    package let detail: String
    /// The field of the request's body that is meant (RFC 6901).
    package var pointer: String?
    package var gid: Gid?
    /// Where in the body a text stops being JSON, both from 1; of `malformedJSON` alone.
    package var place: (line: Int, column: Int)?
    /// Term and index of the log position at which the problem was so, when it is about the log's content.
    package var position: (term: UInt64, index: UInt64)?
    package var retryAfter: Duration?
    /// The methods that the path takes; of `methodNotAllowed` alone.
    package var allow: [String] = []

    package init(
        _ code: Code, _ detail: String, pointer: String? = nil, gid: Gid? = nil, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.gid = gid
        self.retryAfter = retryAfter
    }

    package init(_ error: JSONSyntaxError) {
        self.init(.malformedJSON, error.description)
        self.place = (error.line, error.column)
    }

    package init(_ error: FieldError) {
        self.init(.invalidRequest, error.reason, pointer: error.pointer)
    }

    package init(_ problem: SubmissionProblem) {
        self.init(.invalidRequest, problem.message, pointer: problem.path)
    }

    package func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { json in
            json.field("type", "urn:verdict:problem:\(self.code.rawValue)")
            json.field("title", self.code.title)
            json.field("status", UInt64(self.code.status))
            json.field("code", self.code.rawValue)
            json.field("detail", bounded(self.detail, to: Limits.problemLength))
            // What the client wrote comes back, but not a mebibyte of it.
            if let pointer = self.pointer { json.field("pointer", bounded(pointer, to: Limits.problemLength)) }
            if let place = self.place {
                json.field("line", UInt64(place.line))
                json.field("column", UInt64(place.column))
            }
            if let position = self.position {
                json.field("term", position.term)
                json.field("index", position.index)
            }
            if let gid = self.gid { json.field("gid", gid.rawValue) }
            if let retryAfter = self.retryAfter { json.field("retry_after_ms", retryAfter.wholeMilliseconds) }
        }
        return writer.bytes
    }
}

extension Duration {
    /// Milliseconds, rounded up; zero for a negative duration.
    var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let perMillisecond: Int64 = 1_000_000_000_000_000
        return UInt64(seconds) * 1000 + UInt64((attoseconds + perMillisecond - 1) / perMillisecond)
    }
}
