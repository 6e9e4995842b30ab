// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// One participant's answer as far as it has come: its status, and the beginning of what it says when that isn't success.
struct HTTPAnswer {
    private var status: HTTPResponseStatus?
    private var retryAfterMilliseconds: UInt64?
    private var bodyBytes = 0
    private var beginning: [UInt8] = []
    /// Bytes of the answer that are quoted to people.
    private static let quotedBytes = 200

    var hasBegun: Bool { self.status != nil }

    private var meaning: BranchVerdictTable.Meaning? {
        self.status.map { BranchVerdictTable.meaning(ofStatus: Int($0.code)) }
    }

    mutating func begin(_ head: HTTPResponseHead) {
        self.status = head.status
        guard self.meaning != .success else { return }
        self.retryAfterMilliseconds = head.headers.first(name: "Retry-After")
            .flatMap(BranchVerdictTable.retryAfterMilliseconds)
    }

    /// - Returns: whether the body so far is within the limit.
    mutating func append(_ part: ByteBuffer, limit: Int) -> Bool {
        self.bodyBytes += part.readableBytes
        if self.meaning != .success, self.beginning.count < Self.quotedBytes {
            self.beginning += part.readableBytesView.prefix(Self.quotedBytes - self.beginning.count)
        }
        return self.bodyBytes <= limit
    }

    /// What has been read means this: the status decides, the rest is for people.
    var verdict: BranchAnswer {
        guard let status = self.status, let meaning = self.meaning else {
            return .unknown(UnknownAnswer(kind: .malformedAnswer, detail: "the answer has no status"))
        }
        switch meaning {
        case .success: return .success
        case .failure: return .failure(detail: Self.quote(self.beginning))
        case .unknown:
            let quoted = Self.quote(self.beginning)
            return .unknown(
                UnknownAnswer(
                    kind: .status(Int(status.code)),
                    detail: "status \(status.code)" + (quoted.isEmpty ? "" : ": \(quoted)"),
                    retryAfterMilliseconds: self.retryAfterMilliseconds))
        }
    }

    /// What the participant said, in one line without control characters.
    private static func quote(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.unicodeScalars.split { scalar in
            scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
        }
        return words.map { String(String.UnicodeScalarView($0)) }.joined(separator: " ")
    }
}
