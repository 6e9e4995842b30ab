// SPDX-License-Identifier: Apache-2.0

/// The bounds of what a transaction may hold.
package enum Limits {
    /// Branches of a transaction.
    package static let branches = 256
    /// Bytes of a target's URL.
    package static let urlLength = 2048
    /// Headers of a branch.
    package static let headers = 32
    /// Bytes of a header's name.
    package static let headerNameLength = 256
    /// Bytes of a header's value.
    package static let headerValueLength = 4096
    /// Bytes of all payloads of a transaction together.
    package static let payloadLength = 1 << 20
    /// Bytes of all URLs and headers of a transaction together: with its payloads it must fit into an entry of the log.
    package static let targetsLength = 2 << 20
    /// The shortest and longest timeout.
    package static let timeoutMilliseconds: ClosedRange<UInt64> = 1...86_400_000
    /// Bytes of a reason, an error or a detail.
    package static let textLength = 256
    /// Bytes of the JSON pointer and of the words of a problem.
    package static let problemLength = 512
    /// Restores one after the other, each before the doubts of the one before are answered for.
    package static let doubts = 16
    /// Records of what operators did to the cluster.
    package static let auditRecords = 64
    /// Commands of one batch.
    package static let commandsInBatch = 1 << 16

    /// Events in a transaction's history. What is never given up (at most three events a branch, and a few of the
    /// whole) always fits.
    package static func historyLength(branches: Int) -> Int { 64 + 4 * branches }
}

/// The text, cut to `limit` bytes at the start of a character's encoding.
package func bounded(_ text: String, to limit: Int = Limits.textLength) -> String {
    let utf8 = text.utf8
    guard utf8.count > limit else { return text }
    var end = utf8.index(utf8.startIndex, offsetBy: limit)
    while end > utf8.startIndex, utf8[end] & 0xc0 == 0x80 { end = utf8.index(before: end) }
    return String(text[..<end])
}
