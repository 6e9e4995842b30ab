// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// A request with all of its body.
struct LedgerRequest: Sendable {
    var head: HTTPRequestHead
    var body: ByteBuffer
}

/// A request that the bank can't take. Answered 400 with the sentence.
enum LedgerRequestError: Error, Hashable, CustomStringConvertible {
    case unknownField(String)
    case malformed(String)
    case invalid(String)

    var description: String {
        switch self {
        case .unknownField(let name): "there is no field \(name)"
        case .malformed(let detail): "the body isn't the JSON that is expected: \(detail)"
        case .invalid(let detail): detail
        }
    }

    /// What the decoder found, as one sentence that names the field.
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, _): self = .malformed("\(key.stringValue) is missing")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            let field = context.codingPath.map(\.stringValue).joined(separator: "/")
            self = .malformed("\(field.isEmpty ? "the value" : field) has another type")
        case .dataCorrupted(let context):
            let field = context.codingPath.map(\.stringValue).joined(separator: "/")
            self = .malformed(field.isEmpty ? "not JSON" : "\(field) is not valid")
        @unknown default: self = .malformed("\(error)")
        }
    }
}

extension ByteBuffer {
    /// The deepest nesting of a body that is read.
    private static let depthLimit = 8

    /// The body's JSON as a value.
    func decoded<Body: Decodable>(as _: Body.Type) throws(LedgerRequestError) -> Body {
        guard self.readableBytes > 0 else { throw .malformed("the body is empty") }
        guard self.nesting <= Self.depthLimit else { throw .malformed("it is nested too deep") }
        do {
            return try JSONDecoder().decode(Body.self, from: self)
        } catch let error as LedgerRequestError {
            throw error
        } catch let error as DecodingError {
            throw LedgerRequestError(error)
        } catch {
            throw .malformed("\(error)")
        }
    }

    /// How deep brackets nest outside of strings. Foundation's decoder calls itself for each level.
    private var nesting: Int {
        var (depth, deepest, isString, isEscaped) = (0, 0, false, false)
        for byte in self.readableBytesView {
            if isString {
                isString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isString = true
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case _: break
            }
        }
        return deepest
    }
}

/// The payload of a branch call. Further fields don't matter.
struct MovementBody: Decodable {
    let account: String
    let amount: Int64

    func movement(_ direction: Movement.Direction) throws(LedgerRequestError) -> Movement {
        try requireAccountID(self.account)
        guard (1...Movement.largestAmount).contains(self.amount) else {
            throw .invalid("amount is \(self.amount); it is whole cents, 1 to \(Movement.largestAmount)")
        }
        return Movement(direction, account: self.account, amount: self.amount)
    }
}

/// The payload of PUT /accounts/ID.
struct BalanceBody: Decodable {
    let balance: Int64
}

/// The payload of POST /accounts.
struct AccountsBody: Decodable {
    let prefix: String
    let count: Int64
    let balance: Int64

    func command() throws(LedgerRequestError) -> LedgerCommand {
        try requireAccountID(self.prefix + "\(self.count)")
        guard (1...100_000).contains(self.count) else { throw .invalid("count is \(self.count); it is 1 to 100000") }
        try requireBalance(self.balance)
        return .createAccounts(prefix: self.prefix, count: self.count, balance: self.balance, overwrites: true)
    }
}

func requireAccountID(_ id: String) throws(LedgerRequestError) {
    guard (1...64).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
        throw .invalid("an account's id is 1 to 64 bytes of printable ASCII")
    }
}

func requireBalance(_ balance: Int64) throws(LedgerRequestError) {
    guard (0...Movement.largestAmount).contains(balance) else {
        throw .invalid("balance is \(balance); it is whole cents, 0 to \(Movement.largestAmount)")
    }
}
