// SPDX-License-Identifier: Apache-2.0

package import Raft

/// Entries that a log has lost to rot: what stood behind the harm is gone too, since nothing can follow a gap.
package struct LogLoss: Hashable, Sendable {
    /// The first harm.
    package let rot: Rot
    /// The last entry that is left.
    package let through: LogIndex
    /// A copy of the file as it was found.
    package let kept: String

    /// What was found, for people.
    package var description: String { StoreError.rot(self.rot, path: self.kept).description }
}
