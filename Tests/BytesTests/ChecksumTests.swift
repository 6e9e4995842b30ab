// SPDX-License-Identifier: Apache-2.0

import CChecksum
import Testing

@Suite("CRC-32C") struct ChecksumTests {
    /// The check value of the catalogue of CRCs, and the vectors of RFC 3720, appendix B.4.
    static let vectors: [(bytes: [UInt8], value: UInt32)] = [
        ([], 0), (Array("123456789".utf8), 0xe306_9283), ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
        ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
        ((0..<32).reversed(), 0x113f_db5c),
    ]

    typealias Checksum = (UInt32, UnsafeRawPointer?, Int) -> UInt32

    private func checksum(_ bytes: [UInt8], seed: UInt32 = 0, by function: Checksum) -> UInt32 {
        bytes.withUnsafeBytes { function(seed, $0.baseAddress, $0.count) }
    }

    @Test("Known vectors, by the processor's instruction and by the table", arguments: vectors)
    func known(bytes: [UInt8], value: UInt32) {
        #expect(self.checksum(bytes, by: verdict_crc32c) == value)
        #expect(self.checksum(bytes, by: verdict_crc32c_portable) == value)
    }

    @Test("Both ways agree for every length, alignment and seed")
    func agreement() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ 7) }
        for start in 0..<9 {
            for end in start..<bytes.count {
                bytes[start..<end].withUnsafeBytes { raw in
                    let seed = UInt32(truncatingIfNeeded: end &* 2_654_435_761)
                    let fast = verdict_crc32c(seed, raw.baseAddress, raw.count)
                    let portable = verdict_crc32c_portable(seed, raw.baseAddress, raw.count)
                    if fast != portable { Issue.record("\(start)..<\(end) differ") }
                }
            }
        }
    }

    @Test("A checksum continues: two parts give what the whole gives")
    func continued() {
        let bytes = Array("a transaction, an outcome, and no other".utf8)
        let whole = self.checksum(bytes, by: verdict_crc32c)
        for cut in 0...bytes.count {
            let first = self.checksum(Array(bytes[..<cut]), by: verdict_crc32c)
            #expect(self.checksum(Array(bytes[cut...]), seed: first, by: verdict_crc32c) == whole)
        }
    }

    @Test("Every flipped bit shows")
    func flips() {
        let bytes = Array(0..<UInt8(64))
        let whole = self.checksum(bytes, by: verdict_crc32c)
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(self.checksum(flipped, by: verdict_crc32c) != whole)
        }
    }
}
