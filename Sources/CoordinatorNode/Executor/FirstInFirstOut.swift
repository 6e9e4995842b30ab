// SPDX-License-Identifier: Apache-2.0

/// A queue in an array with a moving head: the space before the head is given back when it is half of the array.
struct FirstInFirstOut<Element> {
    private var elements: [Element] = []
    private var head = 0

    var isEmpty: Bool { self.head == self.elements.count }

    var count: Int { self.elements.count - self.head }

    var first: Element? { self.isEmpty ? nil : self.elements[self.head] }

    mutating func append(_ element: Element) {
        self.elements.append(element)
    }

    mutating func popFirst() -> Element? {
        guard !self.isEmpty else { return nil }
        let element = self.elements[self.head]
        self.head += 1
        if self.head == self.elements.count {
            self.removeAll()
        } else if self.head >= 64, self.head * 2 >= self.elements.count {
            self.elements.removeFirst(self.head)
            self.head = 0
        }
        return element
    }

    /// Takes out what `isUnwanted` says; the rest keeps its order.
    mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        self.elements.removeFirst(self.head)
        self.head = 0
        self.elements.removeAll(where: isUnwanted)
    }

    mutating func removeAll() {
        self.elements.removeAll(keepingCapacity: true)
        self.head = 0
    }
}

extension FirstInFirstOut: Sendable where Element: Sendable {}
