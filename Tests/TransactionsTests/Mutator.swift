// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Makes damaged inputs out of good ones. The same seed gives the same inputs.
struct Mutator {
    private var random: SeededGenerator
    private let samples: [[UInt8]]

    init(samples: [[UInt8]], seed: UInt64) {
        self.samples = samples
        self.random = SeededGenerator(seed: seed)
    }

    /// How many inputs each parser gets: 200,000, or what `VERDICT_MUTATIONS` says.
    static let count = ProcessInfo.processInfo.environment["VERDICT_MUTATIONS"].flatMap { Int($0) } ?? 200_000

    /// A sample with one to four changes.
    mutating func next() -> [UInt8] {
        var bytes = self.samples[Int.random(in: 0..<self.samples.count, using: &self.random)]
        for _ in 0..<Int.random(in: 1...4, using: &self.random) { self.change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes.append(self.random.byte())
            return
        }
        let position = Int.random(in: 0..<bytes.count, using: &self.random)
        let length = min(Int.random(in: 1...8, using: &self.random), bytes.count - position)
        switch Int.random(in: 0..<9, using: &self.random) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &self.random)
        case 1: bytes[position] = self.random.byte()
        case 2: bytes[position] = [0, 1, 2, 0x7f, 0x80, 0xff].randomElement(using: &self.random) ?? 0
        case 3: bytes.removeSubrange(position..<position + length)
        case 4:
            let inserted = (0..<length).map { _ in self.random.byte() }
            bytes.insert(contentsOf: inserted, at: position)
        case 5: bytes.removeLast(bytes.count - position)
        case 6: bytes.insert(contentsOf: bytes[position..<position + length], at: position)
        case 7:
            // A length or count that lies.
            let lie: UInt32 =
                [0, 1, 256, 257, 65_536, 0x7fff_ffff, .max].randomElement(using: &self.random) ?? 0
            for offset in 0..<min(4, bytes.count - position) {
                bytes[position + offset] = UInt8(truncatingIfNeeded: lie >> (8 * UInt32(offset)))
            }
        case _:
            let other = self.samples[Int.random(in: 0..<self.samples.count, using: &self.random)]
            guard !other.isEmpty else { return }
            let start = Int.random(in: 0..<other.count, using: &self.random)
            bytes.replaceSubrange(position..., with: other[start...])
        }
    }
}

extension SeededGenerator {
    mutating func byte() -> UInt8 { UInt8.random(in: .min ... .max, using: &self) }
}
