// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
package import Raft
import Transactions

/// One entry of the log in clear.
package struct EntryReport: Sendable, Encodable {
    package let index: UInt64
    package let term: UInt64
    /// `leader-start`, `command` or `membership`.
    package let kind: String
    /// Length of the payload in bytes.
    package let bytes: Int
    /// The leader's clock when it proposed the entry.
    let logTime: Timestamp?
    package let commands: [CommandReport]
    /// Who takes part from this entry on.
    private(set) var members: MembershipReport?
    /// Why the payload can't be read; the entry is then on the log, and no node can apply it.
    package let problem: String?

    /// - Parameter showingPayloads: what the participants are sent is shown too.
    package init(_ entry: Entry, showingPayloads: Bool = false) {
        self.index = entry.index.rawValue
        self.term = entry.term.rawValue
        self.bytes = entry.payload.count
        switch entry.kind {
        case .membership:
            self.kind = "membership"
            (self.logTime, self.commands) = (nil, [])
            do {
                self.members = MembershipReport(try MembershipCodec.decode(entry.payload))
                self.problem = nil
            } catch {
                self.problem = "its members can't be read: \(error)"
            }
        case .leaderStart:
            self.kind = "leader-start"
            (self.logTime, self.commands, self.problem) = (nil, [], nil)
        case .command:
            self.kind = "command"
            do {
                let batch = try CommandBatch(decoding: entry.payload)
                self.logTime = Timestamp(milliseconds: Int64(clamping: batch.logTime.rawValue))
                self.commands = batch.commands.map { CommandReport($0, showingPayloads: showingPayloads) }
                self.problem = nil
            } catch {
                (self.logTime, self.commands, self.problem) = (nil, [], "its commands can't be read: \(error)")
            }
        }
    }

    /// One line for each command; the first one names the entry.
    package func add(to table: inout Table) {
        let head = ["\(self.index)", "\(self.term)", self.kind, self.logTime.map { "\($0)" } ?? ""]
        let contents =
            self.problem.map { [$0] } ?? self.members.map { [$0.text] } ?? self.commands.map(\.text)
        for (position, content) in (contents.isEmpty ? [""] : contents).enumerated() {
            let cells = position == 0 ? head : ["", "", "", ""]
            table.add(cells[0], cells[1], cells[2], cells[3], content)
        }
    }

    package static var table: Table {
        Table(.number("INDEX"), .number("TERM"), .text("KIND"), .text("LOG TIME"), .text("COMMAND"))
    }
}
