// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// One request, ready to be sent to any node.
struct HTTPCall: Sendable {
    var method: HTTPMethod
    /// Path and query, percent-encoded.
    var target: String
    var body: Data?
}

/// Sends one attempt and says what came of it. It never retries by itself.
struct HTTPTransport: Sendable {
    private let client: HTTPClient
    private let answerLimit: Int

    init(_ configuration: CoordinatorClient.Configuration) {
        var settings = HTTPClient.Configuration()
        settings.redirectConfiguration = .disallow
        settings.timeout.connect = TimeAmount(configuration.connectTimeout)
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.connectionsPerNode
        // A node that is down is this client's to notice: the pool would go on dialling it until the connect timeout.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.httpVersion = .http1Only
        self.client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        self.answerLimit = configuration.answerLimit
    }

    func send(_ call: HTTPCall, to address: CoordinatorClient.Address, timeout: Duration) async -> AttemptResult {
        var request = HTTPClientRequest(url: "http://\(address)\(call.target)")
        request.method = call.method
        request.headers.add(name: "Accept", value: "application/json, application/problem+json")
        if let body = call.body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            let response = try await self.client.execute(request, deadline: .now() + TimeAmount(timeout))
            let body = try await response.body.collect(upTo: self.answerLimit)
            return .answered(
                status: Int(response.status.code), body: Data(body.readableBytesView),
                retryAfterSeconds: response.headers.first(name: "Retry-After").flatMap { Int($0) }.map { max(0, $0) })
        } catch {
            let reason = "\(address): \(Self.sentence(for: error))"
            return Self.isBeforeSending(error) ? .notSent(reason: reason) : .broken(reason: reason)
        }
    }

    /// What came of a request whose answer is too large to be held.
    enum StreamResult {
        /// All of it came, so many bytes; with the answer's headers.
        case streamed(UInt64, header: (String) -> String?)
        case refused(AttemptResult)
    }

    /// Asks for an answer that is handed on piece by piece as it comes.
    /// - Throws: what `consume` throws; a ``CoordinatorClientError`` if the answer breaks off.
    func stream(
        _ target: String, from address: CoordinatorClient.Address, timeout: Duration,
        _ consume: ([UInt8]) throws -> Void
    ) async throws -> StreamResult {
        let request = HTTPClientRequest(url: "http://\(address)\(target)")
        let response: HTTPClientResponse
        do {
            response = try await self.client.execute(request, deadline: .now() + TimeAmount(timeout))
        } catch {
            return .refused(.notSent(reason: "\(address): \(Self.sentence(for: error))"))
        }
        guard response.status == .ok else {
            let body = try? await response.body.collect(upTo: self.answerLimit)
            return .refused(
                .answered(
                    status: Int(response.status.code), body: Data(body.map { Array($0.readableBytesView) } ?? []),
                    retryAfterSeconds: nil))
        }
        var length: UInt64 = 0
        var pieces = response.body.makeAsyncIterator()
        while true {
            let piece: ByteBuffer?
            do {
                piece = try await pieces.next()
            } catch {
                throw CoordinatorClientError(
                    .unavailable, "\(address) broke off after \(length) bytes: \(Self.sentence(for: error))", gid: nil)
            }
            guard let piece else { break }
            length += UInt64(piece.readableBytes)
            try consume(Array(piece.readableBytesView))
        }
        let headers = response.headers
        return .streamed(length) { headers.first(name: $0) }
    }

    func shutdown() async {
        // The only error is "already shut down", which is what the caller wants.
        try? await self.client.shutdown()
    }

    /// Whether the error says that no connection was made. In doubt it says no: then the request may have been sent.
    private static func isBeforeSending(_ error: any Error) -> Bool {
        if error is NIOConnectionError { return true }
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED }
        guard let error = error as? HTTPClientError else { return false }
        return [.connectTimeout, .getConnectionFromPoolTimeout, .alreadyShutdown, .invalidURL, .emptyHost].contains(
            error)
    }

    private static func sentence(for error: any Error) -> String {
        switch error {
        case is NIOConnectionError: "no connection"
        case let error as HTTPClientError where error == .connectTimeout: "no connection in time"
        case let error as HTTPClientError where error == .deadlineExceeded: "no answer in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed: "connection closed before the answer"
        case let error as IOError: String(cString: strerror(error.errnoCode)).lowercased()
        case let error: "\(error)"
        }
    }
}
