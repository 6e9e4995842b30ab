// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Locks
import Transactions

/// Asks the allow list about every URL of a branch, before the branch is proposed.
///
/// The same few participants are named in nearly every request, so those that are allowed are remembered: a look at the
/// list costs 4 µs, a look at the memory a tenth of one.
final class TargetCheck: Sendable {
    private let list: AllowList
    /// Hosts and ports as they stand in URLs.
    private let known = Locked<Set<Substring>>([])

    private static let mostKnown = 4096

    init(_ list: AllowList) {
        self.list = list
    }

    /// - Parameters:
    ///   - branch: one that the domain has found valid, so its URLs have a host and a port.
    ///   - pointer: where the branch stands in the request; empty for the whole body.
    func check(_ branch: BranchSpec, at pointer: String) throws(Problem) {
        func place(_ target: Target) -> String { "\(pointer)/\(target.operation.name)" }
        for target in branch.targets {
            guard let authority = Self.authority(of: target.url) else {
                throw Problem(.invalidRequest, "expected an http URL; \(target.url) is none", pointer: place(target))
            }
            if self.known.withLock({ $0.contains(authority) }) { continue }
            guard let (host, port) = Self.endpoint(of: authority) else {
                throw Problem(.invalidRequest, "expected an http URL; \(target.url) is none", pointer: place(target))
            }
            switch self.list.verdict(host: host, port: port) {
            case .allowed: self.remember(authority)
            case .refused(let refusal):
                throw Problem(
                    .targetNotAllowed, "\(target.url) is not called: \(refusal)", pointer: place(target))
            }
        }
    }

    private func remember(_ authority: Substring) {
        // A copy, so that the whole URL isn't kept.
        let copy = Substring(String(authority))
        self.known.withLock { known in
            if known.count >= Self.mostKnown { known.removeAll(keepingCapacity: true) }
            known.insert(copy)
        }
    }

    /// What stands between `http://` and the path; `nil` for another scheme, since calls are made over plain HTTP
    /// alone.
    private static func authority(of url: String) -> Substring? {
        let scheme: StaticString = "http://"
        let bytes = url.utf8
        let isHTTP = scheme.withUTF8Buffer { scheme in
            bytes.count > scheme.count && zip(bytes, scheme).allSatisfy { $0 == $1 || $0 | 0x20 == $1 }
        }
        guard isHTTP else { return nil }
        let rest = bytes.dropFirst(scheme.utf8CodeUnitCount)
        return Substring(rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") })
    }

    private static func endpoint(of authority: Substring) -> (host: String, port: Int)? {
        guard let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") else {
            return (String(authority), 80)
        }
        guard let port = Int(authority[authority.index(after: colon)...]) else { return nil }
        return (String(authority[..<colon]), port)
    }
}
