// SPDX-License-Identifier: Apache-2.0

package import Transactions

extension Problem {
    /// What a client is told when the coordinator gives no answer.
    /// - Parameter gid: the transaction that the request was about, fixed before anything was sent on.
    package init(_ error: CoordinatorError, gid: Gid?) {
        switch error {
        case .noLeader(let retryAfter):
            self.init(
                .noLeader, "No leader was found in time. Nothing was changed; the request can be repeated.", gid: gid,
                retryAfter: retryAfter)
        case .stopping:
            self.init(
                .noLeader, "This node is stopping. Nothing was changed; any other node takes the request.", gid: gid,
                retryAfter: .seconds(1))
        case .noState(let retryAfter):
            self.init(
                .noLeader,
                "This node has no state yet: it has joined or has lost it, and gets it from the leader. Nothing was changed; "
                    + "any other node takes the request.", gid: gid, retryAfter: retryAfter)
        case .outcomeUnknown:
            self.init(
                .outcomeUnknown,
                "The request may or may not have been carried out. Repeating it with this gid is safe: it finds the "
                    + "same transaction.",
                gid: gid)
        case .overloaded(let retryAfter):
            self.init(
                .overloaded, "Too many requests are waiting. Nothing was changed; the request can be repeated later.",
                gid: gid, retryAfter: retryAfter)
        case .refused(let reason):
            self.init(.notPossible, "Nothing was changed: \(reason).", gid: gid)
        case .failed:
            self.init(.internal, "This node can't answer; its log says why.", gid: gid)
        }
    }

    /// What a client is told when its command was applied and refused.
    package init(_ rejection: Rejection, gid: Gid) {
        switch rejection {
        case .unknownTransaction:
            self = .unknown(gid)
        case .forgotten:
            self.init(
                .forgotten,
                "This gid isn't known, and may have been before the cluster was restored from a backup. Nothing was "
                    + "changed; an operator must lift the mark of the restore first.",
                gid: gid)
        case .held:
            self.init(
                .held,
                "The cluster was restored, and this transaction's outcome may be another than is known here. It stays as it "
                    + "is until an operator releases it or lifts the mark of the restore.",
                gid: gid)
        case .contentConflict(let path):
            self.init(
                .gidConflict,
                "This gid or branch id already stands for other content; it differs from this request in \(path).",
                pointer: path, gid: gid)
        case .notOpen(let state):
            self.init(.notOpen, "The transaction is \(state.name); this call needs an open one.", gid: gid)
        case .alreadyDecided(let decision):
            self.init(.alreadyDecided, "The transaction's outcome is “\(decision.outcomeName)”, for good.", gid: gid)
        case .tooManyBranches:
            self.init(
                .invalidRequest, "The transaction has \(Limits.branches) branches, the most it may have.", gid: gid)
        case .invalid(let problem):
            self.init(problem)
            self.gid = gid
        case .deadlineNotReached, .unknownBranch:
            // Answers to the executor's own commands; no request of a client leads here.
            self.init(.internal, "The command was refused for a reason that no request can have.", gid: gid)
        }
    }

    package static func unknown(_ gid: Gid) -> Problem {
        Problem(.notFound, "No transaction has this gid.", gid: gid)
    }
}
