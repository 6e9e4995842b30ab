// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Simulation

/// Where a long run keeps its totals, so that it can go on after a stop.
struct TotalsFile {
    let path: String

    struct Problem: Error {
        let message: String
    }

    /// The totals of an earlier part of the run, or nil if there is none.
    func read() throws(Problem) -> RunTotals? {
        guard FileManager.default.fileExists(atPath: self.path) else { return nil }
        let text: String
        do {
            text = try String(contentsOfFile: self.path, encoding: .utf8)
        } catch {
            throw Problem(message: "can't read the totals in \(self.path): \(error)")
        }
        guard let totals = RunTotals(text: text) else {
            throw Problem(message: "\(self.path) holds no totals of a simulation; choose another file")
        }
        return totals
    }

    func write(_ totals: RunTotals) throws(Problem) {
        do {
            try Data(totals.text.utf8).write(to: URL(filePath: self.path), options: .atomic)
        } catch {
            throw Problem(message: "can't write the totals to \(self.path): is its folder there, and writable?")
        }
    }
}
