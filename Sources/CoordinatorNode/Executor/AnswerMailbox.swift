// SPDX-License-Identifier: Apache-2.0

import Locks

/// Where the transports' threads put answers and the executor's loop takes them out, all at once: the loop is woken only
/// by the answer that finds the box empty. It never holds more than the calls in flight.
final class AnswerMailbox: Sendable {
    private let answers = Locked<[(id: CallID, answer: BranchAnswer)]>([])

    /// - Returns: whether the box was empty: then the loop must be woken.
    func put(_ answer: BranchAnswer, of id: CallID) -> Bool {
        self.answers.withLock { answers in
            answers.append((id, answer))
            return answers.count == 1
        }
    }

    func takeAll() -> [(id: CallID, answer: BranchAnswer)] {
        self.answers.withLock { answers in
            let all = answers
            answers = []
            return all
        }
    }
}
