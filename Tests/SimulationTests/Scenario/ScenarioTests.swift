// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The scripts of Tests/Scenarios. With VERDICT_REWRITE_SCENARIOS=1 their answers are written anew instead of compared:
/// read the difference before you commit it.
@Suite("Scenarios") struct ScenarioTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Scenarios")

    static let names: [String] = {
        let files = try? FileManager.default.contentsOfDirectory(atPath: Self.folder.path())
        return (files ?? []).filter { $0.hasSuffix(".txt") }.sorted()
    }()

    @Test("There are scripts") func thereAreScripts() {
        #expect(Self.names.count >= 14)
    }

    @Test("The cores answer as the script says", arguments: Self.names) func answersAsWritten(name: String) throws {
        let url = Self.folder.appending(path: name)
        let text = try String(contentsOf: url, encoding: .utf8)
        let file = try ScenarioFile(text: text)
        var player = ScenarioPlayer()
        var answers: [[String]] = []
        for block in file.blocks { answers.append(try player.play(block.commands)) }
        let answered = file.text(answers: answers)
        if ProcessInfo.processInfo.environment["VERDICT_REWRITE_SCENARIOS"] == "1" {
            try answered.write(to: url, atomically: true, encoding: .utf8)
            return
        }
        for (block, answer) in zip(file.blocks, answers) where answer != block.expected {
            let equal = zip(answer, block.expected).prefix { $0 == $1 }.count
            let expected = equal < block.expected.count ? block.expected[equal] : "nothing more"
            let found = equal < answer.count ? answer[equal] : "nothing more"
            Issue.record(
                "\(name), answer \(equal + 1) to line \(block.commands[0].line): expected '\(expected)', found '\(found)'"
            )
        }
        // Also what lies between the blocks is written as it was read.
        let isSame = answered == text
        #expect(isSame, "\(name) isn't as VERDICT_REWRITE_SCENARIOS=1 would write it")
    }
}
