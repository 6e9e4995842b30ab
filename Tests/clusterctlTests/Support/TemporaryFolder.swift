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
    func write(_ name: String, _ text: String) throws -> String {
        let path = self.path + "/" + name
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    /// Makes a program out of a script.
    func program(_ name: String, _ script: String) throws -> String {
        try self.program(name, copying: self.write(name + ".text", script))
    }

    /// Makes a program out of a file.
    ///
    /// Another process writes it. If this one did, a process that another test starts meanwhile would have the file open for
    /// writing until it runs its own program, and whoever starts this one then is told "Text file busy".
    func program(_ name: String, copying source: String) throws -> String {
        let path = self.path + "/" + name
        let install = Process()
        install.executableURL = URL(fileURLWithPath: "/usr/bin/install")
        install.arguments = ["-D", "-m", "755", source, path]
        try install.run()
        install.waitUntilExit()
        guard install.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
        return path
    }

    /// Creates a folder, and gives its path.
    func makeFolder(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: self.path + "/" + name, withIntermediateDirectories: true)
        return self.path + "/" + name
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self.path + "/" + name) }
}
