// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// When a client must have sent what: a value that the connection's handlers tell of bytes, heads and ends.
///
/// A request's first byte starts the header's time, its head the body's time, its end stops both. The time between
/// requests is not counted here.
struct RequestClock {
    enum Reading: Hashable {
        case nothing
        case head
        case body
    }

    private let headerTimeout: TimeAmount
    private let bodyTimeout: TimeAmount
    private(set) var reading = Reading.nothing
    /// When what is being read must be whole.
    private(set) var deadline: NIODeadline?

    init(headerTimeout: TimeAmount, bodyTimeout: TimeAmount) {
        self.headerTimeout = headerTimeout
        self.bodyTimeout = bodyTimeout
    }

    mutating func bytesArrived(now: NIODeadline) {
        guard self.reading == .nothing else { return }
        self.reading = .head
        self.deadline = now + self.headerTimeout
    }

    mutating func headArrived(now: NIODeadline) {
        self.reading = .body
        self.deadline = now + self.bodyTimeout
    }

    mutating func endArrived() {
        self.reading = .nothing
        self.deadline = nil
    }

    func isOver(now: NIODeadline) -> Bool {
        guard let deadline = self.deadline else { return false }
        return now >= deadline
    }
}
