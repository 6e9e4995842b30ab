// SPDX-License-Identifier: Apache-2.0

/// A priority queue in an array: the smallest element comes out first. Equal elements come out in any order, so give
/// elements a total order where that matters.
struct BinaryHeap<Element: Comparable> {
    private var elements: [Element] = []

    var count: Int { self.elements.count }

    /// The smallest element.
    var first: Element? { self.elements.first }

    mutating func insert(_ element: Element) {
        self.elements.append(element)
        var child = self.elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard self.elements[child] < self.elements[parent] else { return }
            self.elements.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes out the smallest element.
    mutating func popFirst() -> Element? {
        guard !self.elements.isEmpty else { return nil }
        self.elements.swapAt(0, self.elements.count - 1)
        let smallest = self.elements.removeLast()
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < self.elements.count else { return smallest }
            if child + 1 < self.elements.count, self.elements[child + 1] < self.elements[child] { child += 1 }
            guard self.elements[child] < self.elements[parent] else { return smallest }
            self.elements.swapAt(child, parent)
            parent = child
        }
    }

    mutating func removeAll() {
        self.elements.removeAll()
    }
}

extension BinaryHeap: Sendable where Element: Sendable {}
