// SPDX-License-Identifier: Apache-2.0

/// What a participant can be asked to do. The raw value is its byte in the log, and gives the order of targets.
package enum Operation: UInt8, CaseIterable, Hashable, Sendable {
    /// A saga's step.
    case action = 1
    /// Undoes a saga's step.
    case compensate = 2
    /// TCC: reserve.
    case `try` = 3
    /// TCC: make the reservation good.
    case confirm = 4
    /// TCC: give the reservation back.
    case cancel = 5

    /// The word for it in the API, in headers and in messages.
    package var name: String {
        switch self {
        case .action: "action"
        case .compensate: "compensate"
        case .try: "try"
        case .confirm: "confirm"
        case .cancel: "cancel"
        }
    }

    /// Whether a participant may refuse it and so bring the transaction down: true before the decision only.
    package var isRefusable: Bool {
        switch self {
        case .action, .try: true
        case .compensate, .confirm, .cancel: false
        }
    }
}

/// Where to call for one operation.
package struct Target: Hashable, Sendable {
    package let operation: Operation
    /// An absolute http or https URL of at most `Limits.urlLength` bytes.
    package let url: String

    package init(operation: Operation, url: String) {
        self.operation = operation
        self.url = url
    }
}

/// A header that every call of a branch carries.
package struct Header: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// What a client says of one branch. Held in canonical order, so that equal contents are equal values and equal bytes.
package struct BranchSpec: Hashable, Sendable {
    package let id: BranchID
    /// Ascending by operation.
    package let targets: [Target]
    /// Ascending by name in lower case, since neither HTTP nor JSON gives the order of headers a meaning.
    package let headers: [Header]
    /// The body of every call, as it is.
    package internal(set) var payload: Payload

    package init(id: BranchID, targets: [Target], headers: [Header] = [], payload: [UInt8] = []) {
        self.id = id
        self.targets = targets.sorted { $0.operation.rawValue < $1.operation.rawValue }
        self.headers = headers.count < 2 ? headers : headers.sorted(by: Self.isOrdered)
        self.payload = Payload(payload)
    }

    /// Takes what is already in canonical order; the decoder has checked that it is.
    init(id: BranchID, canonicalTargets: [Target], canonicalHeaders: [Header], payload: Payload) {
        self.id = id
        self.targets = canonicalTargets
        self.headers = canonicalHeaders
        self.payload = payload
    }

    package func url(for operation: Operation) -> String? {
        for target in self.targets where target.operation == operation { return target.url }
        return nil
    }

    /// The order of headers: by name in lower case, then by the exact bytes of name and value.
    static func isOrdered(_ lhs: Header, _ rhs: Header) -> Bool {
        let left = lhs.name.utf8.map(lowercased)
        let right = rhs.name.utf8.map(lowercased)
        if left != right { return left.lexicographicallyPrecedes(right) }
        if !lhs.name.utf8.elementsEqual(rhs.name.utf8) {
            return lhs.name.utf8.lexicographicallyPrecedes(rhs.name.utf8)
        }
        return lhs.value.utf8.lexicographicallyPrecedes(rhs.value.utf8)
    }
}

/// The lower case of an ASCII letter; any other byte stays.
func lowercased(_ byte: UInt8) -> UInt8 {
    (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
}

/// Where a branch stands. Whether a call is due is read from this alone, so that every leader finds the same calls.
package enum BranchState: UInt8, CaseIterable, Hashable, Sendable {
    /// Nothing has been asked of the participant by the coordinator. Next: acting, trying, confirming, cancelling; or it stays.
    case pending = 0
    /// The saga's action is due. Next: done, failed, unknown.
    case acting = 1
    /// The try is due. Next: done, failed, cancelling.
    case trying = 2
    /// The action or the try succeeded. Next: compensating, confirming, cancelling; or it stays.
    case done = 3
    /// The participant refused the action or the try. Next: compensating, cancelling.
    case failed = 4
    /// The decision came while the action was due: it may have been carried out. Next: compensating.
    case unknown = 5
    /// Next: compensated.
    case compensating = 6
    case compensated = 7
    /// Next: confirmed.
    case confirming = 8
    case confirmed = 9
    /// Next: cancelled.
    case cancelling = 10
    case cancelled = 11

    /// The call that is due in this state.
    package var dueOperation: Operation? {
        switch self {
        case .acting: .action
        case .trying: .try
        case .compensating: .compensate
        case .confirming: .confirm
        case .cancelling: .cancel
        case .pending, .done, .failed, .unknown, .compensated, .confirmed, .cancelled: nil
        }
    }

    /// The word for it in the API.
    package var name: String {
        switch self {
        case .pending: "pending"
        case .acting: "acting"
        case .trying: "trying"
        case .done: "done"
        case .failed: "failed"
        case .unknown: "unknown"
        case .compensating: "compensating"
        case .compensated: "compensated"
        case .confirming: "confirming"
        case .confirmed: "confirmed"
        case .cancelling: "cancelling"
        case .cancelled: "cancelled"
        }
    }
}

/// One participant's part in a transaction.
package struct Branch: Hashable, Sendable {
    package internal(set) var spec: BranchSpec
    package internal(set) var state: BranchState
    /// Calls made for the latest operation, as far as the log has been told of them.
    package internal(set) var attempts: UInt32
    /// Why the latest call of that operation didn't succeed; `nil` when it did. At most `Limits.textLength` bytes.
    package internal(set) var lastError: String?

    package init(spec: BranchSpec) {
        self.spec = spec
        self.state = .pending
        self.attempts = 0
        self.lastError = nil
    }

    package var id: BranchID { self.spec.id }

    /// Moves to a state in which a call is due: its attempts are counted anew.
    mutating func begin(_ state: BranchState) {
        self.state = state
        self.attempts = 0
        self.lastError = nil
    }
}

/// What a participant answered for certain.
package enum BranchVerdict: UInt8, Hashable, Sendable {
    case success = 1
    /// The participant's own "no".
    case failure = 2
}

/// One call that is due: what the executor is to do.
package struct BranchCall: Hashable, Sendable {
    package let gid: Gid
    package let branchID: BranchID
    package let operation: Operation
    package let url: String
    package let headers: [Header]
    /// Perhaps on the disk alone.
    package var payload: Payload
    /// Calls that were made for this operation before, as far as the log has been told of them.
    package let priorAttempts: UInt32

    package init(
        gid: Gid, branchID: BranchID, operation: Operation, url: String, headers: [Header], payload: Payload,
        priorAttempts: UInt32
    ) {
        self.gid = gid
        self.branchID = branchID
        self.operation = operation
        self.url = url
        self.headers = headers
        self.payload = payload
        self.priorAttempts = priorAttempts
    }
}
