// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOHTTP1

extension CoordinatorClient {
    /// A copy of the applied state of one node, which holds everything that was acknowledged before the call: a SQLite file.
    /// A node gives it to clients on its own machine alone, since payloads and headers of branches stand in it.
    ///
    /// Whoever calls holds what came against the receipt's length and checksum.
    /// - Parameters:
    ///   - address: the node that makes the copy; else the first that does.
    ///   - timeout: for all of it.
    ///   - consume: gets the bytes piece by piece, in order. What it throws ends the call.
    /// - Throws: ``CoordinatorClientError``; or what `consume` throws.
    public func backup(
        at address: Address? = nil, timeout: Duration = .seconds(3600), into consume: ([UInt8]) throws -> Void
    ) async throws -> BackupReceipt {
        var reason = "no node was asked"
        var refusal: CoordinatorClientError?
        for candidate in address.map({ [$0] }) ?? self.addresses {
            let answer = try await self.transport.stream(
                "/v1/cluster/backup", from: candidate, timeout: timeout, consume)
            switch answer {
            case .streamed(let length, let header):
                guard let checksum = header("Verdict-Checksum").flatMap({ UInt32($0.dropFirst("crc32c=".count)) }),
                    let index = header("Verdict-Index").flatMap({ UInt64($0) })
                else {
                    throw CoordinatorClientError(.unexpectedAnswer, "\(candidate) sent something else", gid: nil)
                }
                return BackupReceipt(
                    address: "\(candidate)", length: length, checksum: checksum, index: index)
            case .refused(let result):
                switch Judgement(result) {
                case .success: reason = "\(candidate) sent something else"
                case .refusal(.notPossible, let detail, let problem):
                    // Another node may be on this machine, or have nothing else to do.
                    refusal = CoordinatorClientError(.notPossible, detail, gid: nil, problem: problem)
                case .refusal(let code, let detail, let problem):
                    throw CoordinatorClientError(code, detail, gid: nil, problem: problem)
                case .retry(let detail, _, _, _, _): reason = detail
                }
            }
        }
        throw refusal ?? CoordinatorClientError(.unavailable, reason, gid: nil)
    }

    /// What operators did to the cluster, and whether the mark of a restore stands.
    /// - Parameter patience: how long to go on trying; `nil` is the configuration's. Zero: one attempt.
    public func audit(patience: Duration? = nil) async throws(CoordinatorClientError) -> ClusterAudit {
        try await self.get("/v1/cluster/audit", at: nil, patience: patience)
    }

    /// Lifts the mark that a restore has left: unknown gids are unknown from then on, clients' own gids get new transactions,
    /// and what was undecided at the backup goes on.
    /// - Parameters:
    ///   - reason: why that is right, for the audit history.
    ///   - actor: who says so.
    ///   - patience: how long to go on trying; `nil` is the configuration's.
    public func liftRestoreMark(
        reason: String, actor: String = "", patience: Duration? = nil
    ) async throws(CoordinatorClientError) -> MarkLift {
        let body: Data
        do {
            body = try JSONEncoder().encode(["reason": reason, "actor": actor])
        } catch {
            throw .init(.invalidRequest, "not expressible in JSON: \(error)", gid: nil)
        }
        let deadline = ContinuousClock.now + (patience ?? self.configuration.patience)
        return try await self.perform(MarkLift.self, gid: nil, isChange: true, deadline: deadline) { _ in
            HTTPCall(method: .POST, target: "/v1/cluster/lift-restore-mark", body: body)
        }
    }
}
