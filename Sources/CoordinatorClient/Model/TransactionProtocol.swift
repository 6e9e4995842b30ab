// SPDX-License-Identifier: Apache-2.0

/// How a global transaction reaches its outcome. More protocols may come, so this is an open set of names.
public struct TransactionProtocol: RawRepresentable, Hashable, Sendable, Codable {
    /// The name on the wire.
    public let rawValue: String
    /// A protocol by its name on the wire.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Steps that take effect one by one, each with a compensation that undoes it.
    public static let saga = TransactionProtocol(rawValue: "saga")
    /// Try reserves, then either confirm or cancel.
    public static let tcc = TransactionProtocol(rawValue: "tcc")
}

/// What was decided. It never changes once it was told to anyone.
public enum Outcome: String, Hashable, Sendable, Codable {
    /// Every branch takes effect.
    case committed
    /// No branch keeps an effect.
    case aborted
}

/// How far a transaction is. `outcome` tells what was decided, this tells whether the branches have all been told.
public struct TransactionState: RawRepresentable, Hashable, Sendable, Codable {
    /// The name on the wire.
    public let rawValue: String
    /// A state by its name on the wire.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Begun; the application still registers branches.
    public static let open = TransactionState(rawValue: "open")
    /// The branches' actions or tries are being called.
    public static let running = TransactionState(rawValue: "running")
    /// Commit is decided; branches are still to be told.
    public static let committing = TransactionState(rawValue: "committing")
    /// Abort is decided; branches are still to be told.
    public static let aborting = TransactionState(rawValue: "aborting")
    /// Commit is decided and every branch has acknowledged it.
    public static let committed = TransactionState(rawValue: "committed")
    /// Abort is decided and every branch has acknowledged it.
    public static let aborted = TransactionState(rawValue: "aborted")
}

/// How far one branch is; an open set of names, since protocols differ.
public struct BranchState: RawRepresentable, Hashable, Sendable, Codable {
    /// The name on the wire.
    public let rawValue: String
    /// A state by its name on the wire.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Not called yet, or not answered yet.
    public static let pending = BranchState(rawValue: "pending")
    /// Its action or try succeeded.
    public static let done = BranchState(rawValue: "done")
    /// Its action or try was refused by the participant.
    public static let failed = BranchState(rawValue: "failed")
    /// Its compensation is due.
    public static let compensating = BranchState(rawValue: "compensating")
    /// Its compensation succeeded.
    public static let compensated = BranchState(rawValue: "compensated")
    /// Its confirm is due.
    public static let confirming = BranchState(rawValue: "confirming")
    /// Its confirm succeeded.
    public static let confirmed = BranchState(rawValue: "confirmed")
    /// Its cancel is due.
    public static let cancelling = BranchState(rawValue: "cancelling")
    /// Its cancel succeeded.
    public static let cancelled = BranchState(rawValue: "cancelled")
}

/// What a read may be answered from.
public enum ReadConsistency: String, Hashable, Sendable, Codable {
    /// As new as every answer that anyone had before the read began; needs a leader with a quorum.
    case linearizable
    /// What the asked node has applied so far; may be old, and is answered without a leader too.
    case local
}
