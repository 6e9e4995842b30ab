// SPDX-License-Identifier: Apache-2.0

/// What each HTTP status of a participant means. The only place that knows.
package enum BranchVerdictTable {
    /// A row of the table.
    package enum Meaning: Hashable, Sendable {
        /// It is done.
        case success
        /// The participant's own "no".
        case failure
        /// Not known: call again. A `Retry-After` header of such an answer is honoured, up to the back-off's cap.
        case unknown
    }

    /// The meaning of a final status.
    ///
    /// 2xx is success and 409 Conflict failure. Everything else is not known: a redirect (never followed), 425 Too
    /// Early and 429 Too Many Requests (the participant asks for time), another 4xx (a wrong path or a missing
    /// permission is a mistake that people mend, not the participant's "no"), and 5xx.
    package static func meaning(ofStatus code: Int) -> Meaning {
        switch code {
        case 200...299: .success
        case 409: .failure
        default: .unknown
        }
    }

    /// The milliseconds that a `Retry-After` header asks for, or `nil` if it isn't a count of seconds.
    ///
    /// The header's other form, a date, is ignored: it means something only if both clocks agree.
    package static func retryAfterMilliseconds(_ header: String) -> UInt64? {
        let digits = header.utf8
        guard (1...9).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(header).map { $0 * 1_000 }
    }
}
