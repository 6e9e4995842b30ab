// SPDX-License-Identifier: Apache-2.0

package import Bytes
package import Raft
package import Transactions

/// What can be due in a world.
enum WorldEvent {
    case deliver(Message, from: Int, StorageID, to: Int)
    case news(Connections.News, of: Int, to: Int, epoch: UInt32)
    case wake(Int, life: UInt32)
    case turn(Int, life: UInt32)
    case synced(Int, life: UInt32)
    case restart(Int, life: UInt32)
    case crash(Int, FaultKind, life: UInt32)
    case resume(Int, life: UInt32)
    case fault(FaultKind)
    case diskHasRoom(Int)
    case snapshot(SnapshotEvent)
    case membersMove
    case formatsMove
    case clockIsRight(Int)
    case partitionEnds([(from: Int, to: Int)])
    case clientActs(Int)
    case clientGivesUp(Int, attempt: UInt64)
    case request(Request, to: Int)
    case answer(Answer, Request, from: Int)
    case transaction(TransactionEvent)
    case heal
    case probe
    case clientsStop
    case end
}

/// What a world tells about itself: hashed, so that two runs can be compared, and printed when one fails.
package enum TraceEvent: Sendable {
    case sent(Message, to: Int)
    case dropped(Message, to: Int)
    case received(Message, from: Int)
    case deadline
    case persisting(Batch)
    case persisted(through: UInt64)
    case connected(Int)
    case disconnected(Int, isRefused: Bool)
    case role(RoleSummary)
    case applied(first: LogIndex, last: LogIndex)
    case proposed(client: Int, sequence: UInt64)
    case read(client: Int)
    case commanded(client: Int, Gid)
    case called(Gid, BranchID, Operation, attempt: UInt32)
    case heard(Gid, BranchID, Operation, BranchVerdict)
    case answered(client: Int, attempt: UInt64)
    case down(FaultKind, survivors: Int, of: Int)
    case started(term: Term, votedFor: NodeID?, last: LogIndex, applied: LogIndex)
    case foundRot(Rot)
    /// The node has its vote back.
    case repaired(through: LogIndex)
    case paused(nanoseconds: UInt64)
    case resumed
    case stalled(FaultKind, nanoseconds: UInt64)
    case diskFull(Bool)
    case harmed(ModelledDisk.Damage)
    case cut(from: Int, to: Int)
    case clogged(from: Int, to: Int, nanoseconds: UInt64)
    case healedLink(from: Int, to: Int)
    case healed
    case probed(LogIndex)
    case takingSnapshot(LogPosition)
    case fetching(LogPosition, from: Int, part: Int)
    case installed(LogPosition)
    case finishesInstall(LogPosition)
    case transfers
    case changesMembers
    case membersRefused(MembershipProblem)
    case diskLost
    case stateLost
    case upgraded
    case metNewer(FormatLevel)
    case clockJumps(milliseconds: Int64)
}
