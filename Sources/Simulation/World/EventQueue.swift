// SPDX-License-Identifier: Apache-2.0

/// What will happen, in order of time; what is due at the same time happens in the order in which it was added.
///
/// A binary heap of plain keys; the events stand still in slots beside it, so that sifting copies no references.
struct EventQueue<Event> {
    private struct Key {
        let time: UInt64
        let order: UInt64
        let slot: Int

        func isBefore(_ other: Key) -> Bool {
            self.time != other.time ? self.time < other.time : self.order < other.order
        }
    }

    private var heap: [Key] = []
    private var slots: [Event?] = []
    private var free: [Int] = []
    private var nextOrder: UInt64 = 0

    var isEmpty: Bool { self.heap.isEmpty }
    var count: Int { self.heap.count }

    mutating func add(_ event: Event, at time: UInt64) {
        let slot: Int
        if let reused = self.free.popLast() {
            slot = reused
            self.slots[slot] = event
        } else {
            slot = self.slots.count
            self.slots.append(event)
        }
        self.heap.append(Key(time: time, order: self.nextOrder, slot: slot))
        self.nextOrder += 1
        self.siftUp(self.heap.count - 1)
    }

    mutating func popFirst() -> (time: UInt64, event: Event)? {
        guard let first = self.heap.first, let last = self.heap.popLast() else { return nil }
        if !self.heap.isEmpty {
            self.heap[0] = last
            self.siftDown(0)
        }
        let taken = self.slots[first.slot].take()
        self.free.append(first.slot)
        guard let event = taken else { invariantFailure("the slot \(first.slot) of the event queue is empty") }
        return (first.time, event)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        let moving = self.heap[child]
        while child > 0 {
            let parent = (child - 1) / 2
            guard moving.isBefore(self.heap[parent]) else { break }
            self.heap[child] = self.heap[parent]
            child = parent
        }
        self.heap[child] = moving
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        let moving = self.heap[parent]
        while true {
            var child = 2 * parent + 1
            guard child < self.heap.count else { break }
            if child + 1 < self.heap.count, self.heap[child + 1].isBefore(self.heap[child]) { child += 1 }
            guard self.heap[child].isBefore(moving) else { break }
            self.heap[parent] = self.heap[child]
            parent = child
        }
        self.heap[parent] = moving
    }
}

/// A rule of the simulator itself is broken: nothing that it could report would be worth reading.
func invariantFailure(_ message: String) -> Never {
    fatalError("simulation: \(message)")
}
