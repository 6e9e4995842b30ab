// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Foundation
import Locks
import StrictJSON
import Testing

/// A clock that goes on by a millisecond each time it is asked.
final class TickingClock: Sendable {
    private let time = Locked<UInt64>(1_795_339_800_000)

    func next() -> UInt64 {
        self.time.withLock { time in
            time += 1
            return time
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: one seed, one sequence.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var word = self.state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

@Suite("Native API: mutated requests", .timeLimit(.minutes(30))) struct APIMutationTests {
    /// `VERDICT_MUTATIONS` asks for more.
    static let count = ProcessInfo.processInfo.environment["VERDICT_MUTATIONS"].flatMap { Int($0) } ?? 20_000
    static let seed: UInt64 = 20_261_122

    static let corpus: [[UInt8]] = [
        Example.saga(#", "gid": "g\u00e9/~\"\\", "timeout_ms": 5000, "wait_ms": 0, "concurrent": true"#),
        Example.saga(branches: [Example.branch(#", "headers": {"A": "1", "B": "2"}, "payload": [1, -2.5e3, null]"#)]),
        #"{"protocol": "tcc", "branches": [\#(Example.tccBranch), \#(Example.tccBranch)]}"#,
        Example.registration, #"{"reason": "é漢😀\ud83d\ude00", "wait_ms": 100}"#,
        #"{"a": {"b": [[[[{"c": {}}]], true], false], "d": {}}, "": ""}"#,
    ].map { Array($0.utf8) }

    /// Pieces that a parser may stumble over.
    static let pieces: [[UInt8]] =
        [
            #"""#, "\\", "{", "}", "[", "]", ",", ":", "\\u", "\\ud800", "\\udc00", "0", "-", ".", "e", "1e9", "null",
            "\u{0}", "\n",
            "\u{feff}", "é", #","gid":"a""#, #""protocol""#, String(repeating: "[", count: 40),
        ].map { Array($0.utf8) } + [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]

    static func mutant(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = Self.corpus[Int.random(in: 0..<Self.corpus.count, using: &random)]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 1 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &random)))
            case 3:
                bytes.insert(contentsOf: Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)], at: place)
            case 4:
                let end = Int.random(in: place...bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            case _: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }

    @Test("The parser ends every mutant in values or an error at a place, and takes nothing that Foundation refuses")
    func parser() throws {
        var random = SeededGenerator(state: Self.seed)
        var acceptedCount = 0
        for round in 0..<Self.count {
            let bytes = Self.mutant(&random)
            do throws(JSONSyntaxError) {
                let document = try JSONDocument(bytes)
                acceptedCount += 1
                let walked = Self.walk(document.root)
                #expect(walked == nil, "seed \(Self.seed), round \(round): \(walked ?? "")")
                let isTaken = (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
                // Foundation makes a double of every number, and so refuses 1e999; here it is only digits.
                let isValid = isTaken || String(decoding: bytes, as: UTF8.self).contains(/[eE]\+?[0-9]{3}/)
                #expect(isValid, "seed \(Self.seed), round \(round): \(String(decoding: bytes, as: UTF8.self))")
            } catch {
                #expect(error.offset <= bytes.count, "seed \(Self.seed), round \(round)")
                #expect(error.line >= 1 && error.column >= 1, "seed \(Self.seed), round \(round)")
            }
        }
        // Else the mutations are too wild to test what lies behind the syntax.
        #expect(acceptedCount > Self.count / 20)
        #expect(acceptedCount < Self.count)
    }

    /// Visits every value. Its bytes must parse by themselves, so the places that the parser noted are right.
    /// - Returns: what is wrong, if anything is.
    static func walk(_ value: JSONValue) -> String? {
        guard let alone = try? JSONDocument(Array(value.bytes)), alone.root.bytes == value.bytes else {
            return "the bytes of \(value.pointer) are no JSON value"
        }
        if let members = try? value.members() {
            guard Set(members.map { Array($0.key.text.utf8) }).count == members.count else {
                return "two keys of \(value.pointer) are equal"
            }
            for (_, value) in members {
                if let problem = Self.walk(value) { return problem }
            }
        } else if let elements = try? value.elements(count: 0...Int.max, named: "elements") {
            for element in elements {
                if let problem = Self.walk(element) { return problem }
            }
        }
        return nil
    }

    @Test("A server answers every mutant on one connection with a status of the API", .timeLimit(.minutes(2)))
    func server() async throws {
        try await APIServer.run { server in
            try await RawConnection.open(port: server.port) { connection in
                var random = SeededGenerator(state: Self.seed)
                for round in 0..<min(Self.count, 1_000) {
                    let target = ["", "/begin", "/g/branches", "/g/commit", "/g/abort"][round % 5]
                    try await connection.send(
                        RawConnection.request("POST", "/v1/transactions\(target)", Self.mutant(&random)))
                    let answer = try await connection.answer()
                    let isKnown = [200, 201, 400, 404, 409, 422].contains(answer.status)
                    #expect(isKnown, "seed \(Self.seed), round \(round): \(answer.status)")
                    _ = try answer.json
                }
            }
        }
    }
}
