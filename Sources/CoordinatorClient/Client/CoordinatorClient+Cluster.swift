// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOHTTP1

extension CoordinatorClient {
    /// One page of the transactions that one node has applied, in the order of their gids.
    /// - Parameters:
    ///   - state: only those in this state.
    ///   - limit: 1 to 1000 in one page.
    ///   - after: the `next` of the page before.
    ///   - address: ask this node alone; else the first that answers. Pages are one node's view each.
    ///   - patience: how long to go on trying; `nil` is the configuration's. Zero: one attempt.
    public func list(
        state: TransactionState? = nil, limit: Int = 100, after: String? = nil, at address: Address? = nil,
        patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> TransactionList {
        var query = [("limit", String(limit))]
        if let state { query.append(("state", state.rawValue)) }
        if let after { query.append(("after", after)) }
        return try await self.get("/v1/transactions?" + Self.encoded(query), at: address, patience: patience)
    }

    /// The cluster as one node sees it.
    /// - Parameters:
    ///   - address: ask this node alone; else the first that answers.
    ///   - patience: how long to go on trying; `nil` is the configuration's. Zero: one attempt.
    public func cluster(
        at address: Address? = nil, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> ClusterStatus {
        try await self.get("/v1/cluster", at: address, patience: patience)
    }

    /// What one node says about itself. It doesn't wait for anyone to say so.
    public func node(
        at address: Address, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> NodeStatus {
        try await self.get("/v1/node", at: address, patience: patience)
    }

    /// Whether a node knows a leader and has applied all that it knows to be committed. One attempt; a node that can't
    /// be reached is not ready.
    public func isReady(at address: Address) async -> Bool {
        let answer: Readiness? = try? await self.get("/readyz", at: address, patience: .zero)
        return answer?.status == "ready"
    }

    /// Lets another voter lead, and returns when it does. Meanwhile requests wait; nothing that was recorded changes.
    /// - Parameters:
    ///   - target: the node that should lead; `nil` for the one that is best placed.
    ///   - patience: how long to go on trying while no leader answers; `nil` is the configuration's.
    public func transferLeadership(
        to target: String? = nil, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> LeadershipTransfer {
        let body: Data
        do {
            body = try JSONEncoder().encode(["to": target].compactMapValues { $0 })
        } catch {
            throw .init(.invalidRequest, "not expressible in JSON: \(error)", gid: nil)
        }
        let deadline = ContinuousClock.now + (patience ?? self.configuration.patience)
        return try await self.perform(LeadershipTransfer.self, gid: nil, isChange: true, deadline: deadline) { _ in
            HTTPCall(method: .POST, target: "/v1/cluster/transfer-leadership", body: body)
        }
    }

    /// Who takes part, as the leader says.
    /// - Parameter patience: how long to go on trying; `nil` is the configuration's. Zero: one attempt.
    public func members(patience: Duration? = nil) async throws(CoordinatorClientError) -> ClusterMembers {
        try await self.get("/v1/cluster/members", at: nil, patience: patience)
    }

    /// Changes who takes part, and returns when that is committed.
    /// - Parameters:
    ///   - change: who joins, leaves or is replaced.
    ///   - patience: how long to go on trying while no leader answers; `nil` is the configuration's.
    public func changeMembers(
        _ change: MembersChange, patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> ClusterMembers {
        let body: Data
        do {
            body = try JSONEncoder().encode(change)
        } catch {
            throw .init(.invalidRequest, "not expressible in JSON: \(error)", gid: nil)
        }
        let deadline = ContinuousClock.now + (patience ?? self.configuration.patience)
        return try await self.perform(ClusterMembers.self, gid: nil, isChange: true, deadline: deadline) { _ in
            HTTPCall(method: .POST, target: "/v1/cluster/members", body: body)
        }
    }

    func get<Answer: Decodable>(
        _ target: String, at address: Address?, patience: Duration?
    ) async throws(CoordinatorClientError) -> Answer {
        // A patience of zero asks for one attempt, which still needs its time.
        let time = max(patience ?? self.configuration.patience, .zero)
        let deadline = ContinuousClock.now + (time == .zero ? self.configuration.attemptTimeout : time)
        return try await self.perform(
            Answer.self, gid: nil, isChange: false, deadline: deadline, only: address, isSingleAttempt: time == .zero
        ) { _ in HTTPCall(method: .GET, target: target) }
    }

    private static func encoded(_ query: [(String, String)]) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.formIntersection(CharacterSet(charactersIn: Unicode.Scalar(0)...Unicode.Scalar(127)))
        return query.map { name, value in
            "\(name)=\(value.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")"
        }.joined(separator: "&")
    }
}

private struct Readiness: Decodable {
    let status: String
}
