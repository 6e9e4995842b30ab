// SPDX-License-Identifier: Apache-2.0

import Locks

/// Where work from other threads waits for the driver's loop, which takes it all at once: one wake-up when it becomes
/// non-empty, however much comes after.
final class LoopMailbox<Item: Sendable>: Sendable {
    private struct State {
        var items: [Item] = []
        var isClosed = false
    }
    private let state = Locked(State())
    private let wake: @Sendable () -> Void

    /// - Parameter wake: makes the loop call `takeAll`; called on the thread that puts.
    init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    /// - Returns: false if the mailbox is closed; the item was not taken.
    func put(_ item: Item) -> Bool {
        let (isTaken, isFirst) = self.state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.items.append(item)
            return (true, state.items.count == 1)
        }
        if isFirst { self.wake() }
        return isTaken
    }

    func takeAll() -> [Item] {
        self.state.withLock { state in
            let items = state.items
            state.items = []
            return items
        }
    }

    /// Refuses what comes from now on.
    /// - Returns: what was still waiting.
    func close() -> [Item] {
        self.state.withLock { state in
            state.isClosed = true
            let items = state.items
            state.items = []
            return items
        }
    }
}
