// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// One option that says something about a branch, and where it stood among the others: `--payload` belongs to the
/// `--step` before it.
package struct BranchWord: Hashable, Sendable {
    package enum Name: String, Hashable, Sendable, CaseIterable {
        case step, `try`, compensate, confirm, cancel, payload, header
        case branchID = "branch-id"

        /// As it is written on the command line.
        var flag: String { "--\(self.rawValue)" }

        /// Whether a branch begins with it.
        var isFirst: Bool {
            switch self {
            case .step, .try: true
            case .compensate, .confirm, .cancel, .payload, .header, .branchID: false
            }
        }
    }

    package let name: Name
    package let value: String
    let position: Int

    private static let next = Atomic<Int>(0)

    /// The parser makes the words in the order of the command line, and keeps each option's apart: so they are numbered.
    package init(_ name: Name, _ value: String) {
        self.name = name
        self.value = value
        self.position = Self.next.add(1, ordering: .relaxed).newValue
    }
}
