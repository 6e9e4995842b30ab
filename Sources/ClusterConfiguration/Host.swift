// SPDX-License-Identifier: Apache-2.0

/// Where a connection goes to, as text gives it: an address, or a name that somebody resolves later.
package enum Host: Hashable, Sendable, CustomStringConvertible {
    case address(ResolvedAddress)
    /// Lower case, without the dot at its end.
    case name(String)

    /// Reads the host of a URL or of `host:port`; an IPv6 address may stand in brackets.
    ///
    /// A name has labels of letters, digits, `-` and `_`, at most 63 bytes each and 253 in all. A name whose last label is a
    /// number is refused: resolvers take it for an address that our own reading would not see.
    package init?(_ text: some StringProtocol) {
        var text = Substring(text)
        if text.first == "[", text.last == "]" {
            text = text.dropFirst().dropLast()
            guard let address = ResolvedAddress(text: text), text.contains(":") else { return nil }
            self = .address(address)
            return
        }
        if let address = ResolvedAddress(text: text) {
            self = .address(address)
            return
        }
        if text.last == "." { text = text.dropLast() }
        guard let name = Self.name(text) else { return nil }
        self = .name(name)
    }

    /// `localhost` and the names below it (RFC 6761, section 6.3), and the loopback addresses.
    package var isLoopback: Bool {
        switch self {
        case .address(let address): address.isLoopback
        case .name(let name): name == "localhost" || name.hasSuffix(".localhost")
        }
    }

    /// The host without brackets, as a resolver wants it.
    package var description: String {
        switch self {
        case .address(let address): address.description
        case .name(let name): name
        }
    }

    private static func name(_ text: Substring) -> String? {
        guard (1...253).contains(text.utf8.count) else { return nil }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard (1...63).contains(label.count), label.allSatisfy(Self.isNameCharacter) else { return nil }
            guard label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else { return nil }
        }
        guard let last = labels.last, !Self.looksLikeNumber(last) else { return nil }
        return text.lowercased()
    }

    private static func isNameCharacter(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        case _: false
        }
    }

    private static func looksLikeNumber(_ label: Substring.UTF8View.SubSequence) -> Bool {
        if label.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) { return true }
        let text = String(Substring(label)).lowercased()
        return text.hasPrefix("0x") && text.dropFirst(2).allSatisfy(\.isHexDigit)
    }
}
