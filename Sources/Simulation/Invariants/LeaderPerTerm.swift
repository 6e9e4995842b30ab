// SPDX-License-Identifier: Apache-2.0

import Raft

/// I1: at most one leader can be elected in a term (Raft paper, figure 3, election safety).
struct LeaderPerTerm: Sendable {
    private var leaders: [Term: Int] = [:]

    mutating func leads(_ node: Int, term: Term) throws(Violation) {
        let first = self.leaders[term, default: node]
        guard first == node else {
            throw Violation(.oneLeaderPerTerm, "n\(first + 1) and n\(node + 1) both lead term \(term.rawValue)")
        }
        self.leaders[term] = node
    }
}
