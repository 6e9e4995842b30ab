// SPDX-License-Identifier: Apache-2.0

/// The query of a request whose parameters are known: an unknown one, or one given twice, is an error that names it.
struct QueryParameters {
    private var values: [String: String] = [:]

    /// - Parameters:
    ///   - query: what stands behind the `?`; `nil` if there is none.
    ///   - known: the parameters that the call takes.
    init(_ query: Substring?, known: [String]) throws(Problem) {
        guard let query, !query.isEmpty else { return }
        for pair in query.split(separator: "&", omittingEmptySubsequences: true) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first.flatMap(PercentEncoding.decoded),
                let value = parts.count > 1 ? PercentEncoding.decoded(parts[1]) : ""
            else {
                throw Problem(.invalidRequest, "The query is not percent-encoded UTF-8.")
            }
            guard known.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
                let names = known.isEmpty ? "this call takes none" : "known here: \(known.joined(separator: ", "))"
                throw Problem(.invalidRequest, "Unknown query parameter “\(name)”; \(names).")
            }
            guard self.values.updateValue(value, forKey: name) == nil else {
                throw Problem(.invalidRequest, "The query parameter \(name) is given twice.")
            }
        }
    }

    func text(_ name: String) -> String? { self.values[name] }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = self.values[name] else { return nil }
        guard Self.isDigits(text), let number = Int(text), range.contains(number) else {
            throw Problem(
                .invalidRequest,
                "The query parameter \(name) must be an integer from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    /// How long to hold the answer: `wait_ms=2500` for programs, `wait=2500ms` or `wait=3s` for people.
    func wait(atMost longest: UInt64) throws(Problem) -> Duration {
        let milliseconds = try self.integer("wait_ms", in: 0...Int(longest))
        guard let text = self.values["wait"] else { return .milliseconds(milliseconds ?? 0) }
        guard milliseconds == nil else {
            throw Problem(.invalidRequest, "Give either wait or wait_ms, not both.")
        }
        let (digits, factor): (Substring, UInt64) =
            if text.hasSuffix("ms") { (text.dropLast(2), 1) } else { (text.dropLast(1), 1000) }
        let isDuration = text.utf8.last == UInt8(ascii: "s") && Self.isDigits(digits)
        guard isDuration, let number = UInt64(digits), number <= longest / factor else {
            throw Problem(
                .invalidRequest,
                "The query parameter wait must be a duration such as 500ms or 5s, at most \(longest / 1000)s.")
        }
        return .milliseconds(number * factor)
    }

    private static func isDigits(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// One of a few words.
    func choice<Value>(_ name: String, _ values: [Value], word: (Value) -> String) throws(Problem) -> Value? {
        guard let text = self.values[name] else { return nil }
        for value in values where word(value).utf8.elementsEqual(text.utf8) { return value }
        let words = values.map(word).joined(separator: ", ")
        throw Problem(.invalidRequest, "The query parameter \(name) must be one of: \(words).")
    }
}
