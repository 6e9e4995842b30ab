// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// The paths of the native API, version 1, those of the two health checks, which have no version, and the methods that
/// each takes. A HEAD is a GET without the body.
enum NativeRoute: Hashable {
    case transactions
    /// The associated values of this case and the next ones are the gid as it stands in the path, still
    /// percent-encoded.
    case transaction(Substring)
    case branches(Substring)
    case commit(Substring)
    case abort(Substring)
    case release(Substring)
    case cluster
    case transferLeadership
    case members
    case audit
    case liftMark
    case backup
    case node
    case live
    case ready

    /// - Parameter path: without the query.
    /// - Returns: `nil` if the API has no such path.
    init?(path: Substring) {
        switch path {
        case "/healthz": self = .live
        case "/readyz": self = .ready
        case _: self.init(versionedPath: path)
        }
    }

    private init?(versionedPath path: Substring) {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        guard segments.count >= 3, segments[0].isEmpty, segments[1] == "v1" else { return nil }
        let rest = segments.dropFirst(3)
        switch (segments[2], rest.count) {
        case ("transactions", 0): self = .transactions
        case ("transactions", 1) where !segments[3].isEmpty: self = .transaction(segments[3])
        case ("transactions", 2) where !segments[3].isEmpty:
            switch segments[4] {
            case "branches": self = .branches(segments[3])
            case "commit": self = .commit(segments[3])
            case "abort": self = .abort(segments[3])
            case "release": self = .release(segments[3])
            case _: return nil
            }
        case ("cluster", 0): self = .cluster
        case ("cluster", 1) where segments[3] == "transfer-leadership": self = .transferLeadership
        case ("cluster", 1) where segments[3] == "members": self = .members
        case ("cluster", 1) where segments[3] == "audit": self = .audit
        case ("cluster", 1) where segments[3] == "lift-restore-mark": self = .liftMark
        case ("cluster", 1) where segments[3] == "backup": self = .backup
        case ("node", 0): self = .node
        case _: return nil
        }
    }

    /// What a POST to `/v1/transactions/…` begins with: it is no gid there, since a gid takes no POST by itself.
    static let begin: Substring = "begin"

    var methods: [HTTPRequest.Method] {
        switch self {
        case .transactions: [.get, .head, .post]
        case .transaction(let gid): gid == Self.begin ? [.get, .head, .post] : [.get, .head]
        case .branches, .commit, .abort, .release, .transferLeadership, .liftMark: [.post]
        case .members: [.get, .head, .post]
        case .cluster, .audit, .backup, .node, .live, .ready: [.get, .head]
        }
    }

    /// Whether an answer needs the coordinator, and so may have to wait.
    var asksCoordinator: Bool {
        switch self {
        case .transactions, .transaction, .branches, .commit, .abort, .release, .cluster, .transferLeadership, .members,
            .audit, .liftMark, .backup:
            true
        case .node, .live, .ready: false
        }
    }
}
