// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import SQLite

/// Why a call through the barrier has no answer. Nothing of the call stays in the database.
public struct SQLiteBarrierError: Error, Sendable, CustomStringConvertible {
    /// The kinds of errors. New ones may come.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's name.
        public let description: String

        /// The call can't be right after what was recorded before; answer 409, and let someone look at it.
        public static let contradiction = Code(description: "contradiction")
        /// The database failed. Answer 500: the coordinator calls again.
        public static let storage = Code(description: "storage")
        /// A sync, read or write failed. What SQLite holds in memory can't be trusted any more: end the process.
        public static let mustExit = Code(description: "must-exit")
        /// The effect threw something other than ``BranchFailure``; see `underlying`.
        public static let effect = Code(description: "effect")
    }

    /// The kind of error.
    public let code: Code
    /// What happened, for people.
    public let detail: String
    /// What the effect threw.
    public let underlying: (any Error)?

    /// One line with all of it.
    public var description: String { "\(self.code): \(self.detail)" }

    private init(_ code: Code, _ detail: String, underlying: (any Error)? = nil) {
        self.code = code
        self.detail = detail
        self.underlying = underlying
    }

    init(_ error: BarrierRunError) {
        switch error {
        case .contradiction(let contradiction): self.init(.contradiction, contradiction.description)
        case .sqlite(let error): self.init(error)
        case .unreadable(let what): self.init(.storage, "cannot read \(what)")
        case .effect(let error): self.init(.effect, "\(error)", underlying: error)
        }
    }

    init(_ error: SQLiteError) {
        self.init(error.isIO ? .mustExit : .storage, error.description)
    }
}
