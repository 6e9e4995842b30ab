// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import NIOHTTP1

/// What a request's method and path ask for.
enum LedgerRoute: Hashable, Sendable {
    case branch(Movement.Direction, BranchOperation)
    case account(id: String)
    case putAccount(id: String)
    /// `after` and `limit` as the query gives them.
    case accounts(after: String?, limit: String?)
    case createAccounts
    case sum
    case faults
    case setFaults
    case health
    case methodNotAllowed(allowed: String)
    case unknown

    private static let branches: [Substring: LedgerRoute] = [
        "/tcc/debit/try": .branch(.debit, .try), "/tcc/debit/confirm": .branch(.debit, .confirm),
        "/tcc/debit/cancel": .branch(.debit, .cancel), "/tcc/credit/try": .branch(.credit, .try),
        "/tcc/credit/confirm": .branch(.credit, .confirm), "/tcc/credit/cancel": .branch(.credit, .cancel),
        "/saga/debit": .branch(.debit, .action), "/saga/debit/compensate": .branch(.debit, .compensate),
        "/saga/credit": .branch(.credit, .action), "/saga/credit/compensate": .branch(.credit, .compensate),
    ]

    /// - Parameter uri: the request's target: a path, perhaps with a query.
    init(method: HTTPMethod, uri: String) {
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0]
        if let branch = Self.branches[path] {
            self = method == .POST ? branch : .methodNotAllowed(allowed: "POST")
            return
        }
        switch (path, method) {
        case ("/accounts", .GET):
            let query = Self.query(parts.dropFirst().first ?? "")
            self = .accounts(after: query["after"], limit: query["limit"])
        case ("/accounts", .POST): self = .createAccounts
        case ("/sum", .GET): self = .sum
        case ("/faults", .GET): self = .faults
        case ("/faults", .POST): self = .setFaults
        case ("/healthz", .GET): self = .health
        case ("/accounts", _), ("/faults", _): self = .methodNotAllowed(allowed: "GET, POST")
        case ("/sum", _), ("/healthz", _): self = .methodNotAllowed(allowed: "GET")
        case _: self = Self.accountRoute(method: method, path: path)
        }
    }

    private static func accountRoute(method: HTTPMethod, path: Substring) -> LedgerRoute {
        let prefix = "/accounts/"
        guard path.hasPrefix(prefix), let id = path.dropFirst(prefix.count).removingPercentEncoding else {
            return .unknown
        }
        switch method {
        case .GET: return .account(id: id)
        case .PUT: return .putAccount(id: id)
        case _: return .methodNotAllowed(allowed: "GET, PUT")
        }
    }

    private static func query(_ text: Substring) -> [String: String] {
        var values: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(parts[0])] = parts.count == 2 ? parts[1].removingPercentEncoding : ""
        }
        return values
    }
}
