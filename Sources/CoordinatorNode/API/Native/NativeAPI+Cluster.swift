// SPDX-License-Identifier: Apache-2.0

import Raft
import StrictJSON

/// The cluster itself: how its nodes are, who leads, who takes part.
extension NativeAPI {
    /// `GET /v1/cluster`
    func cluster() async throws(Problem) -> Answer {
        do {
            let status = try await self.coordinator.clusterStatus()
            return Answer(NativeAnswers.cluster(status, index: self.coordinator.nodeStatus().appliedIndex))
        } catch {
            throw self.problem(error, gid: nil)
        }
    }

    /// `POST /v1/cluster/transfer-leadership`
    func transferLeadership(_ body: [UInt8]) async throws(Problem) -> Answer {
        let value = try Self.parseUnlessEmpty(body)
        let target = try Self.fields { () throws(FieldError) in try NativeRequests.transferTarget(value) }
        do {
            let answer = try await self.coordinator.transferLeadership(to: target)
            return Answer(
                NativeAnswers.leadership(answer, node: self.node, index: self.coordinator.nodeStatus().appliedIndex))
        } catch {
            throw self.problem(error, gid: nil)
        }
    }

    /// `GET /readyz`
    func ready() throws(Problem) -> Answer {
        guard self.coordinator.isReady else {
            throw Problem(
                .notReady,
                "This node knows no leader, has no room on its disk, has lost a part of its log or its state, or has not yet "
                    + "applied all that is committed.",
                retryAfter: .seconds(1))
        }
        return Answer(NativeAnswers.health("ready", self.coordinator.nodeStatus()))
    }

    /// `GET /v1/cluster/members`, and what a change of them ends with.
    func members(_ change: MembershipChange?) async throws(Problem) -> Answer {
        do {
            return Answer(NativeAnswers.members(try await self.coordinator.members(change), node: self.node))
        } catch {
            guard change != nil, error == .outcomeUnknown else { throw self.problem(error, gid: nil) }
            throw Problem(
                .outcomeUnknown,
                "The change may or may not have been made; GET /v1/cluster/members shows who takes part.")
        }
    }

    /// `POST /v1/cluster/members`
    func changeMembers(_ body: [UInt8]) async throws(Problem) -> Answer {
        let root = try Self.parse(body)
        let change = try Self.fields { () throws(FieldError) in try NativeRequests.membershipChange(root) }
        return try await self.members(change)
    }
}
