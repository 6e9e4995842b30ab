// SPDX-License-Identifier: Apache-2.0

/// A script of a cluster: commands, and below a line `----` what the cores answered. Everything else is for its reader.
struct ScenarioFile {
    struct Block {
        /// Comments and empty lines before the commands, as they stand.
        let preamble: [String]
        /// Each with its number in the file, from 1.
        let commands: [(line: Int, text: String)]
        let expected: [String]
    }

    struct Problem: Error, CustomStringConvertible {
        let line: Int
        let message: String
        var description: String { "line \(self.line): \(self.message)" }
    }

    let blocks: [Block]
    /// Comments behind the last block.
    let epilogue: [String]

    static let separator = "----"

    init(text: String) throws(Problem) {
        var blocks: [Block] = []
        var preamble: [String] = []
        var commands: [(line: Int, text: String)] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var position = 0
        while position < lines.count {
            let line = lines[position]
            position += 1
            if line == Self.separator {
                guard !commands.isEmpty else { throw Problem(line: position, message: "'----' without a command") }
                var expected: [String] = []
                while position < lines.count, !lines[position].isEmpty {
                    expected.append(lines[position])
                    position += 1
                }
                blocks.append(Block(preamble: preamble, commands: commands, expected: expected))
                preamble = []
                commands = []
            } else if line.isEmpty || line.hasPrefix("#") {
                if let last = commands.last {
                    throw Problem(line: last.line, message: "'----' must follow a block of commands")
                }
                preamble.append(line)
            } else {
                commands.append((position, line))
            }
        }
        guard commands.isEmpty else { throw Problem(line: lines.count, message: "the last block has no '----'") }
        self.blocks = blocks
        while preamble.last == "" { preamble.removeLast() }
        self.epilogue = preamble
    }

    /// The file with other answers.
    func text(answers: [[String]]) -> String {
        var lines: [String] = []
        for (block, answer) in zip(self.blocks, answers) {
            lines += block.preamble + block.commands.map(\.text) + [Self.separator] + answer
        }
        return (lines + self.epilogue).joined(separator: "\n") + "\n"
    }
}
