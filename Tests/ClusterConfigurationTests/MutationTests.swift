// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

/// A small generator (SplitMix64), so that a failing file comes again from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Damaged files")
struct MutationTests {
    private static let corpus = """
        [cluster]
        name = verdict
        id = 0123456789abcdef0123456789abcdef
        allow-plain = true
        [timing]
        heartbeat = 30ms
        election-timeout-min = 150ms
        stop-grace = 1min # note
        [limits]
        max-body = 1MiB
        max-connections = 256
        [calls]
        allow = 127.0.0.1:*, [fd00::/8]:443, bank.example:80
        retry-cap = 10s
        [node n1]
        peer = 127.0.0.1:7501
        client = [::1]:7401
        data = data/n1
        [node n-2]
        peer = n2.example:7502
        client = 10.0.0.2:7402
        data = ../n2
        wal-checkpoint = 2MiB
        """

    private static let pieces: [[UInt8]] =
        [
            "[", "]", "=", "#", ":", "/", "::", "\n", "\r", "\0", "-", "9999999999999999999", "node", "[node n1]\n",
            "*", "é",
            "\u{202e}", "ms", "GiB", ",", " ", "0", "\"",
        ].map { Array($0.utf8) } + [[0xff], [0xc3], [0xed, 0xa0, 0x80]]

    private static func mutated(
        _ bytes: [UInt8], most: Int = 8, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...most, using: &generator) {
            let position = Int.random(in: 0...bytes.count, using: &generator)
            let end = min(bytes.count, position + Int.random(in: 0...12, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes.removeSubrange(position..<end)
            case 1: bytes.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: position)
            case 2:
                bytes.insert(contentsOf: bytes[position..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            case 3: if position < bytes.count { bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator) }
            case 4: if position < bytes.count { bytes[position] = UInt8.random(in: 0...255, using: &generator) }
            case _: bytes.replaceSubrange(position..<end, with: Self.pieces.randomElement(using: &generator) ?? [])
            }
        }
        return bytes
    }

    @Test("The undamaged file parses")
    func corpus() throws {
        let configuration = try ClusterConfiguration.parse(Array(Self.corpus.utf8), file: "cluster.conf")
        #expect(configuration.nodes.map(\.id) == ["n1", "n-2"])
    }

    @Test("20,000 damaged files each parse or give problems", arguments: 0..<8)
    func mutations(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let corpus = Array(Self.corpus.utf8)
        var (parsed, refused) = (0, 0)
        for round in 0..<2_500 {
            let bytes = Self.mutated(corpus, most: round.isMultiple(of: 2) ? 1 : 8, &generator)
            do {
                let configuration = try ClusterConfiguration.parse(bytes, file: "cluster.conf", folder: "/etc")
                if configuration.nodes.isEmpty
                    || configuration.timing.heartbeat * 2 >= configuration.timing.electionTimeoutMinimum
                {
                    Issue.record("seed \(seed), round \(round): accepted what must be refused")
                }
                parsed += 1
            } catch {
                if error.problems.isEmpty || error.problems.contains(where: { "\($0)".count > 500 }) {
                    Issue.record(
                        "seed \(seed), round \(round): \(error.problems.count) problems, or one too long to read")
                }
                refused += 1
            }
        }
        // Both happen, or the test would prove nothing.
        #expect(parsed > 100)
        #expect(refused > 1_000)
    }

    @Test("Settings that are damaged in the environment and in flags give problems or parse", arguments: 0..<4)
    func overrides(seed: UInt64) {
        var generator = SeededGenerator(seed: 1_000 + seed)
        var (parsed, refused) = (0, 0)
        for round in 0..<500 {
            // One of the two is damaged, in turn.
            var flag = Array("node.n1.peer=127.0.0.1:80".utf8)
            var address = Array("10.0.0.0/8:*".utf8)
            if round.isMultiple(of: 2) {
                flag = Self.mutated(flag, most: 3, &generator)
            } else {
                address = Self.mutated(address, most: 3, &generator)
            }
            do {
                _ = try ClusterConfiguration.parse(
                    Array(Self.corpus.utf8), file: "cluster.conf",
                    environment: ["VERDICT_CALLS_ALLOW": String(decoding: address, as: UTF8.self)],
                    flags: [String(decoding: flag, as: UTF8.self)])
                parsed += 1
            } catch {
                refused += 1
            }
        }
        #expect(parsed > 0)
        #expect(refused > 300)
    }
}
