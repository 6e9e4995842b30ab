// SPDX-License-Identifier: Apache-2.0

/// One rule that a configuration breaks, with the place where a person can put it right.
package struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where a value came from.
    package enum Origin: Hashable, Sendable {
        /// `line` counts from 1; `nil` means the file as a whole.
        case file(String, line: Int?)
        /// An environment variable.
        case environment(String)
        /// A `--set section.key=value` flag, as it was written behind `--set`.
        case flag(String)
    }

    package let origin: Origin
    package let key: String?
    package let value: String?
    /// What is wrong, as the second half of a sentence: “must be under half of election-timeout-min (150ms)”.
    package let rule: String

    package init(origin: Origin, key: String? = nil, value: String? = nil, rule: String) {
        self.origin = origin
        self.key = key
        self.value = value
        self.rule = rule
    }

    package var description: String {
        let setting = self.key.map { key in
            Self.shortened(key) + (self.value.map { " = \(Self.shortened($0))" } ?? "")
        }
        let place: String
        switch self.origin {
        case .file(let name, .some(let line)): place = "\(name):\(line)"
        case .file(let name, nil): place = name
        case .environment(let name): place = name
        case .flag(let text): place = "--set \(Self.shortened(text))"
        }
        return [place, setting, self.rule].compactMap(\.self).joined(separator: ": ")
    }

    /// A value is shown in one line, however long or odd it is.
    private static func shortened(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(80).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }
        let visible = String(String.UnicodeScalarView(shown))
        return text.unicodeScalars.count <= 80 ? visible : visible + "…"
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
package struct ConfigurationProblems: Error, Hashable, Sendable, CustomStringConvertible {
    /// Never empty.
    package let problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    /// One problem a line.
    package var description: String { self.problems.map(\.description).joined(separator: "\n") }
}
