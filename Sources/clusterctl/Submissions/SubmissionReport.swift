// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient

/// What came of a submission, for people and programs.
package struct SubmissionReport: Sendable, Encodable {
    package let gid: String
    /// `committed`, `aborted`, `unknown`; `nil` if it wasn't waited for and isn't known.
    package let outcome: String?
    package let state: String
    package let reason: String?
    package let node: String
    package let term: UInt64
    package let index: UInt64
    package let milliseconds: Double
    private let isWaiting: Bool

    private enum CodingKeys: String, CodingKey {
        case gid, outcome, state, reason, node, term, index, milliseconds
    }

    /// - Parameter isWaiting: the outcome was waited for, so not to know it is a result of its own.
    package init(_ transaction: Transaction, isWaiting: Bool, took: Duration) {
        self.gid = transaction.gid
        self.outcome = transaction.outcome?.rawValue ?? (isWaiting ? "unknown" : nil)
        self.state = transaction.state.rawValue
        self.reason = transaction.reason
        self.node = transaction.node
        self.term = transaction.term
        self.index = transaction.index
        self.milliseconds = took.milliseconds
        self.isWaiting = isWaiting
    }

    /// What the command ends with.
    package var exitCode: Int32 { self.status.rawValue }

    var status: ExitStatus {
        switch self.outcome {
        case Outcome.committed.rawValue: .success
        case Outcome.aborted.rawValue: .aborted
        case nil: .success
        case _: .unknown
        }
    }

    package var text: String {
        let why = self.reason.map { " (\(Table.visible($0)))" } ?? ""
        return switch self.outcome {
        case Outcome.committed.rawValue: "Committed: transaction \(self.gid)"
        case Outcome.aborted.rawValue: "Aborted: transaction \(self.gid)\(why)"
        case nil: "Recorded: transaction \(self.gid), \(self.state)"
        case _:
            """
            Not decided in the time to wait: transaction \(self.gid), \(self.state)\(why)
            It is recorded and goes on. See: clusterctl tx show \(self.gid)
            """
        }
    }
}
