// SPDX-License-Identifier: Apache-2.0

/// The finished transactions that have left the machine's memory.
///
/// The machine's own finished transactions and this view together are exact at the applied index: a transaction is
/// evicted from memory only when the view shows it.
package protocol ArchiveView {
    /// - Returns: the transaction as it was when it finished, or `nil` if there never was one of this gid.
    func archived(_ gid: Gid) -> GlobalTransaction?
}

/// An archive without a transaction: for tests, and for a machine that evicts nothing.
package struct EmptyArchive: ArchiveView, Sendable {
    package init() {}
    package func archived(_ gid: Gid) -> GlobalTransaction? { nil }
}
