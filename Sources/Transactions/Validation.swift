// SPDX-License-Identifier: Apache-2.0

/// The first thing that is wrong with a request, for the one who wrote it.
package struct SubmissionProblem: Error, Hashable, Sendable {
    /// A JSON pointer (RFC 6901) to the field of the request: "/branches/3/action".
    package let path: String
    /// What rule it breaks, in plain words.
    package let message: String

    package init(path: String, message: String) {
        self.path = path
        self.message = message
    }
}

extension Submission {
    /// Checks the request against `Limits` and against the rules of its protocol.
    ///
    /// The API calls it before anything is proposed; the machine calls it again, so that nothing invalid is ever applied.
    package func validate() throws(SubmissionProblem) {
        try checkTerms(kind: self.kind, isConcurrent: self.isConcurrent, timeout: self.timeoutMilliseconds)
        guard !self.branches.isEmpty else {
            throw SubmissionProblem(path: "/branches", message: "at least one branch is needed")
        }
        guard self.branches.count <= Limits.branches else {
            throw SubmissionProblem(
                path: "/branches", message: "\(self.branches.count) branches; at most \(Limits.branches) are allowed")
        }
        var payloadLength = 0
        var targetsLength = 0
        for (position, branch) in self.branches.enumerated() {
            do {
                try branch.validate(kind: self.kind, origin: .submitted)
            } catch {
                throw SubmissionProblem(path: "/branches/\(position)\(error.path)", message: error.message)
            }
            payloadLength += branch.payload.count
            guard payloadLength <= Limits.payloadLength else {
                throw payloadProblem(path: "/branches/\(position)/payload")
            }
            targetsLength += branch.targetsLength
            guard targetsLength <= Limits.targetsLength else { throw targetsProblem(path: "/branches/\(position)") }
        }
        if let position = self.firstRepeatedID() {
            throw SubmissionProblem(
                path: "/branches/\(position)/id",
                message: "\(self.branches[position].id) is the id of an earlier branch")
        }
    }

    private func firstRepeatedID() -> Int? {
        // Comparing the few pairs of a usual transaction costs less than filling a set.
        if self.branches.count <= 8 {
            return self.branches.indices.first { position in
                self.branches[..<position].contains { $0.id == self.branches[position].id }
            }
        }
        var seen: Set<BranchID> = []
        return self.branches.firstIndex { !seen.insert($0.id).inserted }
    }
}

extension Beginning {
    /// Checks the request against `Limits` and against the rules of its protocol.
    package func validate() throws(SubmissionProblem) {
        try checkTerms(kind: self.kind, isConcurrent: self.isConcurrent, timeout: self.timeoutMilliseconds)
    }
}

extension BranchSpec {
    /// Checks one branch by itself. The paths of problems begin at the branch: "/action".
    package func validate(kind: TransactionKind, origin: Origin) throws(SubmissionProblem) {
        let wanted = kind.planner.operations(of: origin)
        for operation in wanted {
            guard let url = self.url(for: operation) else {
                throw SubmissionProblem(path: "/\(operation.name)", message: "is needed")
            }
            try checkURL(url, path: "/\(operation.name)")
        }
        for (position, target) in self.targets.enumerated() {
            guard wanted.contains(target.operation) else {
                throw SubmissionProblem(
                    path: "/\(target.operation.name)",
                    message: target.operation == .try && origin == .begun
                        ? "the application makes the tries of a transaction that it has begun"
                        : "\(kind.name) has no \(target.operation.name)")
            }
            guard position == 0 || self.targets[position - 1].operation != target.operation else {
                throw SubmissionProblem(path: "/\(target.operation.name)", message: "is given twice")
            }
        }
        try self.checkHeaders()
        guard self.payload.count <= Limits.payloadLength else { throw payloadProblem(path: "/payload") }
    }

    private func checkHeaders() throws(SubmissionProblem) {
        guard self.headers.count <= Limits.headers else {
            throw SubmissionProblem(
                path: "/headers", message: "\(self.headers.count) headers; at most \(Limits.headers) are allowed")
        }
        for (position, header) in self.headers.enumerated() {
            let path = "/headers/\(escapedForPointer(header.name))"
            try checkHeader(header, path: path)
            if position > 0, isSameName(self.headers[position - 1].name, header.name) {
                throw SubmissionProblem(path: path, message: "is given twice; case makes no difference")
            }
        }
    }
}

/// Problem of payloads that are too long together.
func payloadProblem(path: String) -> SubmissionProblem {
    SubmissionProblem(
        path: path, message: "the payloads of a transaction are over \(Limits.payloadLength) bytes together")
}

/// Problem of URLs and headers that are too long together.
func targetsProblem(path: String) -> SubmissionProblem {
    SubmissionProblem(
        path: path, message: "the URLs and headers of a transaction are over \(Limits.targetsLength) bytes together")
}

extension BranchSpec {
    /// Bytes of its URLs and headers.
    var targetsLength: Int {
        self.targets.reduce(0) { $0 + $1.url.utf8.count }
            + self.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }
}

private func checkTerms(kind: TransactionKind, isConcurrent: Bool, timeout: UInt64) throws(SubmissionProblem) {
    guard Limits.timeoutMilliseconds.contains(timeout) else {
        throw SubmissionProblem(
            path: "/timeout_ms",
            message: "must be \(Limits.timeoutMilliseconds.lowerBound) to \(Limits.timeoutMilliseconds.upperBound)")
    }
    guard !isConcurrent || kind.planner.canBeConcurrent else {
        throw SubmissionProblem(path: "/concurrent", message: "only the steps of a saga can be told to be concurrent")
    }
}

/// An absolute http or https URL: a host, perhaps a port, no user, no fragment. Which hosts may be called is another
/// rule, kept with the configuration.
private func checkURL(_ url: String, path: String) throws(SubmissionProblem) {
    let bytes = url.utf8
    func problem(_ message: String) -> SubmissionProblem { SubmissionProblem(path: path, message: message) }
    guard bytes.count <= Limits.urlLength else {
        throw problem("\(bytes.count) bytes; at most \(Limits.urlLength) are allowed")
    }
    guard bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "#") }) else {
        throw problem("holds a byte that a URL to call can't have")
    }
    let schemeLength: Int
    if hasPrefix(bytes, "http://") {
        schemeLength = 7
    } else if hasPrefix(bytes, "https://") {
        schemeLength = 8
    } else {
        throw problem("is not an absolute http or https URL")
    }
    let authority = bytes.dropFirst(schemeLength).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    guard isAuthority(authority) else { throw problem("has no valid host and port") }
}

private func hasPrefix(_ bytes: String.UTF8View, _ prefix: StaticString) -> Bool {
    prefix.withUTF8Buffer { prefix in
        bytes.count >= prefix.count && zip(bytes, prefix).allSatisfy { lowercased($0) == $1 }
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`; the host is letters, digits, dots, hyphens and underscores.
private func isAuthority(_ authority: Substring.UTF8View) -> Bool {
    var rest = authority
    if rest.first == UInt8(ascii: "[") {
        let address = rest.dropFirst().prefix { isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
        rest = rest.dropFirst(1 + address.count)
        guard address.count >= 2, rest.first == UInt8(ascii: "]") else { return false }
        rest = rest.dropFirst()
    } else {
        let host = rest.prefix {
            isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
        guard !host.isEmpty else { return false }
        rest = rest.dropFirst(host.count)
    }
    guard let colon = rest.first else { return true }
    let digits = rest.dropFirst()
    guard colon == UInt8(ascii: ":"), (1...5).contains(digits.count) else { return false }
    var port = 0
    for digit in digits {
        guard (0x30...0x39).contains(digit) else { return false }
        port = port * 10 + Int(digit - 0x30)
    }
    return (1...65_535).contains(port)
}

private func isHexDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(lowercased(byte))
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7a).contains(lowercased(byte))
}

/// Names that belong to the connection (RFC 9110, section 7.6.1) or to the message's own framing.
private let reservedHeaders: Set<String> = [
    "connection", "content-length", "content-type", "expect", "host", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
]

private func checkHeader(_ header: Header, path: String) throws(SubmissionProblem) {
    let name = header.name.utf8
    guard (1...Limits.headerNameLength).contains(name.count), name.allSatisfy(isTokenByte) else {
        throw SubmissionProblem(path: path, message: "is not the name of a header")
    }
    guard !reservedHeaders.contains(header.name.lowercased()) else {
        throw SubmissionProblem(path: path, message: "belongs to the connection and can't be given")
    }
    guard !hasPrefix(name, "verdict-") else {
        throw SubmissionProblem(path: path, message: "names that begin with Verdict- are the coordinator's own")
    }
    let value = header.value.utf8
    guard value.count <= Limits.headerValueLength, value.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x09 }) else {
        throw SubmissionProblem(
            path: path, message: "the value must be at most \(Limits.headerValueLength) bytes of printable ASCII")
    }
}

/// RFC 9110, section 5.6.2.
private func isTokenByte(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
}

private func isSameName(_ lhs: String, _ rhs: String) -> Bool {
    lhs.utf8.lazy.map(lowercased).elementsEqual(rhs.utf8.lazy.map(lowercased))
}

/// A name as a part of a JSON pointer (RFC 6901, section 3).
private func escapedForPointer(_ name: String) -> String {
    var escaped = ""
    for character in name.unicodeScalars.prefix(Limits.headerNameLength) {
        switch character {
        case "~": escaped += "~0"
        case "/": escaped += "~1"
        case _: escaped.unicodeScalars.append(character)
        }
    }
    return escaped
}
