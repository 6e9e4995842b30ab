// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// Carries one call to a participant and says what came back. HTTP is the first; a message broker fits behind it too.
package protocol BranchTransport: Sendable {
    /// Makes one call. It never fails: whatever goes wrong on the way is an answer, `unknown`.
    ///
    /// - Parameter whenDone: called exactly once, on any thread, perhaps before this method returns, and within a bounded
    ///   time, since the call holds a place in the executor's window until then.
    func call(_ request: BranchRequest, whenDone: @escaping @Sendable (BranchAnswer) -> Void)
}

/// One attempt at one branch call.
package struct BranchRequest: Sendable {
    package let call: BranchCall
    /// Counts the attempts at this operation of this branch from 1, over changes of leader as far as the log knows them.
    package let attempt: UInt32
    /// The term of the leader that calls: a hint by which a participant may refuse an old leader.
    package let term: UInt64

    package init(call: BranchCall, attempt: UInt32, term: UInt64) {
        self.call = call
        self.attempt = attempt
        self.term = term
    }
}

/// What one attempt came to.
package enum BranchAnswer: Hashable, Sendable {
    /// The participant did it (or had done it before).
    case success
    /// The participant's own "no". `detail` is what it said, shortened; empty if it said nothing.
    case failure(detail: String)
    /// Nobody knows whether the participant did it: the call is made again.
    case unknown(UnknownAnswer)

    /// Whether anything came back from the participant, or the call was not even tried.
    var isAnswered: Bool {
        switch self {
        case .success, .failure: true
        case .unknown(let unknown):
            switch unknown.kind {
            case .timeout, .unreachable, .connectionLost: false
            case .targetForbidden, .malformedAnswer, .status, .invalidRequest, .cancelled: true
            }
        }
    }
}

/// Why an attempt's outcome isn't known.
package struct UnknownAnswer: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// No whole answer within the time of a call.
        case timeout
        /// No connection came about: refused, unreachable, or the name is unknown.
        case unreachable
        /// The allow list forbids the target, by its name or by the address that the connection really had.
        case targetForbidden
        /// The connection broke before a whole answer was there.
        case connectionLost
        /// What came back is no answer of this protocol.
        case malformedAnswer
        /// An answer whose status is neither success nor failure; 3xx too, since a redirect is never followed.
        case status(Int)
        /// The request can't be sent as it stands: an address that is none, a header that HTTP forbids.
        case invalidRequest
        /// This node is stopping.
        case cancelled
    }

    package let kind: Kind
    /// One line for people and for the transaction's `last_error`; may quote the participant, so it isn't logged.
    package let detail: String
    /// How long the participant asked us to wait before the next attempt, in milliseconds.
    package let retryAfterMilliseconds: UInt64?

    package init(kind: Kind, detail: String, retryAfterMilliseconds: UInt64? = nil) {
        self.kind = kind
        self.detail = detail
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}

extension UnknownAnswer {
    /// The transaction has ended meanwhile, or its row can't be read now.
    static let payloadMissing = UnknownAnswer(kind: .cancelled, detail: "the payload can't be read now")
}

extension UnknownAnswer.Kind: CustomStringConvertible {
    /// The reason in words of ours alone, fit for a log.
    package var description: String {
        switch self {
        case .timeout: "timeout"
        case .unreachable: "unreachable"
        case .targetForbidden: "target forbidden"
        case .connectionLost: "connection lost"
        case .malformedAnswer: "malformed answer"
        case .status(let code): "status \(code)"
        case .invalidRequest: "invalid request"
        case .cancelled: "cancelled"
        }
    }
}
