// SPDX-License-Identifier: Apache-2.0

/// The words of the command line.
struct BenchArguments {
    struct Mistake: Error { let text: String }

    /// Where to measure; a folder in it is made and removed again.
    var folder = "."
    var isJSON = false
    /// Measurements of each kind; the table shows medians over them.
    var rounds = 9
    /// Commits in one measurement.
    var commits = 800
    /// WAL bytes at which the store checkpoints.
    var walBound = 4 << 20

    static let usage = """
        logbench [--folder PATH] [--rounds N] [--commits N] [--wal-bound BYTES] [--json]
          Measures how fast the log store appends, against a plain append + fdatasync of the same bytes.
          PATH must be on a real disk. Checkpoints are part of what is measured.
        """

    init(_ words: [String]) throws(Mistake) {
        var rest = words[...]
        while let option = rest.popFirst() {
            if option == "--json" {
                self.isJSON = true
                continue
            }
            guard let value = rest.popFirst() else { throw Mistake(text: "\(option) needs a value") }
            switch option {
            case "--folder": self.folder = value
            case "--rounds": self.rounds = try Self.number(option, value)
            case "--commits": self.commits = try Self.number(option, value)
            case "--wal-bound": self.walBound = try Self.number(option, value)
            case _: throw Mistake(text: "unknown option \(option)")
            }
        }
    }

    private static func number(_ option: String, _ value: String) throws(Mistake) -> Int {
        guard let number = Int(value), (1...1_000_000_000).contains(number) else {
            throw Mistake(text: "\(option) takes a number from 1 on, not \(value)")
        }
        return number
    }
}
