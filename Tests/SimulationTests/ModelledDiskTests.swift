// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation
import Testing

@Suite("The modelled disk") struct ModelledDiskTests {
    private static func entries(_ range: ClosedRange<UInt64>, term: UInt64) -> [Entry] {
        range.map {
            Entry(
                index: LogIndex(rawValue: $0), term: Term(rawValue: term), kind: .command, payload: [UInt8($0), 1, 2])
        }
    }

    private static func batch(
        _ sequence: UInt64, term: UInt64, cutFrom: UInt64? = nil, _ entries: [Entry] = []
    ) -> Batch {
        Batch(
            sequence: sequence, hardState: HardState(currentTerm: Term(rawValue: term), votedFor: nil),
            truncateFrom: cutFrom.map { LogIndex(rawValue: $0) }, entries: entries)
    }

    /// A disk with entries 1 to 3 of term 1 in one row and 4 to 5 of term 2 in another.
    private static func filled() -> ModelledDisk {
        var disk = ModelledDisk()
        disk.write(self.batch(1, term: 1, self.entries(1...3, term: 1)))
        disk.write(self.batch(2, term: 2, self.entries(4...5, term: 2)))
        disk.beginSync()
        _ = disk.finishSync()
        return disk
    }

    @Test("A new disk holds the log of a new node") func newDisk() throws {
        #expect(try Recovery.recover(ModelledDisk().stored) == .empty)
    }

    @Test("A sync covers what waited when it began") func syncCoversWhatWaited() throws {
        var disk = ModelledDisk()
        disk.write(Self.batch(1, term: 1, Self.entries(1...2, term: 1)))
        disk.beginSync()
        disk.write(Self.batch(2, term: 1, Self.entries(3...3, term: 1)))
        #expect(disk.isSyncing)
        let through = disk.finishSync()
        #expect(through == 1)
        #expect(!disk.isSyncing)
        #expect(disk.unsyncedCount == 1)
        disk.crash(survivors: 0)
        let recovered = try Recovery.recover(disk.stored)
        #expect(recovered.entries == Self.entries(1...2, term: 1))
    }

    @Test("A power loss takes what was not synced, whole batches of it") func powerLoss() throws {
        var disk = Self.filled()
        disk.write(Self.batch(3, term: 3, cutFrom: 4, Self.entries(4...4, term: 3)))
        disk.crash(survivors: 0)
        let recovered = try Recovery.recover(disk.stored)
        #expect(recovered.hardState.currentTerm == Term(rawValue: 2))
        #expect(recovered.entries == Self.entries(1...3, term: 1) + Self.entries(4...5, term: 2))
        #expect(!disk.hasUnsynced)
    }

    @Test("A killed process may leave any first part of it", arguments: [0, 1, 2, 3]) func survivors(count: Int) throws
    {
        var disk = ModelledDisk()
        for sequence in 1...3 as ClosedRange<UInt64> {
            disk.write(Self.batch(sequence, term: sequence, Self.entries(sequence...sequence, term: sequence)))
        }
        disk.beginSync()
        disk.crash(survivors: count)
        let recovered = try Recovery.recover(disk.stored)
        #expect(recovered.entries.count == count)
        #expect(recovered.hardState.currentTerm == Term(rawValue: UInt64(count)))
        // The sync that was under way belongs to the process that is gone.
        #expect(disk.finishSync() == nil)
    }

    @Test("A cut removes whole rows and parts of rows") func truncation() throws {
        var disk = Self.filled()
        disk.write(Self.batch(3, term: 3, cutFrom: 3, Self.entries(3...3, term: 3)))
        disk.beginSync()
        _ = disk.finishSync()
        let recovered = try Recovery.recover(disk.stored)
        #expect(recovered.entries == Self.entries(1...2, term: 1) + Self.entries(3...3, term: 3))
    }

    @Test("A cut alone leaves the shorter log") func truncationAlone() throws {
        var disk = Self.filled()
        disk.write(Self.batch(3, term: 3, cutFrom: 2))
        disk.beginSync()
        _ = disk.finishSync()
        #expect(try Recovery.recover(disk.stored).entries == Self.entries(1...1, term: 1))
    }

    @Test("Harm is found at the next start, and repaired", arguments: ModelledDisk.Damage.allCases)
    func harm(damage: ModelledDisk.Damage) throws {
        for seed in 0..<10 as Range<UInt64> {
            var disk = Self.filled()
            var random = SeededRandom(seed: seed)
            let before = try Recovery.recover(disk.stored)
            let isHarmed = disk.harm(damage, random: &random)
            #expect(isHarmed)
            #expect(disk.isHarmed)
            let stored = disk.stored
            #expect(throws: Rot.self) { try Recovery.recover(stored) }
            disk.repair()
            #expect(!disk.isHarmed)
            #expect(try Recovery.recover(disk.stored) == before)
        }
    }

    @Test("An empty log has no row to harm") func nothingToHarm() {
        var disk = ModelledDisk()
        var random = SeededRandom(seed: 1)
        let isFlipped = disk.harm(.batchFlipped, random: &random)
        let isLost = disk.harm(.batchLost, random: &random)
        #expect(!isFlipped)
        #expect(!isLost)
        #expect(!disk.isHarmed)
    }
}
