// SPDX-License-Identifier: Apache-2.0

import Locks
import NIOCore
import NIOPosix

/// What was waited for did not happen in time.
struct DeadlineExceeded: Error, CustomStringConvertible {
    let description: String
}

/// What has happened so far, in order; whoever waits for something in it is woken when it comes.
final class Journal<Item: Sendable>: Sendable {
    private struct Waiter {
        let isMet: @Sendable ([Item]) -> Bool
        let continuation: CheckedContinuation<[Item], any Error>
        let deadline: Scheduled<Void>
    }

    private struct State {
        var items: [Item] = []
        var waiters: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state = Locked(State())

    var items: [Item] { self.state.withLock { $0.items } }

    func append(_ item: Item) {
        let met = self.state.withLock { state in
            state.items.append(item)
            let items = state.items
            let met = state.waiters.filter { $0.value.isMet(items) }
            for number in met.keys { state.waiters[number] = nil }
            return met.values.map { ($0, items) }
        }
        for (waiter, items) in met {
            waiter.deadline.cancel()
            waiter.continuation.resume(returning: items)
        }
    }

    /// Waits until the items so far meet the condition.
    ///
    /// - Parameter what: names it in the error.
    @discardableResult
    func wait(
        for what: @autoclosure @escaping @Sendable () -> String, within limit: TimeAmount = .seconds(60),
        until isMet: @escaping @Sendable ([Item]) -> Bool
    ) async throws -> [Item] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return try await withCheckedThrowingContinuation { continuation in
            let met: [Item]? = self.state.withLock { state in
                if isMet(state.items) { return state.items }
                state.lastWaiter += 1
                let number = state.lastWaiter
                let deadline = loop.scheduleTask(in: limit) { self.giveUp(number, what()) }
                state.waiters[number] = Waiter(isMet: isMet, continuation: continuation, deadline: deadline)
                return nil
            }
            if let met { continuation.resume(returning: met) }
        }
    }

    private func giveUp(_ number: UInt64, _ what: String) {
        let (waiter, count) = self.state.withLock { ($0.waiters.removeValue(forKey: number), $0.items.count) }
        waiter?.continuation.resume(
            throwing: DeadlineExceeded(description: "no \(what.prefix(300)) among \(count) items"))
    }
}

extension Journal where Item: Equatable {
    /// Waits until the item has come `count` times.
    func wait(for item: Item, count: Int = 1) async throws {
        try await self.wait(for: "\(item), \(count) times") { $0.count { $0 == item } >= count }
    }
}
