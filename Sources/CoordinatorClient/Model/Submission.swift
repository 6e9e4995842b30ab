// SPDX-License-Identifier: Apache-2.0

/// A whole transaction in one request.
public struct Submission: Hashable, Sendable, Codable {
    /// The transaction's id, 1 to 128 bytes of printable ASCII. `nil`: the client makes one before its first attempt.
    public var gid: String?
    /// How the outcome is reached.
    public var `protocol`: TransactionProtocol
    /// Milliseconds until an undecided transaction is aborted, 1 to 86,400,000. `nil`: 60,000.
    public var timeoutMilliseconds: Int?
    /// A saga's actions are all called at once instead of one after the other. `nil`: one after the other.
    public var concurrent: Bool?
    /// 1 to 256 branches.
    public var branches: [BranchRequest]

    /// A transaction of these branches.
    public init(
        gid: String? = nil, protocol: TransactionProtocol, timeoutMilliseconds: Int? = nil, concurrent: Bool? = nil,
        branches: [BranchRequest]
    ) {
        self.gid = gid
        self.protocol = `protocol`
        self.timeoutMilliseconds = timeoutMilliseconds
        self.concurrent = concurrent
        self.branches = branches
    }

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case gid, `protocol`, concurrent, branches
        /// `timeoutMilliseconds`.
        case timeoutMilliseconds = "timeout_ms"
    }
}

/// One participant's part in a transaction: the URLs to call, and what to send there.
public struct BranchRequest: Hashable, Sendable, Codable {
    /// 1 to 64 bytes of printable ASCII, unique in its transaction. `nil`: its ordinal, "1" for the first.
    public var id: String?
    /// Saga: the URL that does the step.
    public var action: String?
    /// Saga: the URL that undoes the step.
    public var compensate: String?
    /// TCC: the URL that reserves. Not given for a branch that is registered on a begun transaction: there the
    /// application makes the try itself, after registering.
    public var `try`: String?
    /// TCC: the URL that makes the reservation final.
    public var confirm: String?
    /// TCC: the URL that gives the reservation back.
    public var cancel: String?
    /// Headers to send with every call of this branch. `nil`: none.
    public var headers: [String: String]?
    /// The body to send with every call of this branch. `nil`: an empty body.
    public var payload: JSONValue?

    /// A step of a saga.
    public static func saga(
        id: String? = nil, action: String, compensate: String, headers: [String: String]? = nil,
        payload: JSONValue? = nil
    ) -> BranchRequest {
        var branch = BranchRequest(id: id, headers: headers, payload: payload)
        branch.action = action
        branch.compensate = compensate
        return branch
    }

    /// A branch of a TCC transaction; without `try` for one that is registered on a begun transaction.
    public static func tcc(
        id: String? = nil, try: String? = nil, confirm: String, cancel: String, headers: [String: String]? = nil,
        payload: JSONValue? = nil
    ) -> BranchRequest {
        var branch = BranchRequest(id: id, headers: headers, payload: payload)
        branch.try = `try`
        branch.confirm = confirm
        branch.cancel = cancel
        return branch
    }

    private init(id: String?, headers: [String: String]?, payload: JSONValue?) {
        self.id = id
        self.headers = headers
        self.payload = payload
    }
}

/// Opens a transaction whose branches are registered one by one.
public struct Opening: Hashable, Sendable, Codable {
    /// The transaction's id, 1 to 128 bytes of printable ASCII. `nil`: the client makes one before its first attempt.
    public var gid: String?
    /// How the outcome is reached.
    public var `protocol`: TransactionProtocol
    /// Milliseconds until an undecided transaction is aborted, 1 to 86,400,000. `nil`: 60,000.
    public var timeoutMilliseconds: Int?
    /// A saga's actions are all called at once when it is committed. `nil`: one after the other.
    public var concurrent: Bool?

    /// A transaction without branches yet.
    public init(
        gid: String? = nil, protocol: TransactionProtocol, timeoutMilliseconds: Int? = nil, concurrent: Bool? = nil
    ) {
        self.gid = gid
        self.protocol = `protocol`
        self.timeoutMilliseconds = timeoutMilliseconds
        self.concurrent = concurrent
    }

    /// The fields' names on the wire.
    public enum CodingKeys: String, CodingKey {
        /// See the properties of the same names.
        case gid, `protocol`, concurrent
        /// `timeoutMilliseconds`.
        case timeoutMilliseconds = "timeout_ms"
    }
}
