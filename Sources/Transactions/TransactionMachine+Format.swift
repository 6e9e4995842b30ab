// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// Which kinds of commands the cluster uses: see `FormatLevel`.
extension TransactionMachine {
    package var format: FormatLevel { self.notes.format }

    /// Whether every node that applies the command knows its kind. Nobody proposes one for which this isn't so.
    package func admits(_ command: Command) -> Bool { command.format <= self.notes.format }

    mutating func raiseFormat(to format: FormatLevel, at moment: Moment) -> CommandResult {
        guard format > self.notes.format else { return .alreadyDone }
        self.notes.record(
            AuditRecord(
                kind: .formatRaised, time: moment.time, index: moment.index, actor: "",
                detail: "from \(self.notes.format) to \(format)"))
        self.notes.format = format
        self.areNotesChanged = true
        return .accepted(isNew: true)
    }

    #if NextFormat
        mutating func remark(_ text: String, at moment: Moment) -> CommandResult {
            self.notes.record(
                AuditRecord(kind: .remark, time: moment.time, index: moment.index, actor: "", detail: text))
            self.areNotesChanged = true
            return .accepted(isNew: true)
        }
    #endif
}
