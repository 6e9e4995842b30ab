// SPDX-License-Identifier: Apache-2.0

import CoordinatorNode
import Foundation
import StrictJSON
import Testing
import Transactions

@Suite("JSON as the API writes it") struct APIWritingTests {
    @Test("What is written reads back as it was, whatever the text holds")
    func writing() throws {
        let texts = [
            "", "plain", "\"\\/", "\u{0}\u{1f}\u{7f}\n\t", "é漢😀\u{2028}", String(repeating: "\\", count: 99),
        ]
        for text in texts {
            var writer = JSONWriter()
            writer.object { json in
                json.field("text", text)
                json.field("none", String?.none)
                json.key("list")
                json.array([1, UInt64.max]) { $0.integer($1) }
                json.field("flag", true)
            }
            let tree = try JSONDecoder().decode(JSONTree.self, from: Data(writer.bytes))
            #expect(tree["text"] == .text(text))
            #expect(tree["none"] == .null)
            #expect(tree["flag"] == .bool(true))
            let root = try JSONDocument(writer.bytes).root
            let members = try root.members()
            #expect(try members[0].value.string() == text)
            let last = try members[2].value.elements(count: 2...2, named: "numbers")[1]
            #expect(try last.integer(in: 0...UInt64.max) == UInt64.max)
        }
    }

    static let moments: [(milliseconds: UInt64, text: String)] = [
        (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (1_795_339_800_250, "2026-11-22T09:30:00.250Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (UInt64.max, "9999-12-31T23:59:59.999Z"),
    ]

    @Test("Moments are RFC 3339 in UTC", arguments: APIWritingTests.moments)
    func moment(milliseconds: UInt64, text: String) {
        var bytes: [UInt8] = []
        Timestamp.append(milliseconds: milliseconds, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test("Made gids sort by time and are 26 digits without letters that look like others")
    func gids() {
        let clock = TickingClock()
        let generator = GidGenerator(now: { clock.next() }, random: SystemRandomNumberGenerator())
        let gids = (0..<500).map { _ in generator.next() }
        #expect(gids == gids.sorted())
        #expect(Set(gids).count == 500)
        #expect(gids.allSatisfy { $0.rawValue.wholeMatch(of: /[0-9a-hjkmnp-tv-z]{26}/) != nil })
    }
}
