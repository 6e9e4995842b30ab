// SPDX-License-Identifier: Apache-2.0

import Bytes
package import Raft

/// What a client wants: set the register to a value. A client counts its writes, so that a repeated one has no second
/// effect.
package struct RegisterWrite: Hashable, Sendable {
    package let client: UInt32
    package let sequence: UInt64
    package let value: UInt64

    package init(client: UInt32, sequence: UInt64, value: UInt64) {
        self.client = client
        self.sequence = sequence
        self.value = value
    }

    /// Tells its payloads from those of transactions, which begin with their version.
    private static let tag: UInt8 = 0x52

    package var payload: [UInt8] {
        var writer = ByteWriter(capacity: 21)
        writer.write(Self.tag)
        writer.write(self.client)
        writer.write(self.sequence)
        writer.write(self.value)
        return writer.bytes
    }

    package init?(payload: [UInt8]) {
        var reader = ByteReader(payload)
        do {
            guard try reader.read(UInt8.self) == Self.tag else { return nil }
            self.client = try reader.read()
            self.sequence = try reader.read()
            self.value = try reader.read()
            try reader.finish()
        } catch {
            return nil
        }
    }
}

/// The stand-in state machine: one register, and the last write of each client.
package struct Register: Hashable, Sendable {
    package private(set) var appliedIndex: LogIndex = .zero
    package private(set) var value: UInt64 = 0
    /// Runs over everything that was applied, so that two nodes which differ once differ for ever.
    package private(set) var hash = StableHash()
    private var lastSequence: [UInt64]

    package init(clients: Int) {
        self.lastSequence = [UInt64](repeating: 0, count: clients)
    }

    package mutating func apply(_ entry: Entry) {
        self.appliedIndex = entry.index
        self.hash.mix(entry)
        guard entry.kind == .command, let write = RegisterWrite(payload: entry.payload) else { return }
        let client = Int(write.client)
        guard self.lastSequence.indices.contains(client), write.sequence > self.lastSequence[client] else { return }
        self.lastSequence[client] = write.sequence
        self.value = write.value
        self.hash.mix(self.value)
    }
}
