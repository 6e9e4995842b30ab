// SPDX-License-Identifier: Apache-2.0

/// How a node comes to its end when nobody has asked for it.
package struct NodeEndings: Sendable {
    /// Ends the process after an error of the disk; it must write the reason where the operator looks.
    package let fatal: @Sendable (String) -> Never
    /// Ends the process because the cluster uses a format that its program doesn't know.
    package let outdated: @Sendable (String) -> Never
    /// The node isn't a member of its cluster any more: it should be shut down.
    package let onRemoved: @Sendable () -> Void

    package init(
        fatal: @escaping @Sendable (String) -> Never, outdated: @escaping @Sendable (String) -> Never,
        onRemoved: @escaping @Sendable () -> Void
    ) {
        self.fatal = fatal
        self.outdated = outdated
        self.onRemoved = onRemoved
    }
}
