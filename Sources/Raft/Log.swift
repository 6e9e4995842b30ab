// SPDX-License-Identifier: Apache-2.0

/// The log as the core knows it: what is in memory, which may be ahead of the disk.
///
/// It also keeps what has changed since the last batch went to the disk, so that a turn of many inputs costs one batch.
struct Log: Hashable, Sendable {
    /// What the first entry follows.
    private(set) var base: LogPosition
    private var entries: [Entry]
    /// The first index that changed since the last batch; nil if nothing did.
    private var changedFrom: LogIndex?
    /// Where the log on disk ends once every batch given out is carried out.
    private var handedOutThrough: LogIndex
    /// Bytes of all entries in memory, as they are encoded.
    private(set) var bytes: Int

    init(base: LogPosition, entries: [Entry]) {
        self.base = base
        self.entries = entries
        self.handedOutThrough = entries.last?.index ?? base.index
        self.bytes = EntryCodec.encodedLength(of: entries)
    }

    var lastIndex: LogIndex { self.entries.last?.index ?? self.base.index }
    var lastTerm: Term { self.entries.last?.term ?? self.base.term }
    var end: LogPosition { LogPosition(index: self.lastIndex, term: self.lastTerm) }

    /// The entry, or nil before the first or behind the last one.
    func entry(at index: LogIndex) -> Entry? {
        guard index > self.base.index, index <= self.lastIndex else { return nil }
        return self.entries[self.position(of: index)]
    }

    /// The term at an index, the base's included; nil where this log cannot tell.
    func term(at index: LogIndex) -> Term? {
        index == self.base.index ? self.base.term : self.entry(at: index)?.term
    }

    /// Whether the log of a candidate that ends there is at least as up to date as this one (Raft paper, section 5.4.1).
    func isUpToDate(_ other: LogPosition) -> Bool {
        other.term > self.lastTerm || (other.term == self.lastTerm && other.index >= self.lastIndex)
    }

    /// Entries from `first` to `last`.
    func slice(from first: LogIndex, through last: LogIndex) -> [Entry] {
        guard first <= last else { return [] }
        return Array(self.entries[self.position(of: first)...self.position(of: last)])
    }

    /// Entries from `first` on whose payloads have at most `bytes` together; at least one if there is one.
    func slice(from first: LogIndex, bytes limit: Int) -> [Entry] {
        guard first > self.base.index, first <= self.lastIndex else { return [] }
        let start = self.position(of: first)
        var end = start
        var bytes = 0
        while end < self.entries.count {
            bytes += self.entries[end].payload.count
            if bytes > limit && end > start { break }
            end += 1
        }
        return Array(self.entries[start..<end])
    }

    /// The first index of the run of entries that has the term of `index`.
    func firstIndexOfTerm(at index: LogIndex) -> LogIndex {
        guard let entry = self.entry(at: index) else { return index }
        let position = self.partition { $0.term >= entry.term }
        return self.entries[position].index
    }

    /// The last index of an entry of this term, or nil if there is none.
    func lastIndex(of term: Term) -> LogIndex? {
        let behind = self.partition { $0.term > term }
        guard behind > 0, self.entries[behind - 1].term == term else { return nil }
        return self.entries[behind - 1].index
    }

    mutating func append(_ entry: Entry) {
        invariant(entry.index == self.lastIndex.next(), "entry \(entry.index) appended behind \(self.lastIndex)")
        invariant(entry.term >= self.lastTerm, "term \(entry.term) appended behind \(self.lastTerm)")
        self.markChanged(from: entry.index)
        self.entries.append(entry)
        self.bytes += EntryCodec.encodedLength(of: entry)
    }

    /// Removes the entries from `index` on: they conflict with the leader's (Raft paper, section 5.3).
    mutating func truncate(from index: LogIndex) {
        invariant(index > self.base.index, "truncation at \(index) reaches below the base \(self.base.index)")
        guard index <= self.lastIndex else { return }
        self.markChanged(from: index)
        let start = self.position(of: index)
        self.bytes -= EntryCodec.encodedLength(of: self.entries[start...])
        self.entries.removeSubrange(start...)
    }

    /// Where the log may begin so that the entries behind it have at least `kept` bytes together.
    /// - Parameters:
    ///   - limit: not behind this index.
    ///   - step: bytes that are let go of at most.
    func compactionIndex(keeping kept: Int, through limit: LogIndex, step: Int) -> LogIndex {
        var index = self.base.index
        var freed = 0
        for entry in self.entries {
            freed += EntryCodec.encodedLength(of: entry)
            guard entry.index <= limit, self.bytes - freed >= kept, freed <= step || index == self.base.index else {
                break
            }
            index = entry.index
        }
        return index
    }

    /// Lets go of the entries through `index`; the log begins behind it.
    mutating func compact(through index: LogIndex) {
        guard let entry = self.entry(at: index) else { return }
        let count = self.position(of: index) + 1
        self.bytes -= EntryCodec.encodedLength(of: self.entries[..<count])
        self.entries.removeFirst(count)
        self.base = LogPosition(index: entry.index, term: entry.term)
    }

    /// Lets go of everything: the log begins behind `position`, which a snapshot stands for.
    mutating func reset(to position: LogPosition) {
        self = Log(base: position, entries: [])
    }

    /// What must go to the disk since the last call, or nil if nothing has changed.
    mutating func takeChange() -> (truncateFrom: LogIndex?, entries: [Entry])? {
        guard let changedFrom = self.changedFrom else { return nil }
        let truncateFrom = changedFrom <= self.handedOutThrough ? changedFrom : nil
        let entries = changedFrom <= self.lastIndex ? self.slice(from: changedFrom, through: self.lastIndex) : []
        self.changedFrom = nil
        self.handedOutThrough = self.lastIndex
        return (truncateFrom, entries)
    }

    private mutating func markChanged(from index: LogIndex) {
        self.changedFrom = min(self.changedFrom ?? index, index)
    }

    private func position(of index: LogIndex) -> Int {
        Int(index.rawValue - self.base.index.rawValue) - 1
    }

    /// The first position whose entry fulfils a condition that, once true, stays true.
    private func partition(_ condition: (Entry) -> Bool) -> Int {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if condition(self.entries[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
