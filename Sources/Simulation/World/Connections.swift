// SPDX-License-Identifier: Apache-2.0

/// Which pairs of nodes have a connection, and what each end still has to hear about it.
///
/// A pair's epoch counts its changes, so that news which a later change has overtaken is not told.
struct Connections: Sendable {
    enum News: Hashable, Sendable {
        case connected
        case lost(isRefused: Bool)
    }

    private struct Pair: Sendable {
        var isUp = false
        var epoch: UInt32 = 0
    }

    private let size: Int
    private var pairs: [Pair]

    init(size: Int) {
        self.size = size
        self.pairs = [Pair](repeating: Pair(), count: size * size)
    }

    func isUp(_ a: Int, _ b: Int) -> Bool { self.pairs[self.position(a, b)].isUp }
    func epoch(_ a: Int, _ b: Int) -> UInt32 { self.pairs[self.position(a, b)].epoch }

    mutating func set(_ a: Int, _ b: Int, isUp: Bool) {
        let position = self.position(a, b)
        self.pairs[position].isUp = isUp
        self.pairs[position].epoch += 1
    }

    private func position(_ a: Int, _ b: Int) -> Int { min(a, b) * self.size + max(a, b) }
}
