// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CoordinatorClient
import Foundation
import LedgerService
import Logging
import NIOCore
import NIOHTTP1

/// A folder of its own, removed at the end.
final class TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        self.url = FileManager.default.temporaryDirectory.appending(path: "ledger-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.url, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(at: self.url) }

    var database: String { self.url.appending(path: "bank.db").path }
}

/// What a bank answered.
struct BankAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    /// `nil` if it is no JSON.
    let json: JSONValue?

    subscript(field: String) -> JSONValue? {
        guard case .object(let fields) = self.json else { return nil }
        return fields[field]
    }

    var detail: String {
        guard case .string(let text) = self["detail"] else { return "" }
        return text
    }
}

/// Speaks to a bank over HTTP, as a coordinator and a person do.
struct BankClient: Sendable {
    let address: ListenAddress

    func send(
        _ method: HTTPMethod, _ path: String, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> BankAnswer {
        var request = HTTPClientRequest(url: "http://\(self.address)\(path)")
        request.method = method
        request.headers = HTTPHeaders(headers)
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return BankAnswer(
            status: Int(response.status.code), headers: response.headers,
            json: try? JSONDecoder().decode(JSONValue.self, from: Data(bytes.readableBytesView)))
    }

    /// One branch call; the path says which operation.
    func call(
        _ path: String, gid: String = "g", branch: String = "b", account: String = "a0", amount: Int64 = 100
    ) async throws -> BankAnswer {
        try await self.send(
            .POST, path,
            headers: [
                ("Verdict-Gid", gid), ("Verdict-Branch", branch), ("Verdict-Operation", Self.operation(of: path)),
            ],
            body: #"{"account":"\#(account)","amount":\#(amount)}"#)
    }

    private static func operation(of path: String) -> String {
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        return path.hasPrefix("/saga/") && last != "compensate" ? "action" : last
    }

    func account(_ id: String) async throws -> [Int64] {
        let answer = try await self.send(.GET, "/accounts/\(id)")
        guard case .integer(let balance) = answer["balance"], case .integer(let held) = answer["held"] else {
            return []
        }
        return [balance, held]
    }

    func setFaults(_ json: String) async throws {
        let answer = try await self.send(.POST, "/faults", body: json)
        guard answer.status == 200 else { throw FixtureError(description: "faults refused: \(answer)") }
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

struct FixtureError: Error, CustomStringConvertible {
    let description: String
}

/// A bank in this process with accounts `a0` to `a2` of 1,000 cents each, for the time of `body`.
func withBank(
    database: String? = nil, isInstant: Bool = false, accounts: Int64 = 3, faults: FaultSettings = FaultSettings(),
    _ body: (BankClient, LedgerServer) async throws -> Void
) async throws {
    let folder = try TemporaryFolder()
    let settings = LedgerServer.Settings(
        name: "A", database: isInstant ? nil : database ?? folder.database, accounts: isInstant ? 0 : accounts,
        balance: 1000, faults: faults)
    let server = try await LedgerServer.start(settings, logger: .silent)
    do {
        try await body(BankClient(address: server.address), server)
    } catch {
        await server.stop()
        throw error
    }
    await server.stop()
}

/// Asks until it is so, at most a minute.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        await Task.yield()
    }
    throw FixtureError(description: "it never came that \(what)")
}
