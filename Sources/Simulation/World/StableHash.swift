// SPDX-License-Identifier: Apache-2.0

package import Raft

/// A 64-bit hash that is the same in every process, which the standard library's is not. It finds differences; it
/// resists no attacker.
package struct StableHash: Hashable, Sendable {
    package private(set) var value: UInt64

    package init(_ value: UInt64 = 0x243F_6A88_85A3_08D3) { self.value = value }

    package mutating func mix(_ word: UInt64) {
        let product = (self.value ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        self.value = (product.high ^ product.low) &+ 0xD1B5_4A32_D192_ED03 &+ word
    }

    package mutating func mix(_ bytes: [UInt8]) {
        self.mix(UInt64(bytes.count))
        var word: UInt64 = 0
        var filled: UInt64 = 0
        for byte in bytes {
            word |= UInt64(byte) << (filled * 8)
            filled += 1
            if filled == 8 {
                self.mix(word)
                word = 0
                filled = 0
            }
        }
        if filled > 0 { self.mix(word) }
    }

    package mutating func mix(_ entry: Entry) {
        self.mix(entry.index.rawValue)
        self.mix(entry.term.rawValue)
        self.mix(UInt64(entry.kind.rawValue))
        self.mix(entry.payload)
    }
}
