// SPDX-License-Identifier: Apache-2.0

/// What calls are counted by: the host and port as a URL writes them.
package enum CallAuthority {
    /// The part of a URL between the scheme and the path, without a user's name; empty if there is none.
    ///
    /// It only bounds how many calls go to one place. Where a call may go is judged by `TargetPolicy`.
    package static func of(_ url: String) -> String {
        let bytes = url.utf8
        var authority = bytes[...]
        if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
            let rest = bytes[bytes.index(after: colon)...]
            if rest.starts(with: "//".utf8) { authority = rest.dropFirst(2) }
        }
        let end = authority.firstIndex { byte in
            byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
        }
        authority = authority[..<(end ?? authority.endIndex)]
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) { authority = authority[at...].dropFirst() }
        return String(Substring(authority))
    }
}
