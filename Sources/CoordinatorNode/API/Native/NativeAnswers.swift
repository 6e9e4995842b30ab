// SPDX-License-Identifier: Apache-2.0

import Raft
import Transactions

/// Writes the answers of the native API. Payloads and headers of branches are never shown: they may hold what only the
/// participant should see.
enum NativeAnswers {
    /// - Parameter isHeld: shown only if it is.
    static func transaction(
        _ transaction: GlobalTransaction, isHeld: Bool = false, node: String, term: UInt64, index: UInt64
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 768 + 256 * transaction.branches.count)
        writer.object { json in
            Self.summaryFields(of: transaction, isHeld: isHeld, to: &json)
            json.key("branches")
            json.array(transaction.branches) { json, branch in Self.branch(branch, to: &json) }
            json.key("history")
            json.array(transaction.history) { json, event in Self.event(event, to: &json) }
            Self.position(node: node, term: term, index: index, to: &json)
        }
        return writer.bytes
    }

    static func page(_ page: TransactionPage, node: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 128 + 384 * page.transactions.count)
        writer.object { json in
            json.key("transactions")
            json.array(page.transactions) { json, transaction in
                json.object {
                    Self.summaryFields(of: transaction, isHeld: page.mark?.holds(transaction) ?? false, to: &$0)
                }
            }
            json.field("next", page.next?.rawValue)
            Self.position(node: node, term: page.term, index: page.index, to: &json)
        }
        return writer.bytes
    }

    /// - Parameter index: the last entry that the answering node has applied.
    static func cluster(_ status: ClusterStatus, index: UInt64) -> [UInt8] {
        var writer = JSONWriter(capacity: 256 + 384 * status.nodes.count)
        writer.object { json in
            json.field("cluster_id", status.clusterID)
            json.field("leader", status.leader)
            json.key("nodes")
            json.array(status.nodes) { json, member in Self.member(member, to: &json) }
            Self.position(node: status.node, term: status.term, index: index, to: &json)
        }
        return writer.bytes
    }

    static func node(_ status: NodeStatus) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { json in
            json.field("cluster_id", status.clusterID)
            json.field("pid", UInt64(max(0, status.processID)))
            json.field("role", status.role.rawValue)
            json.field("leader", status.leader)
            json.field("commit_index", status.commitIndex)
            json.field("applied_index", status.appliedIndex)
            json.field("last_index", status.lastIndex)
            json.field("durable_index", status.durableIndex)
            json.field("first_index", status.firstIndex)
            json.field("live_transactions", UInt64(max(0, status.liveTransactions)))
            json.field("format", UInt64(status.format))
            json.field("known_format", UInt64(status.knownFormat))
            json.field("since", LogTime(rawValue: status.since))
            json.field("started_at", LogTime(rawValue: status.startedAt))
            json.field("version", status.version)
            Self.position(node: status.node, term: status.term, index: status.appliedIndex, to: &json)
        }
        return writer.bytes
    }

    static func leadership(_ answer: LeadershipAnswer, node: String, index: UInt64) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { json in
            json.field("before", answer.before)
            json.field("leader", answer.leader)
            Self.position(node: node, term: answer.term, index: index, to: &json)
        }
        return writer.bytes
    }

    /// - Parameter node: the one that answers; term and index are the leader's.
    static func members(_ answer: MembersAnswer, node: String) -> [UInt8] {
        let membership = answer.membership
        var writer = JSONWriter(capacity: 256 + 192 * membership.members.count)
        writer.object { json in
            json.key("members")
            json.array(membership.members) { json, member in
                json.object { json in
                    json.field("id", member.nodeID.rawValue)
                    json.field("standing", MemberStanding(of: member.nodeID, in: membership).rawValue)
                    json.field("storage_id", member.storageID == .unknown ? nil : member.storageID.hexadecimal)
                    json.field("peer_address", member.peerAddress)
                    json.field("client_address", member.clientAddress)
                }
            }
            json.field("settled", answer.isSettled)
            json.field("leader", answer.leader)
            Self.position(node: node, term: answer.term, index: answer.index, to: &json)
        }
        return writer.bytes
    }

    static func health(_ word: String, _ status: NodeStatus) -> [UInt8] {
        var writer = JSONWriter(capacity: 96)
        writer.object { json in
            json.field("status", word)
            Self.position(node: status.node, term: status.term, index: status.appliedIndex, to: &json)
        }
        return writer.bytes
    }

    // MARK: Parts

    /// A held transaction has no outcome that anyone may rely on, even if the log that was left over holds one.
    private static func summaryFields(of transaction: GlobalTransaction, isHeld: Bool, to json: inout JSONWriter) {
        let isInDoubt = isHeld && transaction.decision != nil
        json.field("gid", transaction.gid.rawValue)
        json.field("protocol", transaction.kind.name)
        json.field("state", isInDoubt ? "in-doubt" : transaction.state.name)
        json.field("outcome", isInDoubt ? nil : transaction.decision?.outcomeName)
        if isHeld { json.field("held", true) }
        if isInDoubt { json.field("recorded_outcome", transaction.decision?.outcomeName) }
        json.field("reason", transaction.reason)
        json.field("timeout_ms", transaction.timeoutMilliseconds)
        json.field("concurrent", transaction.isConcurrent)
        json.field("created_at", transaction.createdAt)
        json.field("deadline", transaction.deadline)
        json.field("decided_at", transaction.decidedAt)
        json.field("finished_at", transaction.finishedAt)
    }

    /// The log position at which the answer was true, and the node that gave it.
    static func position(node: String, term: UInt64, index: UInt64, to json: inout JSONWriter) {
        json.field("node", node)
        json.field("term", term)
        json.field("index", index)
    }

    private static func branch(_ branch: Branch, to json: inout JSONWriter) {
        json.object { json in
            json.field("id", branch.id.rawValue)
            json.field("state", branch.state.name)
            json.field("operation", branch.state.dueOperation?.name)
            json.field("attempts", UInt64(branch.attempts))
            json.field("last_error", branch.lastError)
            json.key("urls")
            json.object { json in
                for target in branch.spec.targets {
                    json.key(Self.key(of: target.operation))
                    json.string(target.url)
                }
            }
        }
    }

    private static func key(of operation: Operation) -> StaticString {
        switch operation {
        case .action: "action"
        case .compensate: "compensate"
        case .try: "try"
        case .confirm: "confirm"
        case .cancel: "cancel"
        }
    }

    private static func event(_ event: HistoryEvent, to json: inout JSONWriter) {
        json.object { json in
            json.field("time", event.time)
            json.field("index", event.index)
            json.field("event", event.kind.name)
            json.field("branch", event.branchID?.rawValue)
            json.field("operation", event.operation?.name)
            json.field("attempts", UInt64(event.attempts))
            json.field("detail", event.detail)
        }
    }

    private static func member(_ member: MemberStatus, to json: inout JSONWriter) {
        json.object { json in
            json.field("id", member.id)
            json.field("role", member.role.rawValue)
            json.field("client_address", member.clientAddress)
            json.field("peer_address", member.peerAddress)
            json.field("standing", member.standing.rawValue)
            json.field("commit_index", member.commitIndex)
            json.field("applied_index", member.appliedIndex)
            json.field("last_index", member.lastIndex)
            json.field("match_index", member.matchIndex)
            json.field("lag", member.lag)
            json.field("reachable", member.reachable)
            json.field("since", member.since.map(LogTime.init(rawValue:)))
        }
    }
}
