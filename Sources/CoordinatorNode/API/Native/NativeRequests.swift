// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import StrictJSON
import Transactions

/// Reads the bodies of the native API's requests. Types and unknown fields are checked here; the rules of a transaction
/// are the domain's (`Submission.validate`), and where a branch may call is the allow list's.
enum NativeRequests {
    static let gidRule = "1 to 128 bytes of printable ASCII without spaces"
    static let branchIDRule = "1 to 64 bytes of printable ASCII without spaces"

    static let defaultTimeoutMilliseconds: UInt64 = 60_000
    static let waitMilliseconds: ClosedRange<UInt64> = 0...60_000

    private static let submissionFields = [
        "gid", "fresh", "protocol", "timeout_ms", "concurrent", "branches", "wait_ms",
    ]

    /// The operations and fields that a branch may have.
    private struct BranchShape {
        let operations: [Operation]
        let fields: [String]

        static let saga = BranchShape(operations: [.action, .compensate])
        static let tcc = BranchShape(operations: [.try, .confirm, .cancel])
        static let any = BranchShape(operations: Operation.allCases)

        init(of kind: TransactionKind) {
            switch kind {
            case .saga: self = .saga
            case .tcc: self = .tcc
            }
        }

        private init(operations: [Operation]) {
            self.operations = operations
            self.fields = ["id"] + operations.map(\.name) + ["headers", "payload"]
        }
    }

    /// A body that holds what a transaction begins with.
    struct Terms {
        let gid: Gid?
        /// The client says that it drew the gid for this very request.
        let isFresh: Bool
        let kind: TransactionKind
        let isConcurrent: Bool
        let timeoutMilliseconds: UInt64

        fileprivate init(_ object: JSONObject) throws(FieldError) {
            self.gid = try NativeRequests.gid(object.optional("gid"))
            self.isFresh = try object.optional("fresh")?.bool() ?? false
            self.kind = try NativeRequests.kind(object.required("protocol"))
            self.isConcurrent = try object.optional("concurrent")?.bool() ?? false
            self.timeoutMilliseconds =
                try object.optional("timeout_ms")?.integer(in: Limits.timeoutMilliseconds)
                ?? NativeRequests.defaultTimeoutMilliseconds
        }
    }

    /// `POST /v1/transactions`.
    static func submission(
        _ value: JSONValue
    ) throws(FieldError) -> (terms: Terms, branches: [BranchSpec], wait: Duration) {
        let object = try JSONObject(
            value, fields: Self.submissionFields)
        let terms = try Terms(object)
        let list = try object.required("branches").elements(count: 1...Limits.branches, named: "branches")
        var branches: [BranchSpec] = []
        branches.reserveCapacity(list.count)
        let shape = BranchShape(of: terms.kind)
        for (position, element) in list.enumerated() {
            branches.append(
                try Self.branch(JSONObject(element, fields: shape.fields), number: position + 1, shape: shape))
        }
        return (terms, branches, try Self.wait(object))
    }

    /// `POST /v1/transactions/begin`.
    static func beginning(_ value: JSONValue) throws(FieldError) -> Terms {
        try Terms(JSONObject(value, fields: ["gid", "fresh", "protocol", "timeout_ms", "concurrent"]))
    }

    /// `POST /v1/transactions/{gid}/branches`. The fields say which protocol the client has in mind; the machine knows
    /// the transaction's and refuses a branch of another.
    static func registration(_ value: JSONValue) throws(FieldError) -> (kind: TransactionKind, branch: BranchSpec) {
        let object = try JSONObject(value, fields: BranchShape.any.fields)
        let isTCC = BranchShape.tcc.operations.contains { object.optional($0.name) != nil }
        // An ordinal would be no id here: whoever repeats a registration must name the same branch again.
        _ = try object.required("id")
        return (isTCC ? .tcc : .saga, try Self.branch(object, number: nil, shape: .any))
    }

    /// `POST /v1/transactions/{gid}/commit`; the body may be empty.
    static func commit(_ value: JSONValue?) throws(FieldError) -> Duration {
        guard let value else { return .zero }
        return try Self.wait(JSONObject(value, fields: ["wait_ms"]))
    }

    /// `POST /v1/transactions/{gid}/abort`; the body may be empty.
    static func abort(_ value: JSONValue?) throws(FieldError) -> (reason: String?, wait: Duration) {
        guard let value else { return (nil, .zero) }
        let object = try JSONObject(value, fields: ["reason", "wait_ms"])
        return (try object.optional("reason").map(Self.reason), try Self.wait(object))
    }

    /// `POST /v1/cluster/transfer-leadership`; the body may be empty.
    static func transferTarget(_ value: JSONValue?) throws(FieldError) -> String? {
        guard let value else { return nil }
        guard let target = try JSONObject(value, fields: ["to"]).optional("to") else { return nil }
        let name = try target.string()
        guard (1...32).contains(name.utf8.count) else { throw target.error("expected the id of a node") }
        return name
    }

    // MARK: Fields

    private static func wait(_ object: JSONObject) throws(FieldError) -> Duration {
        .milliseconds(try object.optional("wait_ms")?.integer(in: Self.waitMilliseconds) ?? 0)
    }

    private static func gid(_ value: JSONValue?) throws(FieldError) -> Gid? {
        guard let value else { return nil }
        guard let gid = Gid(rawValue: try value.string()) else { throw value.error("expected \(Self.gidRule)") }
        return gid
    }

    private static func kind(_ value: JSONValue) throws(FieldError) -> TransactionKind {
        let name = try value.string()
        for kind in TransactionKind.allCases where kind.name.utf8.elementsEqual(name.utf8) { return kind }
        let names = TransactionKind.allCases.map { "“\($0.name)”" }.joined(separator: " or ")
        throw value.error("unknown protocol; expected \(names)")
    }

    /// A reason is shown to people in terminals, so it holds no control characters.
    private static func reason(_ value: JSONValue) throws(FieldError) -> String {
        let text = try value.string()
        let isPlain = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard isPlain, text.utf8.count <= Limits.textLength else {
            throw value.error("expected at most \(Limits.textLength) bytes without control characters")
        }
        return text
    }

    /// - Parameter number: the branch's place in the request, from 1: its id if it has none of its own.
    private static func branch(
        _ object: JSONObject, number: Int?, shape: BranchShape
    ) throws(FieldError) -> BranchSpec {
        let id: BranchID?
        if let value = object.optional("id") {
            id = BranchID(rawValue: try value.string())
            guard id != nil else { throw value.error("expected \(Self.branchIDRule)") }
        } else {
            id = number.flatMap { BranchID(rawValue: String($0)) }
        }
        guard let id else { throw object.missing("id") }
        var targets: [Target] = []
        targets.reserveCapacity(shape.operations.count)
        for operation in shape.operations {
            guard let value = object.optional(operation.name) else { continue }
            targets.append(Target(operation: operation, url: try value.string()))
        }
        let headers = try object.optional("headers").map(Self.headers) ?? []
        let payload = object.optional("payload").map { $0.isNull ? [] : Array($0.bytes) } ?? []
        return BranchSpec(id: id, targets: targets, headers: headers, payload: payload)
    }

    private static func headers(_ value: JSONValue) throws(FieldError) -> [Header] {
        var headers: [Header] = []
        for (key, value) in try value.members() {
            headers.append(Header(name: key.text, value: try value.string()))
        }
        return headers
    }
}
