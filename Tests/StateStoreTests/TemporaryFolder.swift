// SPDX-License-Identifier: Apache-2.0

import Foundation
import StateStore

/// A fresh folder that goes away with its test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "verdict-state-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        self.path = url.path
    }

    /// A closed file with a checkpoint of `Fixture.filled()` in it.
    static func filled() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let database = try StateDatabase.open(folder)
        var fixture = Fixture.filled()
        try database.checkpoint(fixture.checkpoint())
        _ = try database.sync()
        return folder
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    func file(_ name: String = "state.db") -> String { self.path + "/" + name }

    func read(_ name: String = "state.db") throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: self.file(name))))
    }

    func write(_ bytes: [UInt8], to name: String = "state.db") throws {
        try Data(bytes).write(to: URL(fileURLWithPath: self.file(name)))
    }

    /// Bytes of the file; 0 if there is none.
    func length(_ name: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: self.file(name))
        return (attributes?[.size] as? Int) ?? 0
    }

    /// A folder with the database and its WAL as they are now: what the end of the process would leave.
    func copyOfDatabase() throws -> TemporaryFolder {
        let copy = try TemporaryFolder()
        for name in ["state.db", "state.db-wal"] where self.length(name) > 0 {
            try copy.write(self.read(name), to: name)
        }
        return copy
    }
}
