// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import Testing
import clusterctl

@Suite("What people read")
struct TableTests {
    @Test("Columns are as wide as their longest cell; numbers stand to the right; lines end without blanks")
    func columns() {
        var table = Table(.text("NODE"), .number("TERM"), .text("SINCE"))
        table.add("n1", "7", "3 s")
        table.add("a-long-name", "1234567")
        #expect(
            table.text == """
                NODE            TERM  SINCE
                n1                 7  3 s
                a-long-name  1234567
                """)
    }

    @Test("A table without rows is its titles")
    func empty() {
        #expect(Table(.text("GID"), .text("STATE")).text == "GID  STATE")
    }

    @Test("Control characters of a cell don't reach the terminal")
    func control() {
        var table = Table(.text("X"))
        table.add("a\u{1b}[31mb\n\u{7}c")
        #expect(table.text == "X\na?[31mb??c")
    }

    @Test(
        "A time is short",
        arguments: [
            (0, "0 ms"), (245, "245 ms"), (12_900, "12 s"), (185_000, "3 min 5 s"), (7_800_000, "2 h 10 min"),
            (352_800_000, "4 d 2 h"),
        ])
    func durations(milliseconds: Int, text: String) {
        #expect(Duration.milliseconds(milliseconds).shortText == text)
    }

    @Test("A time that is still to come has no age")
    func age() {
        let now = Date(timeIntervalSince1970: 10)
        #expect(Timestamp(milliseconds: 4_000).age(now: now) == .seconds(6))
        #expect(Timestamp(milliseconds: 11_000).age(now: now) == .zero)
    }
}
