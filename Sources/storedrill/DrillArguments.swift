// SPDX-License-Identifier: Apache-2.0

/// The words of the command line.
struct DrillArguments {
    enum Command: String {
        /// Writes the script's batches through a `LogWriter` and says what is acknowledged.
        case scenario
        /// Opens what a scenario has left, and holds it against what was acknowledged.
        case verify
    }

    struct Mistake: Error { let text: String }

    var command: Command
    var folder: String
    var seed: UInt64 = 1
    /// How many batches the scenario writes.
    var batches: UInt64 = 24
    /// Room kept for a full disk, in bytes.
    var reserveBytes = 64 << 10
    /// WAL bytes at which the writer checkpoints; small, so that a short scenario has many.
    var walBound = 40 << 10
    /// The log only grows: no prefix goes, and no snapshot comes. Else freed pages would give a full disk's log room.
    var onlyGrows = false
    /// The highest sequence that was acknowledged, and the highest one that was handed to the writer.
    var acknowledged: UInt64 = 0
    var sent: UInt64 = 0
    /// The applied index that was said to be safe.
    var synced: UInt64 = 0
    /// The whole folder of a node, applied state included; else the log alone.
    var isNode = false
    /// Whether the folder was said to be initialised.
    var isInitialised = true

    static let usage = """
        storedrill scenario --folder PATH [--seed N] [--batches N] [--reserve BYTES] [--wal-bound BYTES] [--grows yes]
          makes PATH a node's folder if there is none, writes batches, and prints one line for each thing that happens:
          initialised | found K | sent K | acked K | synced N | full yes|no | fatal WHY | done
        storedrill verify --folder PATH [--seed N] [--batches N] [--grows yes] --acked K --sent K [--initialised yes|no]
          checks that the log is the one after batch J, where acked <= J <= sent, and that it goes on from there
        Both take --node yes: the folder of a whole node, whose applied state was safe through entry --synced N.
        Exit codes: 0 all is well, 64 wrong usage, 65 something acknowledged is lost or changed, 74 the disk failed.
        """

    init(_ words: [String]) throws(Mistake) {
        guard let first = words.first, let command = Command(rawValue: first) else {
            throw Mistake(text: "say scenario or verify")
        }
        self.command = command
        self.folder = ""
        var rest = words.dropFirst()
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Mistake(text: "\(option) needs a value") }
            switch option {
            case "--folder": self.folder = value
            case "--seed": self.seed = try Self.number(option, value)
            case "--batches": self.batches = try Self.number(option, value)
            case "--reserve": self.reserveBytes = Int(try Self.number(option, value))
            case "--wal-bound": self.walBound = Int(try Self.number(option, value))
            case "--grows": self.onlyGrows = value == "yes"
            case "--acked": self.acknowledged = try Self.number(option, value)
            case "--sent": self.sent = try Self.number(option, value)
            case "--synced": self.synced = try Self.number(option, value)
            case "--node": self.isNode = value == "yes"
            case "--initialised": self.isInitialised = value != "no"
            case _: throw Mistake(text: "unknown option \(option)")
            }
        }
        guard !self.folder.isEmpty else { throw Mistake(text: "--folder is missing") }
    }

    private static func number(_ option: String, _ value: String) throws(Mistake) -> UInt64 {
        guard let number = UInt64(value), number <= UInt64(Int32.max) else {
            throw Mistake(text: "\(option) takes a number, not \(value)")
        }
        return number
    }
}
