// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLite
import StateStore
import Testing

@Suite("The archive is read again and again while the node runs", .timeLimit(.minutes(2))) struct ArchiveScrubTests {
    enum Event: Sendable, Equatable {
        case whole(rows: UInt64)
        case rot(StateStoreError)
    }

    /// What a scrub tells, from its start until it is stopped.
    private static func events(_ folder: TemporaryFolder) -> (scrub: ArchiveScrub, events: AsyncStream<Event>) {
        let (events, told) = AsyncStream.makeStream(of: Event.self)
        let scrub = ArchiveScrub(
            path: folder.file(), identity: Fixture.identity, period: .milliseconds(1),
            onPass: { told.yield(.whole(rows: $0)) }, onRot: { told.yield(.rot($0)) })
        return (scrub, events)
    }

    private static func firstEvent(_ folder: TemporaryFolder) async -> Event? {
        let (scrub, events) = Self.events(folder)
        scrub.start()
        defer { scrub.stop() }
        return await events.first { _ in true }
    }

    @Test("A whole archive is counted, an empty one too")
    func whole() async throws {
        #expect(await Self.firstEvent(try TemporaryFolder.filled()) == .whole(rows: 3))
        let empty = try TemporaryFolder()
        _ = try StateDatabase.open(empty)
        #expect(await Self.firstEvent(empty) == .whole(rows: 0))
    }

    static let damages: [(sql: StaticString, row: String)] = [
        ("UPDATE archive SET crc = crc + 1 WHERE gid = 't-1'", "t-1"),
        ("UPDATE archive SET finished_index = 1000000 WHERE gid = 't-4'", "t-4"),
        ("UPDATE archive SET gid = 't-9' WHERE gid = 't-5'", "t-9"),
        ("UPDATE archive SET body = X'00' WHERE gid = 't-1'", "t-1"),
        ("DELETE FROM archive WHERE gid = 't-4'", "*"),
        ("DELETE FROM archive", "*"),
        ("UPDATE meta SET archived_count = archived_count - 1", "1"),
    ]

    @Test("What has changed, or is gone, is told with its row", arguments: damages.indices)
    func rot(number: Int) async throws {
        let damage = Self.damages[number]
        let folder = try TemporaryFolder.filled()
        try folder.edit { database in try database.execute(damage.sql) }
        guard case .rot(.rot(path: folder.file(), table: _, row: damage.row, reason: _)) = await Self.firstEvent(folder)
        else {
            Issue.record("\(damage.sql) was not seen")
            return
        }
    }

    @Test("What is archived during a reading is no rot, and the rot that comes later is seen")
    func concurrent() async throws {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture()
        for number in 1...600 {
            fixture.submit(.test(number))
            fixture.commit(.test(number))
        }
        try database.checkpoint(fixture.checkpoint())
        let (scrub, events) = Self.events(folder)
        scrub.start()
        defer { scrub.stop() }
        var number = 600
        var readings = 0
        for await event in events {
            guard case .whole(let rows) = event else {
                guard case .rot(.rot(path: _, table: "archive", row: "t-17", reason: _)) = event else {
                    Issue.record("\(event)")
                    return
                }
                #expect(readings >= 20)
                return
            }
            #expect((600...UInt64(number)).contains(rows))
            readings += 1
            guard readings != 20 else {
                try folder.edit { database in try database.execute("UPDATE archive SET state = 6 WHERE gid = 't-17'") }
                continue
            }
            for _ in 0..<10 where readings < 20 {
                number += 1
                fixture.submit(.test(number))
                fixture.commit(.test(number))
                try database.checkpoint(fixture.checkpoint())
            }
        }
    }

    @Test("Nothing is read any more after a stop") func stop() async throws {
        let folder = try TemporaryFolder.filled()
        let (scrub, events) = Self.events(folder)
        scrub.start()
        var iterator = events.makeAsyncIterator()
        _ = await iterator.next()
        scrub.stop()
        scrub.stop()
        #expect(try StateDatabase.open(folder).archivedCount == 3)
    }

    @Test("A note of rot stays until the file is set aside") func note() throws {
        let folder = try TemporaryFolder.filled()
        let path = folder.file()
        #expect(try RotNote.read(statePath: path) == nil)
        let error = StateStoreError.rot(path: path, table: "archive", row: "t-1", reason: "wrong checksum")
        try RotNote.write(error, statePath: path)
        #expect(try RotNote.read(statePath: path) == error.description)
        try StateDatabase.setAside(path: path)
        #expect(try RotNote.read(statePath: path) == nil)
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(FileManager.default.fileExists(atPath: path + ".damaged"))
        // A crash between the two: the note is all that is left.
        try RotNote.write(error, statePath: path)
        try StateDatabase.setAside(path: path)
        #expect(try RotNote.read(statePath: path) == nil)
    }
}
