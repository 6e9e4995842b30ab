// SPDX-License-Identifier: Apache-2.0

import Glibc

extension ClusterContext {
    private static let lockPatience = Duration.seconds(30)

    /// Runs while no other `init`, `start` or `stop` of this cluster on this machine does: what one of them has seen of the
    /// processes must still be so when it acts.
    ///
    /// A lock on the cluster's file, which the kernel takes back however this process ends. The body looks and acts and
    /// waits for nothing; the nodes' own safety is in the locks of their folders.
    func exclusively<Result>(
        _ output: Output, _ body: () throws(CommandFailure) -> Result
    ) async throws(CommandFailure) -> Result {
        // A pipe has no writer any more.
        let descriptor = open(self.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw CommandFailure(.usage, "\(self.path): can't be read: \(String(cString: strerror(errno)))")
        }
        // Lets go of the lock, too.
        defer { close(descriptor) }
        let deadline = ContinuousClock.now + Self.lockPatience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            guard code == EWOULDBLOCK || code == EINTR else {
                // Some file systems have no such locks.
                output.note(
                    """
                    Note: \(self.path) can't be locked (\(String(cString: strerror(code)))): don't start and stop at the \
                    same time.
                    """)
                break
            }
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(
                    .failure,
                    """
                    another process has kept \(self.path) locked for \(Self.lockPatience.shortText), as clusterctl init, \
                    start and stop do for a moment
                    """)
            }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return try body()
    }
}
