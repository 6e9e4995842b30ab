// SPDX-License-Identifier: Apache-2.0

/// Why a call of the client ended without its answer.
public struct CoordinatorClientError: Error, Hashable, Sendable {
    /// The kinds of errors. New ones may come, so a `switch` over them needs a last case for the unknown.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's name.
        public let description: String

        /// No node took the request in time. It is certainly not recorded.
        public static let unavailable = Code(description: "unavailable")
        /// The request was sent and no answer came in time: perhaps it is recorded. `gid` names the transaction;
        /// reading it, or the same call with the same gid, tells.
        public static let outcomeUnknown = Code(description: "outcome-unknown")
        /// The gid (or the branch's id) is taken by other content.
        public static let conflict = Code(description: "conflict")
        /// The transaction was decided the other way.
        public static let alreadyDecided = Code(description: "already-decided")
        /// The transaction takes no more branches.
        public static let notOpen = Code(description: "not-open")
        /// The cluster can't do what an operator wants of it now; nothing was changed.
        public static let notPossible = Code(description: "not-possible")
        /// The request is wrong; `pointer` names the field if it is one.
        public static let invalidRequest = Code(description: "invalid-request")
        /// No such transaction.
        public static let notFound = Code(description: "not-found")
        /// The gid is not known, and may have been before the cluster was restored from a backup.
        public static let forgotten = Code(description: "forgotten")
        /// The transaction was undecided at the backup that the cluster was restored from; an operator must lift the mark.
        public static let held = Code(description: "held")
        /// A branch's URL is not among the targets that the cluster may call.
        public static let targetNotAllowed = Code(description: "target-not-allowed")
        /// The request is larger than the node takes.
        public static let tooLarge = Code(description: "too-large")
        /// Every node refused for too much work until the time was over. Certainly not recorded.
        public static let overloaded = Code(description: "overloaded")
        /// What answered doesn't speak this API, or another version of it.
        public static let unexpectedAnswer = Code(description: "unexpected-answer")
        /// The caller's task was cancelled. For a call that changes something: perhaps it is recorded.
        public static let cancelled = Code(description: "cancelled")
        /// The client was shut down.
        public static let closed = Code(description: "closed")
    }

    /// The kind of error.
    public let code: Code
    /// What happened, for people.
    public let detail: String
    /// The transaction that the call was about. It is known even if the caller left it to the client to make one.
    public let gid: String?
    /// What the last node that answered said.
    public let problem: Problem?

    /// The field that is wrong, as a JSON pointer.
    public var pointer: String? { self.problem?.pointer }

    init(_ code: Code, _ detail: String, gid: String?, problem: Problem? = nil) {
        self.code = code
        self.detail = detail
        self.gid = gid
        self.problem = problem
    }
}

extension CoordinatorClientError: CustomStringConvertible {
    /// One line with all of it.
    public var description: String {
        let place = self.pointer.map { " at \($0)" } ?? ""
        let transaction = self.gid.map { " (gid \($0))" } ?? ""
        return "\(self.code)\(place): \(self.detail)\(transaction)"
    }
}
