// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient

/// One transaction for people.
package enum TransactionText {
    package static func details(of transaction: Transaction) -> String {
        var facts = Table(.text(""), .text(""))
        facts.add("gid", transaction.gid)
        facts.add("protocol", transaction.protocol.rawValue + (transaction.concurrent ? ", concurrent" : ""))
        facts.add("state", transaction.state.rawValue)
        facts.add("outcome", transaction.outcome?.rawValue ?? "not decided")
        if transaction.held == true {
            let recorded = transaction.recordedOutcome.map { ", recorded as \($0.rawValue)" } ?? ""
            facts.add("held", "since the restore, until clusterctl tx release or lift-restore-mark\(recorded)")
        }
        if let reason = transaction.reason { facts.add("reason", reason) }
        facts.add("created", "\(transaction.createdAt)")
        facts.add("deadline", "\(transaction.deadline)")
        if let decided = transaction.decidedAt { facts.add("decided", "\(decided)") }
        if let finished = transaction.finishedAt { facts.add("finished", "\(finished)") }
        facts.add("read at", "node \(transaction.node), term \(transaction.term), index \(transaction.index)")

        var branches = Table(
            .text("BRANCH"), .text("STATE"), .text("DUE"), .number("CALLS"), .text("URL"), .text("LAST ERROR"))
        for branch in transaction.branches {
            let url = branch.operation.flatMap { branch.urls[$0] } ?? Self.firstURL(of: branch)
            branches.add(
                branch.id, branch.state.rawValue, branch.operation ?? "-", "\(branch.attempts)", url,
                branch.lastError ?? "")
        }
        var history = Table(
            .text("TIME"), .number("INDEX"), .text("EVENT"), .text("BRANCH"), .text("CALL"), .text("DETAIL"))
        for event in transaction.history {
            history.add(
                "\(event.time)", "\(event.index)", event.event, event.branch ?? "", event.operation ?? "",
                event.detail ?? "")
        }
        // The titles of the facts are empty.
        let head = facts.text.drop { $0 == "\n" }
        return [String(head), branches.text, history.text].joined(separator: "\n\n")
    }

    package static func table(of transactions: [TransactionSummary]) -> Table {
        var table = Table(
            .text("GID"), .text("PROTOCOL"), .text("STATE"), .text("OUTCOME"), .text("CREATED"), .text("REASON"))
        for transaction in transactions {
            table.add(
                transaction.gid, transaction.protocol.rawValue,
                transaction.state.rawValue + (transaction.held == true ? ", held" : ""),
                transaction.outcome?.rawValue ?? "-", "\(transaction.createdAt)", transaction.reason ?? "")
        }
        return table
    }

    private static func firstURL(of branch: BranchStatus) -> String {
        branch.urls["action"] ?? branch.urls["try"] ?? branch.urls.min { $0.key < $1.key }?.value ?? ""
    }
}
