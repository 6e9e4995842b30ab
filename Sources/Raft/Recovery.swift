// SPDX-License-Identifier: Apache-2.0

internal import Bytes

/// An entry's place and term, without its content.
package struct LogPosition: Hashable, Sendable {
    package let index: LogIndex
    package let term: Term

    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }

    /// The place before the first entry of a log that was never compacted.
    package static let zero = LogPosition(index: .zero, term: .zero)
}

/// What a node's log holds when it starts: valid, contiguous, complete.
package struct RecoveredLog: Hashable, Sendable {
    package let hardState: HardState
    /// What the first entry follows: zero, or the last entry that a snapshot replaces.
    package let base: LogPosition
    package let entries: [Entry]
    /// Who took part at the base; nil if the group is as it was initialised.
    package let membership: Membership?

    package init(hardState: HardState, base: LogPosition, entries: [Entry], membership: Membership? = nil) {
        self.hardState = hardState
        self.base = base
        self.entries = entries
        self.membership = membership
    }

    /// The last entry, or the base if there is none.
    package var lastIndex: LogIndex { self.entries.last?.index ?? self.base.index }

    /// Whether this very entry is in the log, its base included. Applied state must be of such a place.
    package func holds(_ position: LogPosition) -> Bool {
        if position == self.base { return true }
        guard position.index > self.base.index else { return false }
        let offset = Int(clamping: position.index.rawValue - self.base.index.rawValue - 1)
        return self.entries.indices.contains(offset) && self.entries[offset].term == position.term
    }

    /// How applied state fits to a log.
    package enum StateFit: Hashable, Sendable {
        /// The log holds the entry that was applied last.
        case held
        /// The state is a snapshot's whose install was cut off behind the replacement of the state.
        case installing(SnapshotOffer)
        /// The log begins only behind it.
        case tooOld
        /// It isn't of this log: one of the two was lost or exchanged.
        case foreign
    }

    /// - Parameters:
    ///   - applied: the entry whose effect the state holds last.
    ///   - marker: the encoded offer of the snapshot whose install was begun last, if one was.
    package func fit(of applied: LogPosition, marker: [UInt8]?) -> StateFit {
        guard applied.index >= self.base.index else { return .tooOld }
        if self.holds(applied) { return .held }
        guard let marker else { return .foreign }
        var reader = ByteReader(marker)
        guard let offer = try? MessageCodec.decodeOffer(from: &reader), offer.position == applied else {
            return .foreign
        }
        return .installing(offer)
    }

    /// The log once an install is finished that was cut off behind the replacement of the applied state: it doesn't hold the
    /// snapshot's last entry, so no entry stays (Raft paper, figure 13).
    package func finishing(_ offer: SnapshotOffer) -> RecoveredLog {
        RecoveredLog(hardState: self.hardState, base: offer.position, entries: [], membership: offer.membership)
    }

    /// The log of a node that has just been initialised.
    package static let empty = RecoveredLog(hardState: .initial, base: .zero, entries: [])
}

/// What was read from a node's disk, unjudged. A real disk and a modelled one both give this.
package struct StoredLog: Hashable, Sendable {
    /// The row of the hard state. It also says how far the log must reach, so that a missing tail shows.
    package struct HardStateRow: Hashable, Sendable {
        package var isIntact: Bool
        package var hardState: HardState
        package var base: LogPosition
        package var lastIndex: LogIndex

        package init(isIntact: Bool, hardState: HardState, base: LogPosition, lastIndex: LogIndex) {
            self.isIntact = isIntact
            self.hardState = hardState
            self.base = base
            self.lastIndex = lastIndex
        }
    }

    /// A row of entries.
    package struct BatchRow: Hashable, Sendable {
        /// The row's checksum matches and its bytes decode.
        package var isIntact: Bool
        package var first: LogIndex
        package var last: LogIndex
        package var entries: [Entry]

        package init(isIntact: Bool, first: LogIndex, last: LogIndex, entries: [Entry]) {
            self.isIntact = isIntact
            self.first = first
            self.last = last
            self.entries = entries
        }
    }

    package var hardState: HardStateRow?
    /// In order of their first index.
    package var batches: [BatchRow]
    /// Who took part at the base, if that was ever written.
    package var membership: Membership?

    package init(hardState: HardStateRow?, batches: [BatchRow], membership: Membership? = nil) {
        self.hardState = hardState
        self.batches = batches
        self.membership = membership
    }
}

/// Why a stored log must not be started from: it isn't what this node wrote and synced.
package enum Rot: Error, Hashable, Sendable {
    /// The row of term and vote is missing or damaged: the node can't know what it promised, and comes back only as a
    /// new member.
    case hardStateMissing
    case hardStateDamaged
    /// A row's checksum doesn't match, or its bytes don't decode.
    case batchDamaged(first: LogIndex, last: LogIndex)
    /// A row's own range isn't that of its entries.
    case batchMislabelled(first: LogIndex, last: LogIndex)
    /// Entries are missing or stand twice: the next row should begin at `expected`.
    case gap(expected: LogIndex, found: LogIndex)
    /// The log ends before the index that was synced with the hard state, or behind it.
    case wrongEnd(expected: LogIndex, found: LogIndex)
    /// Terms go back along the log, or beyond the current term.
    case termOutOfOrder(at: LogIndex, term: Term)
    /// An entry names no membership that this version can read.
    case membershipUnreadable(at: LogIndex)

    /// Whether term and vote are known all the same: then the others can make it good, see `Recovery.salvage`.
    package var leavesHardState: Bool {
        switch self {
        case .hardStateMissing, .hardStateDamaged, .membershipUnreadable: false
        // Rows that are later than the hard state: it may be an old one.
        case .termOutOfOrder: false
        case .wrongEnd(let expected, let found): found < expected
        case .batchDamaged, .batchMislabelled, .gap: true
        }
    }
}

/// The rules of recovery: what a valid log on disk is (Docs/architecture.md, "The log in SQLite"). The store of a real
/// disk and the simulator's disk both obey them.
package enum Recovery {
    /// Judges what was stored.
    /// - Returns: the log to start from.
    /// - Throws: what is wrong with it. The node must then neither vote nor acknowledge.
    package static func recover(_ stored: StoredLog) throws(Rot) -> RecoveredLog {
        let (prefix, rot) = try self.prefix(of: stored)
        if let rot { throw rot }
        return prefix.log
    }

    /// What a node may start from whose log is rotten, while its term and vote are not: what stands before the first harm.
    /// Everything behind that is gone; see `RepairTarget` for how the node gets it back.
    /// - Returns: the log, which says that it has lost entries, how many rows it consists of, and what is wrong behind them.
    ///   Nil if nothing is.
    /// - Parameter founders: who takes part if the log names nobody.
    /// - Throws: what the others can't make good: the hard state, or a group that has no majority without this node.
    package static func salvage(
        _ stored: StoredLog, founders: Membership? = nil
    ) throws(Rot) -> (log: RecoveredLog, rows: Int, rot: Rot)? {
        let (prefix, rot) = try self.prefix(of: stored)
        guard let rot else { return nil }
        guard rot.leavesHardState else { throw rot }
        // The latest that can still be read, behind the harm too: it may say that nobody else is left.
        let named = stored.batches.filter(\.isIntact).flatMap(\.entries).last { $0.membership != nil }?.membership
        guard let membership = named ?? stored.membership ?? founders, membership.voters.count >= 3,
            membership.outgoing.isEmpty || membership.outgoing.count >= 3
        else { throw rot }
        let log = RecoveredLog(
            hardState: prefix.log.hardState.losingEntries(), base: prefix.log.base, entries: prefix.log.entries,
            membership: prefix.log.membership)
        return (log, prefix.rows, rot)
    }

    /// The log through the last row before anything is wrong.
    private static func prefix(of stored: StoredLog) throws(Rot) -> (prefix: (log: RecoveredLog, rows: Int), rot: Rot?)
    {
        guard let row = stored.hardState else { throw .hardStateMissing }
        guard row.isIntact else { throw .hardStateDamaged }
        var end = row.base
        var entries: [Entry] = []
        var rows = 0
        var rot: Rot?
        for batch in stored.batches {
            do throws(Rot) {
                let next = try self.end(of: batch, behind: end, hardState: row.hardState)
                // Nobody was told of what stands behind the end that was synced.
                guard next.index <= row.lastIndex else { break }
                end = next
            } catch {
                rot = error
                break
            }
            entries.append(contentsOf: batch.entries)
            rows += 1
        }
        if rot == nil, rows < stored.batches.count || end.index != row.lastIndex {
            rot = .wrongEnd(expected: row.lastIndex, found: stored.batches.last?.last ?? end.index)
        }
        let log = RecoveredLog(
            hardState: row.hardState, base: row.base, entries: entries, membership: stored.membership)
        return ((log, rows), rot)
    }

    /// Checks a row of entries that follows a place of the log.
    private static func end(
        of batch: StoredLog.BatchRow, behind start: LogPosition, hardState: HardState
    ) throws(Rot) -> LogPosition {
        guard batch.isIntact else { throw .batchDamaged(first: batch.first, last: batch.last) }
        guard batch.entries.first?.index == batch.first, batch.entries.last?.index == batch.last else {
            throw .batchMislabelled(first: batch.first, last: batch.last)
        }
        var end = start
        for entry in batch.entries {
            guard entry.index == end.index.next() else {
                throw .gap(expected: end.index.next(), found: entry.index)
            }
            guard entry.term >= end.term, entry.term <= hardState.currentTerm, entry.term > .zero else {
                throw .termOutOfOrder(at: entry.index, term: entry.term)
            }
            guard entry.isReadable else { throw .membershipUnreadable(at: entry.index) }
            end = LogPosition(index: entry.index, term: entry.term)
        }
        return end
    }
}
