// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What one attempt at one node came to.
enum AttemptResult: Sendable {
    /// The node answered.
    case answered(status: Int, body: Data, retryAfterSeconds: Int?)
    /// No connection was made, so nothing was sent.
    case notSent(reason: String)
    /// The request was sent, perhaps in part, and no whole answer came.
    case broken(reason: String)
}

/// What an attempt's result means for the call.
enum Judgement: Sendable {
    /// This is the answer.
    case success(Data)
    /// The node refuses for good; another one would too.
    case refusal(code: CoordinatorClientError.Code, detail: String, problem: Problem?)
    /// Worth trying again: the same request, with the same gid.
    /// - `mayBeRecorded`: this attempt may have taken effect.
    /// - `busy`: the node is there, and refused because it has too much to do.
    case retry(detail: String, problem: Problem?, after: Duration?, mayBeRecorded: Bool, busy: Bool)

    /// Only a node's own word makes "certainly not recorded" out of a 503 or 429: a proxy that stands between may say
    /// the same about a request that it has passed on.
    init(_ result: AttemptResult) {
        switch result {
        case .notSent(let reason):
            self = .retry(detail: reason, problem: nil, after: nil, mayBeRecorded: false, busy: false)
        case .broken(let reason):
            self = .retry(detail: reason, problem: nil, after: nil, mayBeRecorded: true, busy: false)
        case .answered(let status, let body, let retryAfterSeconds):
            if (200..<300).contains(status) {
                self = .success(body)
                return
            }
            let problem = try? JSONDecoder().decode(Problem.self, from: body)
            let detail = problem?.detail ?? "answered with status \(status)"
            if status == 429 || status >= 500 {
                let asked = problem?.retryAfterMilliseconds.map { Duration.milliseconds($0) }
                let after = asked ?? retryAfterSeconds.map { Duration.seconds($0) }
                let isRefusal = problem?.code == "no-leader" || problem?.code == "overloaded"
                self = .retry(
                    detail: detail, problem: problem, after: after, mayBeRecorded: !isRefusal,
                    busy: problem?.code == "overloaded")
            } else {
                self = .refusal(code: Self.code(of: problem, status: status), detail: detail, problem: problem)
            }
        }
    }

    private static func code(of problem: Problem?, status: Int) -> CoordinatorClientError.Code {
        switch problem?.code {
        case "gid-conflict"?: .conflict
        case "already-decided"?: .alreadyDecided
        case "not-open"?: .notOpen
        case "not-possible"?: .notPossible
        case "not-found"?: .notFound
        case "forgotten"?: .forgotten
        case "held"?: .held
        case "target-not-allowed"?: .targetNotAllowed
        case "body-too-large"?: .tooLarge
        case "malformed-json"?, "invalid-request"?: .invalidRequest
        case _: .unexpectedAnswer
        }
    }
}
