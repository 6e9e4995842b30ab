// SPDX-License-Identifier: Apache-2.0

package import Dispatch
import Locks

/// Reads the whole archive again and again while the node runs, so that rot is found before anybody asks for the row, and
/// a start needn't wait for a reading that takes as long as the archive is large.
///
/// It works a fifth of the time at most, on a thread of its own.
package final class ArchiveScrub: Sendable {
    private let queue = DispatchQueue(label: "verdict.scrub", qos: .utility)
    private let path: String
    private let identity: StateIdentity
    private let period: DispatchTimeInterval
    private let onPass: @Sendable (UInt64) -> Void
    private let onRot: @Sendable (StateStoreError) -> Void
    private let pass = Locked<ArchivePass?>(nil)
    private let isStopped = Locked(false)

    /// It rests so many times as long as it has worked.
    private static let rest = 4

    /// - Parameters:
    ///   - period: the pause between the end of one reading and the beginning of the next.
    ///   - onPass: called after each whole reading that found nothing wrong, with the number of rows.
    ///   - onRot: called once, with what was found; nothing is read any more then.
    package init(
        path: String, identity: StateIdentity, period: DispatchTimeInterval = .seconds(24 * 3600),
        onPass: @escaping @Sendable (UInt64) -> Void = { _ in }, onRot: @escaping @Sendable (StateStoreError) -> Void
    ) {
        self.path = path
        self.identity = identity
        self.period = period
        self.onPass = onPass
        self.onRot = onRot
    }

    /// Begins the first reading.
    package func start() { self.queue.async { [weak self] in self?.work() } }

    /// Returns when nothing is read any more.
    package func stop() {
        self.isStopped.withLock { $0 = true }
        self.queue.sync { self.pass.withLock { $0 = nil } }
    }

    /// Reads one page, and sees to it that the next one is read.
    private func work() {
        guard !self.isStopped.withLock({ $0 }) else { return }
        let began = DispatchTime.now().uptimeNanoseconds
        do throws(StateStoreError) {
            if let count = try self.readPage() {
                self.onPass(count)
                return self.goOn(after: self.period)
            }
        } catch {
            switch error {
            case .rot:
                self.isStopped.withLock { $0 = true }
                return self.onRot(error)
            // The file is in use, or another has just taken its place: it says nothing about the rows.
            case _:
                self.pass.withLock { $0 = nil }
                return self.goOn(after: .seconds(60))
            }
        }
        self.goOn(after: .nanoseconds(Self.rest * Int(DispatchTime.now().uptimeNanoseconds - began)))
    }

    /// - Returns: how many rows there are, at the end of a reading.
    private func readPage() throws(StateStoreError) -> UInt64? {
        try self.pass.withLock { pass throws(StateStoreError) in
            var current: ArchivePass
            if let begun = pass.take() {
                current = begun
            } else {
                current = try ArchivePass(path: self.path, identity: self.identity)
            }
            guard try current.step() else { return current.count }
            pass = consume current
            return nil
        }
    }

    private func goOn(after pause: DispatchTimeInterval) {
        self.queue.asyncAfter(deadline: .now() + pause) { [weak self] in self?.work() }
    }
}
