// SPDX-License-Identifier: Apache-2.0

/// Holds a WAL and its mark against each other (the argument stands at `WALMark`). Pure: bytes in, verdict out.
package enum WALJudge {
    /// What is wrong, in words that name the frame.
    package struct Verdict: Error, Hashable, Sendable {
        package let detail: String
        package init(detail: String) { self.detail = detail }
    }

    /// Before SQLite opens the file.
    package static func judge(_ wal: WALInspection, mark: WALMark) throws(Verdict) {
        guard wal.length >= Int(clamping: mark.walLength) else {
            throw Verdict(detail: "it is \(wal.length) bytes long, \(mark.walLength) were synced")
        }
        if wal.generation != mark.generation {
            guard wal.generation.follows(mark.generation) else {
                throw Verdict(
                    detail: "it is of generation \(wal.generation.name), the mark names \(mark.generation.name)")
            }
            guard wal.committedTransactions + wal.commitsBehindBreak <= 1 else {
                throw Verdict(
                    detail: "generation \(wal.generation.name) holds \(wal.committedTransactions) transactions, "
                        + "but the mark still names \(mark.generation.name)")
            }
        }
        guard wal.commitsBehindBreak <= 1 else {
            throw Verdict(detail: "\(wal.place) is damaged: \(wal.commitsBehindBreak) transactions stand behind it")
        }
    }

    /// When it is known what SQLite makes of it.
    /// - Parameters:
    ///   - commitCounter: that of the hard state as SQLite shows it.
    ///   - counterBehind: the highest one of the records behind the last valid commit.
    package static func judge(
        _ wal: WALInspection, mark: WALMark, commitCounter: UInt64, counterBehind: UInt64?
    ) throws(Verdict) {
        guard commitCounter >= mark.commitCounter else {
            throw Verdict(
                detail: "\(wal.place) is damaged or lost: transaction \(mark.commitCounter) was synced, "
                    + "\(commitCounter) is the last one to be found")
        }
        if let counterBehind, counterBehind > commitCounter + 1 {
            throw Verdict(
                detail: "\(wal.place) is damaged: transaction \(counterBehind) stands behind it, "
                    + "\(commitCounter) is the last whole one")
        }
    }
}

extension WALInspection {
    /// Where the walk ended, for people.
    package var place: String { "frame \(self.firstBrokenFrame ?? self.committedFrames + 1)" }

    /// The highest commit counter of the hard state records behind the last valid commit.
    package func counterBehind(in bytes: [UInt8]) -> UInt64? {
        self.pagesBehindBreak.compactMap { HardStateRecord.highestCounter(in: bytes[$0]) }.max()
    }
}

extension WALInspection.Generation {
    /// For people: its sequence and salts.
    package var name: String {
        "\(self.checkpointSequence) (\(String(self.salt1, radix: 16)), \(String(self.salt2, radix: 16)))"
    }
}
