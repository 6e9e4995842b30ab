// SPDX-License-Identifier: Apache-2.0

internal import CChecksum

/// CRC-32C, continued over several pieces.
struct Checksum {
    private(set) var value: UInt32

    init(seed: UInt32 = 0) { self.value = seed }

    mutating func add(_ bytes: some Collection<UInt8>) {
        let seed = self.value
        let fast = bytes.withContiguousStorageIfAvailable { buffer in
            verdict_crc32c(seed, buffer.baseAddress, buffer.count)
        }
        self.value = fast ?? Array(bytes).withUnsafeBytes { verdict_crc32c(seed, $0.baseAddress, $0.count) }
    }

    static func of(_ bytes: some Collection<UInt8>) -> UInt32 {
        var checksum = Checksum()
        checksum.add(bytes)
        return checksum.value
    }
}
