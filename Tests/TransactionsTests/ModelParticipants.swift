// SPDX-License-Identifier: Apache-2.0

import Transactions

/// One branch of one transaction at its participant.
struct Seat: Hashable {
    let gid: Gid
    let branchID: BranchID
}

/// Participants with a branch barrier: an operation takes effect once, nothing is undone that wasn't done, and nothing
/// is done after it was undone. They note all that they are asked.
struct ModelParticipants {
    /// The operations that each branch was asked for, in the order of the first time.
    private(set) var heard: [Seat: [Transactions.Operation]] = [:]
    /// In the order in which the participants first heard them.
    private(set) var compensated: [Gid: [BranchID]] = [:]
    /// Branches whose action or confirm is in force.
    private(set) var inForce: Set<Seat> = []
    /// Branches whose try is held.
    private(set) var reserved: Set<Seat> = []
    private var answers: [Seat: BranchVerdict] = [:]

    /// Carries out a call.
    /// - Parameter wouldRefuse: whether a first action or try is refused.
    mutating func call(_ call: BranchCall, wouldRefuse: Bool) -> BranchVerdict {
        let seat = Seat(gid: call.gid, branchID: call.branchID)
        let isFirst = !self.heard[seat, default: []].contains(call.operation)
        if isFirst { self.heard[seat, default: []].append(call.operation) }
        switch call.operation {
        case .action, .try:
            if let answer = self.answers[seat] { return answer }
            let isUndone = self.heard[seat, default: []].contains { $0 == .compensate || $0 == .cancel }
            let verdict: BranchVerdict = wouldRefuse || isUndone ? .failure : .success
            self.answers[seat] = verdict
            if verdict == .success {
                if call.operation == .action { self.inForce.insert(seat) } else { self.reserved.insert(seat) }
            }
            return verdict
        case .compensate:
            if isFirst { self.compensated[call.gid, default: []].append(call.branchID) }
            self.inForce.remove(seat)
            return .success
        case .confirm:
            if self.reserved.remove(seat) != nil { self.inForce.insert(seat) }
            return .success
        case .cancel:
            self.reserved.remove(seat)
            return .success
        }
    }

    /// Whether the participant has ever been asked for it.
    func heard(_ operation: Transactions.Operation, _ seat: Seat) -> Bool {
        self.heard[seat, default: []].contains(operation)
    }
}
