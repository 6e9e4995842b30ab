// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Transactions

/// Asks the allow list about every URL of a branch, before the branch is proposed.
enum TargetCheck {
    /// - Parameters:
    ///   - branch: one that the domain has found valid, so its URLs have a host and a port.
    ///   - pointer: where the branch stands in the request; empty for the whole body.
    static func check(_ branch: BranchSpec, at pointer: String, against list: AllowList) throws(FieldError) {
        for target in branch.targets {
            let pointer = "\(pointer)/\(target.operation.name)"
            guard let (host, port) = Self.endpoint(of: target.url) else {
                throw FieldError(pointer: pointer, reason: "expected an http URL; \(target.url) is none")
            }
            switch list.verdict(host: host, port: port) {
            case .allowed: continue
            case .refused(let refusal):
                throw FieldError(
                    kind: .targetNotAllowed, pointer: pointer, reason: "\(target.url) is not called: \(refusal)")
            }
        }
    }

    /// Host and port of an http URL; `nil` for another scheme, since calls are made over plain HTTP alone.
    static func endpoint(of url: String) -> (host: String, port: Int)? {
        let scheme = "http://"
        guard url.utf8.count > scheme.utf8.count, url.prefix(scheme.count).lowercased() == scheme else { return nil }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        guard let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") else {
            return (String(authority), 80)
        }
        guard let port = Int(authority[authority.index(after: colon)...]) else { return nil }
        return (String(authority[..<colon]), port)
    }
}
