// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// What goes back to the caller.
enum Delivery: Sendable {
    case answer(LedgerAnswer)
    /// Bytes that are no HTTP, and then the end of the connection.
    case garbage
    /// The end of the connection without a word.
    case hangUp
}

/// One HTTP answer. Its `Content-Length` is among the headers.
struct LedgerAnswer: Sendable {
    let status: HTTPResponseStatus
    let headers: HTTPHeaders
    let body: ByteBuffer

    init(
        status: HTTPResponseStatus, contentType: String, body: ByteBuffer,
        additionalHeaders: KeyValuePairs<String, String> = [:]
    ) {
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: contentType)
        headers.add(name: "Content-Length", value: String(body.readableBytes))
        for (name, value) in additionalHeaders { headers.add(name: name, value: value) }
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A branch call that succeeded.
    static let done = LedgerAnswer(status: .ok, contentType: "application/json", body: ByteBuffer(string: "{}"))

    static func json(_ value: some Encodable) -> LedgerAnswer {
        LedgerAnswer(status: .ok, contentType: "application/json", body: Self.encoded(value))
    }

    /// Problem details as of RFC 9457.
    static func problem(
        _ status: HTTPResponseStatus, _ code: String, _ detail: String,
        additionalHeaders: KeyValuePairs<String, String> = [:]
    ) -> LedgerAnswer {
        let problem = LedgerProblem(
            type: "urn:verdict:ledger:problem:\(code)", title: status.reasonPhrase, status: Int(status.code),
            code: code, detail: detail)
        return LedgerAnswer(
            status: status, contentType: "application/problem+json", body: Self.encoded(problem),
            additionalHeaders: additionalHeaders)
    }

    private static func encoded(_ value: some Encodable) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Our own values have no number that JSON can't write, which is all that could fail.
        return (try? encoder.encodeAsByteBuffer(value, allocator: ByteBufferAllocator())) ?? ByteBuffer(string: "{}")
    }
}

private struct LedgerProblem: Encodable {
    let type: String
    let title: String
    let status: Int
    let code: String
    let detail: String
}

/// The answer to GET /sum.
struct SumBody: Encodable {
    let bank: String
    let accounts: Int64
    let balance: Int64
    let held: Int64
    let sum: Int64

    init(_ bank: String, _ total: BankTotal) {
        self.bank = bank
        self.accounts = total.accounts
        self.balance = total.balance
        self.held = total.held
        self.sum = total.sum
    }
}

/// The answer to GET /accounts.
struct AccountsAnswer: Encodable {
    let bank: String
    let accounts: [Account]
    /// The last id of a full page: what `after` must be for the next one.
    let next: String?

    init(_ bank: String, _ accounts: [Account], isFull: Bool) {
        self.bank = bank
        self.accounts = accounts
        self.next = isFull ? accounts.last?.id : nil
    }
}
