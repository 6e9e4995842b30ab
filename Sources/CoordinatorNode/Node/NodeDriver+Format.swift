// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import NIOCore
import PeerTransport
import Raft
import Transactions

/// The format that the cluster uses: see `FormatLevel`.
extension NodeDriver {
    /// Pause between two tries: a proposal can be refused, or lost.
    private static let raisePause = TimeAmount.seconds(1)

    /// A leader lets the cluster use the newest format that every member knows.
    func raiseFormatIfDue() {
        let (known, used) = (self.identity.knows, self.applier.machine.format)
        guard self.isExecuting, !self.isStopping else { return }
        #if NextFormat
            self.remarkIfDue()
        #endif
        guard known > used, self.nextRaise <= .now(),
            let common = self.core.commonFormat(own: known, known: self.transport.knownFormat), common > used
        else { return }
        self.nextRaise = .now() + Self.raisePause
        self.logger.notice(
            "Every member knows a newer format: the cluster uses it from now on",
            metadata: [LogKey.format: "\(common)"])
        self.queue.append((.raiseFormat(common), .nobody))
    }

    #if NextFormat
        /// A use of the one more kind of command that this program knows: each leader says once that it leads.
        private func remarkIfDue() {
            let remark = Command.remark("\(self.identity.node) leads term \(self.core.currentTerm)")
            guard self.identity.knows >= .next, self.remarked < self.core.currentTerm,
                self.applier.machine.admits(remark)
            else { return }
            self.remarked = self.core.currentTerm
            self.queue.append((remark, .nobody))
        }
    #endif
}
