// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

extension Request {
    /// How long the body says that it is, once its declared type and length are found right; `limit` if it doesn't say.
    /// - Parameter limit: bytes of the longest body.
    func declaredBodyBytes(limit: Int) throws(Problem) -> Int {
        try self.checkMediaType()
        guard let declared = self.headers[.contentLength] else {
            return self.headers[.transferEncoding] == nil ? 0 : limit
        }
        guard let length = Int(declared), length <= limit else { throw Self.tooLarge(limit) }
        return length
    }

    /// The whole body.
    /// - Parameter limit: bytes of the longest body.
    func jsonBytes(limit: Int) async throws(Problem) -> [UInt8] {
        do {
            var buffer = try await self.body.collect(upTo: limit)
            return buffer.readBytes(length: buffer.readableBytes) ?? []
        } catch is NIOTooManyBytesError {
            throw Self.tooLarge(limit)
        } catch {
            // The connection broke inside the body; nobody is there to read this.
            throw Problem(.invalidRequest, "The body broke off.")
        }
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem(.bodyTooLarge, "The body is longer than \(limit) bytes.")
    }

    private func checkMediaType() throws(Problem) {
        if let coding = self.headers[.contentEncoding], coding.lowercased() != "identity" {
            throw Problem(.unsupportedMediaType, "Send the body without Content-Encoding.")
        }
        guard let type = self.headers[.contentType], type != "application/json" else { return }
        let parts = type.split(separator: ";").map { Self.trimmed($0).lowercased() }
        guard parts.first == "application/json" else {
            throw Problem(.unsupportedMediaType, "Send the body as application/json.")
        }
        for parameter in parts.dropFirst() where parameter.hasPrefix("charset=") {
            guard ["charset=utf-8", "charset=\"utf-8\""].contains(parameter) else {
                throw Problem(.unsupportedMediaType, "Send the body in UTF-8.")
            }
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0 == " " || $0 == "\t" }
        guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start.prefix(0) }
        return start[...end]
    }
}
