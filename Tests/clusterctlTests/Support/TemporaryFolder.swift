// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A folder of a test's own, removed with all that is in it when the last reference goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let name = "clusterctl-tests-\(UUID().uuidString)"
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        self.path = url.resolvingSymlinksInPath().path
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    /// Writes a file and the folders above it.
    @discardableResult
    func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let path = self.path + "/" + name
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self.path + "/" + name) }
}
