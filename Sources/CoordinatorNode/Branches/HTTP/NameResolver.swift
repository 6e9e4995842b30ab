// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Dispatch
import NIOCore

/// Finds the addresses of names without blocking its event loop: one look-up of a name at a time, a bounded number in all,
/// each on a thread of its own, so that a name whose server doesn't answer keeps few others waiting.
final class NameResolver {
    private struct Entry {
        var addresses: [ResolvedAddress] = []
        var freshUntil = NIODeadline.uptimeNanoseconds(0)
        /// Who waits for the look-up that is under way or in line; `nil` if there is none.
        var waiting: [([ResolvedAddress]) -> Void]?
    }

    private let eventLoop: any EventLoop
    private let resolve: @Sendable (String) -> [ResolvedAddress]
    private var entries: [String: Entry] = [:]
    private var underWay = 0
    private var line = FirstInFirstOut<String>()

    /// How long an answer is used again.
    private static let freshness = TimeAmount.seconds(10)
    private static let maximumUnderWay = 16
    private static let maximumEntries = 1_024

    init(eventLoop: any EventLoop, resolve: @escaping @Sendable (String) -> [ResolvedAddress]) {
        self.eventLoop = eventLoop
        self.resolve = resolve
    }

    /// Calls `then` on the loop, at once if the addresses are known; with none if nobody knows the name.
    func addresses(of name: String, then: @escaping ([ResolvedAddress]) -> Void) {
        let entry = self.entries[name]
        if let entry, !entry.addresses.isEmpty, .now() < entry.freshUntil { return then(entry.addresses) }
        let isAsked = entry?.waiting != nil
        self.entries[name, default: Entry()].waiting = (entry?.waiting ?? []) + [then]
        guard !isAsked else { return }
        self.line.append(name)
        self.lookUp()
    }

    /// The addresses led nowhere: the next one who asks makes a new look-up.
    func forget(_ name: String) {
        self.entries[name]?.freshUntil = .uptimeNanoseconds(0)
    }

    private func lookUp() {
        while self.underWay < Self.maximumUnderWay, let name = self.line.popFirst() {
            self.underWay += 1
            let resolve = self.resolve
            let eventLoop = self.eventLoop
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            DispatchQueue.global().async {
                let addresses = resolve(name)
                eventLoop.execute { bound.value.found(addresses, of: name) }
            }
        }
    }

    private func found(_ addresses: [ResolvedAddress], of name: String) {
        self.underWay -= 1
        let waiting = self.entries[name]?.waiting ?? []
        if addresses.isEmpty {
            self.entries[name] = nil
        } else {
            self.entries[name] = Entry(addresses: addresses, freshUntil: .now() + Self.freshness)
        }
        if self.entries.count > Self.maximumEntries {
            let now = NIODeadline.now()
            self.entries = self.entries.filter { $0.value.waiting != nil || now < $0.value.freshUntil }
        }
        for then in waiting { then(addresses) }
        self.lookUp()
    }
}
