// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Raft
import Transactions

/// What a client of this node wants of the loop, with the way back to it.
enum ClientRequest: Sendable {
    typealias Reply<Value: Sendable> = @Sendable (Result<Value, CoordinatorError>) -> Void

    case command(Command, Reply<CommittedAnswer>)
    case linearizableRead(Gid, Reply<TransactionReading>)
    case localRead(Gid, Reply<TransactionReading>)
    case waitForDecision(Gid, until: NIODeadline, Reply<TransactionReading>)
    case list(state: TransactionState?, after: Gid?, limit: Int, Reply<TransactionPage>)
    case clusterStatus(Reply<ClusterStatus>)
    case transferLeadership(to: NodeID?, Reply<LeadershipAnswer>)
    /// Who takes part; nil: as it is, else after this change.
    case members(MembershipChange?, Reply<MembersAnswer>)
    /// Everything that was acknowledged to anyone before is applied here.
    case catchUp(Reply<Void>)
    case notes(Reply<NotesReading>)
    case backup(Reply<BackupSource>)

    /// Whether it is answered from what this node has applied, whatever that is.
    var readsState: Bool {
        switch self {
        case .localRead, .waitForDecision, .list, .notes, .backup: true
        case .command, .linearizableRead, .clusterStatus, .transferLeadership, .members, .catchUp: false
        }
    }

    /// Says why there is no answer.
    func fail(_ error: CoordinatorError) {
        switch self {
        case .command(_, let reply): reply(.failure(error))
        case .linearizableRead(_, let reply), .localRead(_, let reply), .waitForDecision(_, _, let reply):
            reply(.failure(error))
        case .list(_, _, _, let reply): reply(.failure(error))
        case .clusterStatus(let reply): reply(.failure(error))
        case .transferLeadership(_, let reply): reply(.failure(error))
        case .members(_, let reply): reply(.failure(error))
        case .catchUp(let reply): reply(.failure(error))
        case .notes(let reply): reply(.failure(error))
        case .backup(let reply): reply(.failure(error))
        }
    }
}

/// A client's request that needs the leader, from its arrival to its answer.
struct PendingRequest {
    enum Purpose {
        case command(Command, ClientRequest.Reply<CommittedAnswer>)
        case read(Gid, ClientRequest.Reply<TransactionReading>)
        case catchUp(ClientRequest.Reply<Void>)
    }
    enum Whereabouts {
        /// No leader is known, or it could not be reached.
        case parked
        /// Asked of this leader: this node or another one.
        case underWay(to: NodeID)
        /// The read index is known, and this node hasn't applied it yet.
        case awaitingApply
    }

    let purpose: Purpose
    let deadline: NIODeadline
    var whereabouts = Whereabouts.parked
    /// It may be in some node's log: "not recorded" is no longer a true answer.
    var isPerhapsProposed = false

    func fail(_ error: CoordinatorError) {
        switch self.purpose {
        case .command(_, let reply): reply(.failure(error))
        case .read(_, let reply): reply(.failure(error))
        case .catchUp(let reply): reply(.failure(error))
        }
    }
}

/// Whom a proposed command's result goes to.
enum Proposer {
    case client(UInt64)
    case peer(PeerReply)
    /// The executor: it learns from the effects.
    case nobody
}
