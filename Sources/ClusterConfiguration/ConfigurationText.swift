// SPDX-License-Identifier: Apache-2.0

/// A configuration file as sections of `key = value`, before anyone asks what the keys mean.
struct ConfigurationText: Sendable {
    struct Entry: Hashable, Sendable {
        let key: String
        let value: String
        let line: Int
    }

    struct Section: Hashable, Sendable {
        /// The first word between the brackets.
        let name: String
        /// What follows it: `n1` in `[node n1]`.
        let argument: String?
        let line: Int
        var entries: [Entry] = []
    }

    private(set) var sections: [Section] = []
    private(set) var problems: [ConfigurationProblem] = []
    private let file: String

    /// The largest file that is read, in bytes.
    static let maximumBytes = 1 << 20

    /// Reads a file. Lines that can't be read become problems; the others are kept.
    init(_ bytes: [UInt8], file: String) {
        self.file = file
        guard bytes.count <= Self.maximumBytes else {
            self.problems.append(
                ConfigurationProblem(origin: .file(file, line: nil), rule: "is larger than 1 MiB: no configuration"))
            return
        }
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        let text = bytes.starts(with: byteOrderMark) ? bytes[3...] : bytes[...]
        for (position, line) in text.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            self.read(line.last == 0x0d ? line.dropLast() : line, number: position + 1)
        }
    }

    private mutating func read(_ line: ArraySlice<UInt8>, number: Int) {
        guard String(validating: line, as: UTF8.self) != nil else {
            self.complain(number, "is not valid UTF-8")
            return
        }
        guard !line.contains(where: { ($0 < 0x20 && !Self.isSpace($0)) || $0 == 0x7f }) else {
            self.complain(number, "holds a control character")
            return
        }
        let content = Self.withoutComment(line)
        guard let first = content.first else { return }
        if first == UInt8(ascii: "[") {
            self.readHeader(content, number: number)
        } else {
            self.readEntry(content, number: number)
        }
    }

    private mutating func readHeader(_ content: ArraySlice<UInt8>, number: Int) {
        let words = content.dropFirst().dropLast().split(whereSeparator: Self.isSpace).map(Self.text)
        guard content.last == UInt8(ascii: "]"), (1...2).contains(words.count) else {
            self.complain(number, "is no section: write [cluster], [timing], [limits], [calls] or [node NAME]")
            return
        }
        self.sections.append(Section(name: words[0], argument: words.count == 2 ? words[1] : nil, line: number))
    }

    private mutating func readEntry(_ content: ArraySlice<UInt8>, number: Int) {
        guard let equals = content.firstIndex(of: UInt8(ascii: "=")) else {
            self.complain(number, "is neither a [section] nor a key = value")
            return
        }
        let key = Self.text(Self.trimmed(content[..<equals]))
        let value = Self.text(Self.trimmed(content[(equals + 1)...]))
        guard !key.isEmpty else {
            self.complain(number, "has no key before its =")
            return
        }
        guard let last = self.sections.indices.last else {
            self.problems.append(
                ConfigurationProblem(
                    origin: .file(self.file, line: number), key: key, value: value,
                    rule: "stands before the first [section]"))
            return
        }
        self.sections[last].entries.append(Entry(key: key, value: value, line: number))
    }

    private mutating func complain(_ line: Int, _ rule: String) {
        self.problems.append(ConfigurationProblem(origin: .file(self.file, line: line), rule: "the line " + rule))
    }

    /// A comment begins with a `#` at the start of a line or behind a space, so that a value may hold one.
    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let comment = line.indices.first { index in
            line[index] == UInt8(ascii: "#") && (index == line.startIndex || self.isSpace(line[index - 1]))
        }
        return self.trimmed(line[..<(comment ?? line.endIndex)])
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let first = text.firstIndex(where: { !self.isSpace($0) }),
            let last = text.lastIndex(where: { !self.isSpace($0) })
        else { return [] }
        return text[first...last]
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == 0x09 }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
