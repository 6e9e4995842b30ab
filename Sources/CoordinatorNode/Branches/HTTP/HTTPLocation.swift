// SPDX-License-Identifier: Apache-2.0

/// A URL to call, taken apart.
struct HTTPLocation {
    /// Host and port as the URL writes them.
    let authority: Substring
    /// Path and query.
    let uri: String

    private static let scheme = "http://"

    /// - Throws: an answer of the kind `invalidRequest` unless the URL is an absolute http URL without a user and a
    ///   fragment.
    init(_ url: String) throws(UnknownAnswer) {
        let bytes = url.utf8
        guard bytes.count > Self.scheme.utf8.count, Self.isPlain(bytes) else {
            throw Self.problem(
                url, bytes.starts(with: "https://".utf8) ? "is for TLS, which isn't there yet" : "is none")
        }
        guard bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw Self.problem(url, "holds a byte that it can't have")
        }
        let start = bytes.index(bytes.startIndex, offsetBy: Self.scheme.utf8.count)
        let end =
            bytes[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.endIndex
        let authority = bytes[start..<end]
        guard !authority.isEmpty, !authority.contains(UInt8(ascii: "@")) else {
            throw Self.problem(url, "has no host, or a user")
        }
        self.authority = Substring(authority)
        let rest = Substring(bytes[end...])
        self.uri = bytes[end...].first == UInt8(ascii: "/") ? String(rest) : "/" + rest
    }

    private static func isPlain(_ bytes: String.UTF8View) -> Bool {
        // The scheme's letters may be of either case; the other three bytes are the same with this bit set.
        zip(bytes, Self.scheme.utf8).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }

    private static func problem(_ url: String, _ reason: String) -> UnknownAnswer {
        UnknownAnswer(kind: .invalidRequest, detail: "the URL can't be called: \(url.prefix(80)) \(reason)")
    }
}
