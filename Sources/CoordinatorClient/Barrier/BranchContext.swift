// SPDX-License-Identifier: Apache-2.0

/// What a participant may be called for. The coordinator names it in the header `Verdict-Operation`.
public enum BranchOperation: String, Hashable, Sendable, Codable, CaseIterable {
    /// Saga: do the step.
    case action
    /// Saga: undo the step.
    case compensate
    /// TCC: reserve.
    case `try`
    /// TCC: make the reservation final.
    case confirm
    /// TCC: give the reservation back.
    case cancel
}

/// What a participant answers to a call: 2xx is success, 409 is failure. Anything else means "not known", and the call
/// is repeated.
public enum BranchVerdict: Hashable, Sendable {
    /// Done, now or by an earlier call.
    case success
    /// The participant's own no. To an action or a try it counts; a confirm, cancel or compensate is called again.
    case failure(reason: String)
}

/// Which call of which branch this is: the key of the barrier's row.
public struct BranchContext: Hashable, Sendable {
    /// The transaction's id.
    public var gid: String
    /// The branch's id within its transaction.
    public var branch: String
    /// What the participant is called for.
    public var operation: BranchOperation

    /// The headers that carry the three.
    public static let headerNames = (gid: "Verdict-Gid", branch: "Verdict-Branch", operation: "Verdict-Operation")

    /// A call from its parts.
    public init(gid: String, branch: String, operation: BranchOperation) {
        self.gid = gid
        self.branch = branch
        self.operation = operation
    }

    /// Reads a call from a request's headers.
    /// - Parameter values: all values of the header with this name, whatever its case.
    /// - Throws: an error that names the header that is missing, given twice with different values, or not valid.
    public init(values: (_ name: String) -> [String]) throws(BranchContextError) {
        self.gid = try Self.single(Self.headerNames.gid, longest: 128, values)
        self.branch = try Self.single(Self.headerNames.branch, longest: 64, values)
        let name = try Self.single(Self.headerNames.operation, longest: 64, values)
        guard let operation = BranchOperation(rawValue: name) else {
            let known = BranchOperation.allCases.map(\.rawValue).joined(separator: ", ")
            throw BranchContextError(header: Self.headerNames.operation, detail: "is none of \(known)")
        }
        self.operation = operation
    }

    private static func single(
        _ name: String, longest: Int, _ values: (String) -> [String]
    ) throws(BranchContextError) -> String {
        let given = values(name)
        guard let value = given.first else { throw BranchContextError(header: name, detail: "is missing") }
        guard given.allSatisfy({ $0 == value }) else {
            throw BranchContextError(header: name, detail: "is given \(given.count) times with different values")
        }
        guard (1...longest).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw BranchContextError(header: name, detail: "is not 1 to \(longest) bytes of printable ASCII")
        }
        return value
    }
}

/// A request that doesn't say which branch call it is.
public struct BranchContextError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The header that is wrong.
    public let header: String
    /// What is wrong with it.
    public let detail: String

    /// One sentence.
    public var description: String { "the header \(self.header) \(self.detail)" }
}
